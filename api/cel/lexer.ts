import { readBytes, readString } from './literals';
import { syntaxFault } from './syntax-fault';

export interface Token {
  readonly kind: 'ident' | 'int' | 'uint' | 'double' | 'string' | 'bytes' | 'symbol' | 'end';
  /** A literal's is what it says; else what stands there. */
  readonly text: string;
  readonly at: number;
  readonly bytes?: Uint8Array;
}

/** @throws SyntaxFault */
export const tokensOf = (source: string): readonly Token[] => {
  const tokens: Token[] = [];
  let at = skipBlank(source, 0);
  while (at < source.length) {
    const { token, end } = nextToken(source, at);
    tokens.push(token);
    at = skipBlank(source, end);
  }
  tokens.push({ kind: 'end', text: '<EOF>', at: source.length });
  return tokens;
};

interface Lexed {
  readonly token: Token;
  readonly end: number;
}

const nextToken = (source: string, at: number): Lexed => {
  const quoted = matchAt(QUOTE, source, at);
  if (quoted !== undefined) return quotedToken(source, at, quoted);
  const number = matchAt(NUMBER, source, at);
  if (number !== undefined) return { token: numberToken(number, at), end: at + number.length };
  const ident = matchAt(IDENT, source, at);
  if (ident !== undefined)
    return { token: { kind: 'ident', text: ident, at }, end: at + ident.length };
  const symbol = matchAt(SYMBOL, source, at);
  if (symbol !== undefined)
    return { token: { kind: 'symbol', text: symbol, at }, end: at + symbol.length };
  throw syntaxFault(at, `token recognition error at: '${charAt(source, at)}'`);
};

const numberToken = (text: string, at: number): Token => {
  if (/[uU]$/.test(text)) return { kind: 'uint', text: text.slice(0, -1), at };
  const isInt = /^(0x[\da-fA-F]+|\d+)$/.test(text);
  return { kind: isInt ? 'int' : 'double', text, at };
};

const quotedToken = (source: string, at: number, opening: string): Lexed => {
  const [, prefix = '', quote = ''] = OPENING.exec(opening) ?? [];
  const isRaw = /r/i.test(prefix);
  const start = at + opening.length;
  const close = closingOf(source, start, quote, isRaw);
  if (close === undefined)
    throw syntaxFault(at, `token recognition error at: '${source.slice(at, at + SHOWN_MAX)}'`);
  const body = source.slice(start, close);
  const end = close + quote.length;
  if (/b/i.test(prefix)) {
    const bytes = isRaw ? new TextEncoder().encode(body) : readBytes(body, start);
    return { token: { kind: 'bytes', text: body, at, bytes }, end };
  }
  return { token: { kind: 'string', text: isRaw ? body : readString(body, start), at }, end };
};

/** Where the quote stands that ends it. */
const closingOf = (
  source: string,
  start: number,
  quote: string,
  isRaw: boolean,
): number | undefined => {
  for (let i = start; i < source.length; i++) {
    if (source.startsWith(quote, i)) return i;
    const char = source[i];
    if (char === '\\' && !isRaw) i++;
    else if (quote.length === 1 && (char === '\n' || char === '\r')) return undefined;
  }
  return undefined;
};

const skipBlank = (source: string, from: number): number => {
  BLANK.lastIndex = from;
  return BLANK.test(source) ? BLANK.lastIndex : from;
};

const matchAt = (pattern: RegExp, source: string, at: number): string | undefined => {
  pattern.lastIndex = at;
  return pattern.exec(source)?.[0];
};

const charAt = (source: string, at: number): string =>
  String.fromCodePoint(source.codePointAt(at) ?? 0);

const SHOWN_MAX = 40;
const BLANK = /(?:[ \t\r\n\f]+|\/\/[^\n]*)+/y;
const QUOTE = /(?:[rR][bB]?|[bB][rR]?)?(?:"""|'''|"|')/y;
const OPENING = /^([rRbB]*)("""|'''|"|')$/;
const NUMBER =
  /0x[\da-fA-F]+[uU]?|(?:\d+\.\d+(?:[eE][+-]?\d+)?|\d+[eE][+-]?\d+|\.\d+(?:[eE][+-]?\d+)?)|\d+[uU]?/y;
const IDENT = /[a-zA-Z_][a-zA-Z0-9_]*/y;
const SYMBOL = /==|!=|<=|>=|&&|\|\||[-+*/%<>!?:.,()[\]{}]/y;
