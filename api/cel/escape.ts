/**
 * The name that an expression has for a field of a declared object, undefined when it has none: signs
 * that no identifier has are written as words, as upstream does.
 */
export const escapeFieldName = (name: string): string | undefined => {
  if (!ESCAPABLE.test(name)) return undefined;
  if (KEYWORDS.has(name)) return `__${name}__`;
  return name.replace(SIGNS, (sign) => WORDS[sign] ?? sign);
};

const ESCAPABLE = /^[a-zA-Z_][a-zA-Z0-9_.\-/]*$/;
const SIGNS = /__|\.|-|\//g;
const WORDS: Readonly<Record<string, string>> = {
  ...{ __: '__underscores__', '.': '__dot__', '-': '__dash__', '/': '__slash__' },
};
const KEYWORDS: ReadonlySet<string> = new Set(
  (
    'true false null in as break const continue else for function if import let loop package ' +
    'namespace return var void while'
  ).split(' '),
);
