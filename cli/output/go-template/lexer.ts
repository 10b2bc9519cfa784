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
export const tokensOf = (source: string): Generator<Token, void> => new Lexer(source).tokens();

class Lexer {
  private at = 0;
  private line = 1;

  constructor(private readonly source: string) {}

  *tokens(): Generator<Token, void> {
    for (;;) {
      const markerLength = yield* this.text();
      if (markerLength === undefined) break;
      const isComment = this.source.startsWith('/*', this.at + markerLength);
      const problem = isComment ? this.comment(markerLength) : yield* this.action(markerLength);
      if (problem === undefined) continue;
      yield this.token('error', problem);
      return;
    }
    yield this.token('end', '');
  }

  /** What stands before the next action. Returns how long the marker of that is; undefined: there is none. */
  private *text(): Generator<Token, number | undefined> {
    const open = this.source.indexOf('{{', this.at);
    const isTrimmed = open >= 0 && /^\{\{-[ \t\r\n]/.test(this.source.slice(open, open + 4));
    const piece = this.source.slice(this.at, open < 0 ? undefined : open);
    const kept = isTrimmed ? piece.replace(/[ \t\r\n]+$/, '') : piece;
    if (kept !== '') yield this.token('text', kept);
    this.skip(piece.length);
    if (open < 0) return undefined;
    return isTrimmed ? 4 : 2;
  }

  /** Returns what is wrong with it. */
  private comment(markerLength: number): string | undefined {
    // Behind its own opening, so that one star does not serve both.
    const end = this.source.indexOf('*/', this.at + markerLength + '/*'.length);
    if (end < 0) return 'unclosed comment';
    const close = takeAt(CLOSE, this.source, end + 2);
    if (close === '') return 'comment ends before closing delimiter';
    this.skip(end + 2 + close.length - this.at);
    return undefined;
  }

  /** Returns what is wrong with it. */
  private *action(markerLength: number): Generator<Token, string | undefined> {
    yield this.token('open', '{{');
    this.skip(markerLength);
    let depth = 0;
    while (this.at < this.source.length) {
      const close = takeAt(CLOSE, this.source, this.at);
      if (close !== '') {
        if (depth > 0) return 'unclosed left paren';
        yield this.token('close', '}}');
        this.skip(close.length);
        return undefined;
      }
      const { kind, text } = inAction(this.source, this.at);
      if (kind === 'error') return text;
      if (kind === 'openParen') depth++;
      if (kind === 'closeParen' && --depth < 0) return 'unexpected right paren';
      yield this.token(kind, text);
      this.skip(text.length);
    }
    return 'unclosed action';
  }

  private token(kind: TokenKind, text: string): Token {
    return { kind, text, at: this.at, line: this.line };
  }

  private skip(length: number): void {
    this.line += newlines(this.source.slice(this.at, this.at + length));
    this.at += length;
  }
}

/** What a sticky pattern finds at a place; nothing: an empty text. */
const takeAt = (pattern: RegExp, source: string, at: number): string => {
  pattern.lastIndex = at;
  return pattern.exec(source)?.[0] ?? '';
};

type Found = Pick<Token, 'kind' | 'text'>;

/** The token at `at` within an action. */
const inAction = (source: string, at: number): Found => {
  const first = source.charAt(at);
  const take = (pattern: RegExp) => takeAt(pattern, source, at);
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
/** A marker, with all that one which trims takes away. */
const CLOSE = /[ \t\r\n]-\}\}[ \t\r\n]*|\}\}/y;
const SPACE = /[ \t\r\n]+/y;
const STRING = /"(?:[^"\\\n]|\\[^\n])*"/y;
const RAW_STRING = /`[^`]*`/y;
const CHARACTER = /'(?:[^'\\\n]|\\[^\n])*'/y;
const NUMBER = /[+-]?\.?[0-9](?:[eEpP][+-]|[0-9A-Za-z_.])*|[+-]/y;
const GOOD_NUMBER =
  /^[+-]?(?:0[xX][0-9a-fA-F_]+|0[oO]?[0-7_]*|0[bB][01_]+|[0-9][0-9_]*(?:\.[0-9_]*)?(?:[eE][+-]?[0-9]+)?|\.[0-9]+(?:[eE][+-]?[0-9]+)?)$/;
const WORD = /[.$]?[\p{L}\p{Nd}_]+|[.$]/uy;
