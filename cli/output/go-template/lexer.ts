import { quoted as inQuotes } from './values';

/* What a template is made of. Source: Go's text/template/parse/lex.go. */

export type TokenKind =
  | 'text'
  | 'open'
  | 'close'
  | 'space'
  | 'field'
  | 'variable'
  | 'dot'
  | 'nil'
  | 'bool'
  | 'number'
  | 'character'
  | 'string'
  | 'rawString'
  | 'identifier'
  | 'keyword'
  | 'declare'
  | 'assign'
  | 'pipe'
  | 'char'
  | 'openParen'
  | 'closeParen'
  | 'error'
  | 'end';

export interface Token {
  readonly kind: TokenKind;
  readonly text: string;
  /** Where it begins, in UTF-16 units. */
  readonly at: number;
  /** From 1. */
  readonly line: number;
}

/** The tokens of a template, the last one `end` or `error`. */
export function* tokensOf(source: string): Generator<Token, void> {
  let at = 0;
  let line = 1;
  const token = (kind: TokenKind, text: string): Token => {
    const made = { kind, text, at, line };
    at += text.length;
    line += newlines(text);
    return made;
  };
  const skip = (length: number) => {
    line += newlines(source.slice(at, at + length));
    at += length;
  };
  const error = (message: string): Token => ({ kind: 'error', text: message, at, line });
  while (at < source.length) {
    const open = source.indexOf('{{', at);
    const isLast = open < 0;
    const piece = source.slice(at, isLast ? source.length : open);
    const isTrimmed = !isLast && /^\{\{-[ \t\r\n]/.test(source.slice(open, open + 4));
    const kept = isTrimmed ? piece.replace(/[ \t\r\n]+$/, '') : piece;
    if (kept !== '') yield token('text', kept);
    if (isLast) break;
    skip(open - at);
    const markerLength = isTrimmed ? 4 : 2;
    if (source.startsWith('/*', at + markerLength)) {
      const end = commentEnd(source, at + markerLength);
      if (typeof end === 'string') {
        yield error(end);
        return;
      }
      skip(end - at);
      continue;
    }
    yield { kind: 'open', text: '{{', at, line };
    skip(markerLength);
    let depth = 0;
    for (;;) {
      const rest = source.slice(at, at + LOOK_AHEAD);
      if (at >= source.length) {
        yield error('unclosed action');
        return;
      }
      if (/^(?:[ \t\r\n]-)?\}\}/.test(rest)) {
        if (depth > 0) {
          yield error('unclosed left paren');
          return;
        }
        const trim = /^[ \t\r\n]-\}\}[ \t\r\n]*/.exec(source.slice(at));
        yield { kind: 'close', text: '}}', at, line };
        skip(trim?.[0].length ?? 2);
        break;
      }
      const found = inAction(source, at);
      if (found.kind === 'error') {
        yield error(found.text);
        return;
      }
      if (found.kind === 'openParen') depth++;
      if (found.kind === 'closeParen' && --depth < 0) {
        yield error('unexpected right paren');
        return;
      }
      yield token(found.kind, found.text);
    }
  }
  yield token('end', '');
}

/** Where the text after a comment begins, or what is wrong with the comment. */
const commentEnd = (source: string, from: number): number | string => {
  const end = source.indexOf('*/', from);
  if (end < 0) return 'unclosed comment';
  const close = /^(?:[ \t\r\n]-\}\}[ \t\r\n]*|\}\})/.exec(source.slice(end + 2));
  if (close === null) return 'comment ends before closing delimiter';
  return end + 2 + close[0].length;
};

type Found = Pick<Token, 'kind' | 'text'>;

