import { needsQuotes } from './scalars';

/**
 * A value as YAML, in the form in which kubectl prints objects: keys in natural order, lists not
 * indented under their key, long words folded at 80 columns.
 */
export const toYaml = (value: unknown): string => {
  const text = new Writer().document(value);
  return text.endsWith('\n') ? text : `${text}\n`;
};

const WIDTH = 80;
const INDENT = 2;

class Writer {
  private out = '';
  private column = 0;

  document(value: unknown): string {
    this.node(value, 0, false);
    return this.out;
  }

  /** `afterDash`: the first line continues the one that holds the dash. */
  private node(value: unknown, indent: number, afterDash: boolean): void {
    if (Array.isArray(value) && value.length > 0) this.list(value, indent, afterDash);
    else if (isMapping(value) && Object.keys(value).length > 0) this.map(value, indent, afterDash);
    else this.scalar(value, indent);
  }

  private map(value: Mapping, indent: number, afterDash: boolean): void {
    let isFirst = true;
    for (const key of Object.keys(value).sort(compareNaturally)) {
      if (!(isFirst && afterDash)) this.startLine(indent);
      isFirst = false;
      this.put(styled(key, true, WIDTH_UNLIMITED, 0, 0));
      this.put(':');
      this.member(value[key], indent);
    }
  }

  private member(value: unknown, indent: number): void {
    if (Array.isArray(value) && value.length > 0) this.list(value, indent, false);
    else if (isMapping(value) && Object.keys(value).length > 0) {
      this.map(value, indent + INDENT, false);
    } else {
      this.put(' ');
      this.scalar(value, indent + INDENT);
    }
  }

  private list(items: readonly unknown[], indent: number, afterDash: boolean): void {
    items.forEach((item, i) => {
      if (!(i === 0 && afterDash)) this.startLine(indent);
      this.put('- ');
      this.node(item, indent + INDENT, true);
    });
  }

  private scalar(value: unknown, indent: number): void {
    if (Array.isArray(value)) this.put('[]');
    else if (isMapping(value)) this.put('{}');
    else if (typeof value === 'string') {
      this.put(styled(value, false, WIDTH, indent, this.column));
    } else this.put(textOf(value));
  }

  private startLine(indent: number): void {
    if (this.out !== '' && !this.out.endsWith('\n')) this.out += '\n';
    this.out += ' '.repeat(indent);
    this.column = indent;
  }

  private put(text: string): void {
    this.out += text;
    const lineStart = text.lastIndexOf('\n') + 1;
    this.column = (lineStart === 0 ? this.column : 0) + text.length - lineStart;
  }
}

const textOf = (value: unknown): string =>
  typeof value === 'number' || typeof value === 'bigint' || typeof value === 'boolean'
    ? String(value)
    : 'null';

type Mapping = Readonly<Record<string, unknown>>;

const isMapping = (value: unknown): value is Mapping => typeof value === 'object' && value !== null;

const WIDTH_UNLIMITED = Infinity;

// ---- Strings

const styled = (
  text: string,
  isKey: boolean,
  width: number,
  indent: number,
  column: number,
): string => {
  const look = analyze(text);
  if (text.includes('\n') && !isKey && look.blockAllowed) return literal(text, indent);
  const isPlain = !text.includes('\n') && !needsQuotes(text);
  if (isPlain && look.plainAllowed) return fold(text, width, indent, column, false);
  if (isPlain && look.singleAllowed) {
    const quoted = `'${text.replaceAll("'", "''")}'`;
    return fold(quoted, width, indent, column, true);
  }
  return doubleQuoted(text, width, indent, column);
};

interface Look {
  readonly plainAllowed: boolean;
  readonly singleAllowed: boolean;
  readonly blockAllowed: boolean;
}

const analyze = (text: string): Look => {
  const hasSpecial = /[\0-\x08\x0b-\x1f\x7f-\x84\x86-\x9f\ufeff\ufffe\uffff]/.test(text);
  const hasTab = text.includes('\t');
  const spaceBeforeBreak = / \n/.test(text);
  const spaceAfterBreak = /\n /.test(text);
  const isPadded = /^[ \n]|[ \n]$/.test(text);
  const isBroken = hasSpecial || hasTab || spaceBeforeBreak;
  return {
    plainAllowed: !isPadded && !isBroken && !text.includes('\n') && !hasBlockIndicator(text),
    singleAllowed: !isBroken && !spaceAfterBreak,
    blockAllowed: text !== '' && !text.endsWith(' ') && !hasSpecial && !spaceBeforeBreak,
  };
};

