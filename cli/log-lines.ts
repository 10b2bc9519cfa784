/**
 * Each whole line of a log behind `prefix`, with its end; a last one without end gets one. A line that
 * is longer than a bound is told in pieces.
 */
export async function* prefixed(
  chunks: AsyncIterable<Buffer>,
  prefix: string,
): AsyncGenerator<string> {
  let rest = '';
  const decoder = new TextDecoder();
  for await (const chunk of chunks) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split('\n');
    rest = lines.pop() ?? '';
    if (rest.length > LINE_MAX) {
      lines.push(rest);
      rest = '';
    }
    if (lines.length > 0) yield lines.map((line) => `${prefix}${line}\n`).join('');
  }
  if (rest !== '') yield `${prefix}${rest}\n`;
}

/** The same colour for the same name. */
export const coloured = (name: string, text: string): string => {
  let hash = 0;
  for (const character of name) hash = (hash * 31 + (character.codePointAt(0) ?? 0)) % 9973;
  const colour = COLOURS[hash % COLOURS.length] ?? 36;
  return `\u001b[${colour}m${text}\u001b[0m`;
};

const COLOURS = [36, 33, 32, 35, 34, 96, 93, 92, 95, 94];
const LINE_MAX = 256 * 1024;