/** The token at `at` within an action. */
const inAction = (source: string, at: number): Found => {
  const first = source.charAt(at);
  const take = (pattern: RegExp): string => {
    pattern.lastIndex = at;
    return pattern.exec(source)?.[0] ?? '';
  };
  const space = take(SPACE);
  if (space !== '') {
    // A space before the marker of a trim belongs to the marker.
    const isMarked = source.startsWith('-}}', at + space.length);
    return { kind: 'space', text: isMarked && space.length > 1 ? space.slice(0, -1) : space };
  }
  if (source.startsWith(':=', at)) return { kind: 'declare', text: ':=' };
  if (Object.hasOwn(SINGLE, first)) return { kind: SINGLE[first] ?? 'char', text: first };
  if (first === ':') return { kind: 'error', text: 'expected :=' };
  if (first === '"') return quoted(take(STRING), 'string', 'unterminated quoted string');
  if (first === '`') return quoted(take(RAW_STRING), 'rawString', 'unterminated raw quoted string');
  if (first === "'") return quoted(take(CHARACTER), 'character', 'unterminated character constant');
  const number = take(NUMBER);
  if (number !== '') return checkedNumber(number);
  const word = take(WORD);
  if (word === '.') return endsHere(source, at + 1, { kind: 'dot', text: '.' });
  if (word !== '')
    return endsHere(source, at + word.length, { kind: kindOfWord(word), text: word });
  return /^[!-~]$/.test(first)
    ? { kind: 'char', text: first }
    : { kind: 'error', text: `unrecognized character in action: ${codePoint(source, at)}` };
};

const quoted = (text: string, kind: TokenKind, message: string): Found =>
  text === '' ? { kind: 'error', text: message } : { kind, text };

const checkedNumber = (text: string): Found =>
  GOOD_NUMBER.test(text)
    ? { kind: 'number', text }
    : { kind: 'error', text: `bad number syntax: ${inQuotes(text)}` };

const kindOfWord = (word: string): TokenKind => {
  if (word.startsWith('.')) return 'field';
  if (word.startsWith('$')) return 'variable';
  if (KEYWORDS.has(word)) return 'keyword';
  if (word === 'true' || word === 'false') return 'bool';
  return word === 'nil' ? 'nil' : 'identifier';
};

/** A word must be followed by what can end it. */
const endsHere = (source: string, end: number, found: Found): Found =>
  end >= source.length || /^(?:[ \t\r\n.,|:)(]|\}\})/.test(source.slice(end, end + 2))
    ? found
    : { kind: 'error', text: `bad character ${codePoint(source, end)}` };

/** `U+007B '{'` */
const codePoint = (source: string, at: number): string => {
  const code = source.codePointAt(at) ?? 0;
  const hex = code.toString(16).toUpperCase().padStart(4, '0');
  return code < 0x20 ? `U+${hex}` : `U+${hex} '${String.fromCodePoint(code)}'`;
};

const newlines = (text: string): number => text.split('\n').length - 1;

const KEYWORDS: ReadonlySet<string> = new Set([
  ...['block', 'break', 'continue', 'define', 'else', 'end', 'if', 'range', 'template', 'with'],
]);
const SINGLE: Readonly<Record<string, TokenKind>> = {
  ...{ '=': 'assign', '|': 'pipe', '(': 'openParen', ')': 'closeParen' },
};
const SPACE = /[ \t\r\n]+/y;
const STRING = /"(?:[^"\\\n]|\\[^\n])*"/y;
const RAW_STRING = /`[^`]*`/y;
const CHARACTER = /'(?:[^'\\\n]|\\[^\n])*'/y;
const NUMBER = /[+-]?\.?[0-9](?:[eEpP][+-]|[0-9A-Za-z_.])*|[+-]/y;
const GOOD_NUMBER =
  /^[+-]?(?:0[xX][0-9a-fA-F_]+|0[oO]?[0-7_]*|0[bB][01_]+|[0-9][0-9_]*(?:\.[0-9_]*)?(?:[eE][+-]?[0-9]+)?|\.[0-9]+(?:[eE][+-]?[0-9]+)?)$/;
const WORD = /[.$]?[\p{L}\p{Nd}_]+|[.$]/uy;
const LOOK_AHEAD = 4;
