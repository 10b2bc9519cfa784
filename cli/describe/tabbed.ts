import { printable } from '../output/terminal';

/**
 * Rows of cells as kubectl aligns them: a column is as wide as its widest cell among rows that follow
 * each other and have one more cell, and two spaces.
 */
export const tabbed = (rows: readonly (readonly string[])[]): string => {
  const texts = rows.map((row) => row.map((cell) => printable(cell).replaceAll('\n', '\\n')));
  const lines = texts.map((row) => row.at(-1) ?? '');
  const columnCount = Math.max(0, ...texts.map(({ length }) => length));
  for (let column = columnCount - 2; column >= 0; column--)
    for (const [start, end] of runs(texts, column)) {
      const width = Math.max(...texts.slice(start, end).map((row) => row[column]?.length ?? 0)) + 2;
      for (let i = start; i < end; i++)
        lines[i] = (texts[i]?.[column] ?? '').padEnd(width) + (lines[i] ?? '');
    }
  return lines.map((line) => `${line.trimEnd()}\n`).join('');
};

/** Where rows begin and end that follow each other and go on after the column. */
const runs = (
  rows: readonly (readonly string[])[],
  column: number,
): readonly (readonly [start: number, end: number])[] => {
  const found: [number, number][] = [];
  rows.forEach(({ length }, i) => {
    if (length < column + 2) return;
    const last = found.at(-1);
    if (last?.[1] === i) last[1] = i + 1;
    else found.push([i, i + 1]);
  });
  return found;
};