/** Something that YAML would take for its own. */
const hasBlockIndicator = (text: string): boolean =>
  /^(?:---|\.\.\.)/.test(text) ||
  /^[#,[\]{}&*!|>'"%@`]/.test(text) ||
  /^[?:-](?:\s|$)/.test(text) ||
  /:(?:\s|$)/.test(text) ||
  /\s#/.test(text);

const literal = (text: string, indent: number): string => {
  const hint = /^[ \n]/.test(text) ? String(INDENT) : '';
  const chomp = !text.endsWith('\n') ? '-' : /^\n$|\n\n$/.test(text) ? '+' : '';
  const lines = (text.endsWith('\n') ? text.slice(0, -1) : text).split('\n');
  const body = lines.map((line) => (line === '' ? '' : ' '.repeat(indent) + line)).join('\n');
  return `|${hint}${chomp}\n${body}\n`;
};

/** Breaks at the first single space past the width, never beside another space or at an end. */
const fold = (
  text: string,
  width: number,
  indent: number,
  startColumn: number,
  isQuoted: boolean,
): string => {
  let out = '';
  let column = startColumn;
  const last = text.length - (isQuoted ? 2 : 1);
  for (let i = 0; i < text.length; i++) {
    const isSingleSpace = text[i] === ' ' && text[i - 1] !== ' ' && text[i + 1] !== ' ';
    const isInside = i > (isQuoted ? 1 : 0) && i < last;
    if (isSingleSpace && isInside && column > width) {
      out += `\n${' '.repeat(indent)}`;
      column = indent;
    } else {
      out += text[i] ?? '';
      column++;
    }
  }
  return out;
};

const ESCAPES: Readonly<Record<string, string>> = {
  '"': '\\"',
  '\\': '\\\\',
  '\0': '\\0',
  '\x07': '\\a',
  '\b': '\\b',
  '\t': '\\t',
  '\n': '\\n',
  '\v': '\\v',
  '\f': '\\f',
  '\r': '\\r',
  '\x1b': '\\e',
  '\x85': '\\N',
  '\xa0': '\\_',
  '\u2028': '\\L',
  '\u2029': '\\P',
};

const doubleQuoted = (text: string, width: number, indent: number, startColumn: number): string => {
  const characters = Array.from(text);
  let out = '"';
  let column = startColumn + 1;
  let wasSpace = false;
  characters.forEach((character, i) => {
    const isSpace = character === ' ';
    const mayBreak = isSpace && !wasSpace && i > 0 && i < characters.length - 1;
    if (mayBreak && column > width) {
      // A space that begins the next line must be escaped to count.
      const guard = characters[i + 1] === ' ' ? '\\' : '';
      out += `\n${' '.repeat(indent)}${guard}`;
      column = indent + guard.length;
    } else {
      const escaped = escapeOf(character);
      out += escaped;
      column += escaped.length;
    }
    wasSpace = isSpace;
  });
  return `${out}"`;
};

const escapeOf = (character: string): string => {
  const known = ESCAPES[character];
  if (known !== undefined) return known;
  const code = character.codePointAt(0) ?? 0;
  const isPrintable =
    (code >= 0x20 && code <= 0x7e) ||
    (code >= 0xa0 && code < 0xd800) ||
    (code >= 0xe000 && code < 0xfffe && code !== 0xfeff) ||
    code >= 0x10000;
  if (isPrintable) return character;
  return code <= 0xff ? `\\x${hex(code, 2)}` : `\\u${hex(code, 4)}`;
};

const hex = (code: number, digits: number): string =>
  code.toString(16).toUpperCase().padStart(digits, '0');

// ---- The order of keys: letters by code, digits by the number they form.

const compareNaturally = (a: string, b: string): number => {
  const [left, right] = [Array.from(a), Array.from(b)];
  const length = Math.min(left.length, right.length);
  for (let i = 0; i < length; i++) {
    const [x, y] = [left[i] ?? '', right[i] ?? ''];
    if (x === y) continue;
    const [xIsLetter, yIsLetter] = [isLetter(x), isLetter(y)];
    if (xIsLetter && yIsLetter) return x < y ? -1 : 1;
    if (xIsLetter !== yIsLetter) return yIsLetter ? -1 : 1;
    return compareDigits(left, right, i);
  }
  return left.length - right.length;
};

const compareDigits = (left: readonly string[], right: readonly string[], at: number): number => {
  const [x, y] = [digitsAt(left, at), digitsAt(right, at)];
  // Behind other digits a zero has weight: 10 and 1 differ by more than the missing zero.
  const head = at > 0 && isDigit(left[at - 1] ?? '') ? '1' : '';
  const [m, n] = [BigInt(head + x || '0'), BigInt(head + y || '0')];
  if (m !== n) return m < n ? -1 : 1;
  if (x.length !== y.length) return x.length - y.length;
  return (left[at] ?? '') < (right[at] ?? '') ? -1 : 1;
};

const digitsAt = (text: readonly string[], at: number): string => {
  let end = at;
  while (end < text.length && isDigit(text[end] ?? '')) end++;
  return text.slice(at, end).join('');
};

const isLetter = (character: string): boolean => /\p{L}/u.test(character);
const isDigit = (character: string): boolean => /[0-9]/.test(character);
