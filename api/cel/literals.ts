import { syntaxFault } from './syntax-fault';

/** The text that a literal with escapes stands for. @throws SyntaxFault */
export const readString = (body: string, at: number): string => {
  if (!body.includes('\\')) return body;
  return body.replace(ESCAPE, (escape: string, offset: number) => {
    const code = codeOf(escape, at + offset);
    if (code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff)) throw invalid(escape, at + offset);
    return String.fromCodePoint(code);
  });
};

/** As `readString`, but `\x` and octal escapes are bytes and there are no escapes of Unicode. */
export const readBytes = (body: string, at: number): Uint8Array => {
  const parts: Uint8Array[] = [];
  let done = 0;
  for (const match of body.matchAll(ESCAPE)) {
    parts.push(new TextEncoder().encode(body.slice(done, match.index)));
    if (/^\\[uU]/.test(match[0])) throw invalid(match[0], at + match.index);
    parts.push(Uint8Array.of(codeOf(match[0], at + match.index)));
    done = match.index + match[0].length;
  }
  parts.push(new TextEncoder().encode(body.slice(done)));
  return new Uint8Array(Buffer.concat(parts));
};

const codeOf = (escape: string, at: number): number => {
  const simple = SIMPLE[escape[1] ?? ''];
  if (simple !== undefined && escape.length === 2) return simple;
  const [, hex, octal] = CODE.exec(escape) ?? [];
  if (hex !== undefined) return parseInt(hex, 16);
  if (octal !== undefined) return parseInt(octal, 8);
  throw invalid(escape, at);
};

const invalid = (escape: string, at: number) =>
  syntaxFault(at, `token recognition error at: '${escape}'`);

const ESCAPE =
  /\\(?:x[\da-fA-F]{2}|X[\da-fA-F]{2}|u[\da-fA-F]{4}|U[\da-fA-F]{8}|[0-3][0-7]{2}|[\s\S]|$)/g;
const CODE = /^\\(?:[xXuU]([\da-fA-F]+)|([0-3][0-7]{2}))$/;
const SIMPLE: Readonly<Record<string, number>> = {
  ...{ a: 7, b: 8, f: 12, n: 10, r: 13, t: 9, v: 11 },
  ...{ '\\': 92, '?': 63, '"': 34, "'": 39, '`': 96 },
};
