/** How to write for a terminal, or for a file. */
export interface TextStyle {
  readonly color: boolean;
  /** Columns; long lines wrap, cells do not. */
  readonly width: number;
}

export type Tone = 'bold' | 'good' | 'bad' | 'faint';

/** `text` in a tone, where the style has colour. */
export const toned = (text: string, tone: Tone, { color }: Pick<TextStyle, 'color'>): string =>
  color ? `\u001b[${TONE_CODES[tone]}m${text}\u001b[0m` : text;

/** Text of others without what could drive a terminal. */
export const plain = (text: string): string => text.replace(/[\u0000-\u001f\u007f-\u009f]/g, '?');

/** Words in lines of at most `width`; a longer word gets a line of its own. */
export const wrap = (text: string, width: number): readonly string[] => {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    if (line !== '' && line.length + 1 + word.length > width) {
      lines.push(line);
      line = word;
    } else line = line === '' ? word : `${line} ${word}`;
  }
  return [...lines, line];
};

/** Aligned columns. `minimums` keep columns in place from one call to the next. */
export const columns = (
  rows: readonly (readonly string[])[],
  minimums: readonly number[] = [],
): readonly string[] => {
  const widths: number[] = [...minimums];
  for (const row of rows) {
    row.forEach((cell, index) => (widths[index] = Math.max(widths[index] ?? 0, cell.length)));
  }
  return rows.map((row) =>
    row
      .map((cell, index) => cell.padEnd((widths[index] ?? 0) + GAP))
      .join('')
      .trimEnd(),
  );
};

/** `2026-11-25T02:41:24.123456Z` for a person: `2026-11-25 02:41:24`. */
export const shortTime = (rfc3339: string): string => rfc3339.slice(0, 19).replace('T', ' ');

export const plural = (count: number, word: string): string =>
  `${count} ${word}${count === 1 ? '' : 's'}`;

const GAP = 3;
const TONE_CODES: Readonly<Record<Tone, string>> = { bold: '1', good: '32', bad: '33', faint: '2' };
