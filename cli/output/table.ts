/** Rows of cells as aligned columns, three spaces apart, without trailing blanks. */
export const formatTable = (
  header: readonly string[] | undefined,
  rows: readonly (readonly string[])[],
): string => {
  const all = header === undefined ? rows : [header, ...rows];
  const widths: number[] = [];
  for (const row of all) {
    row.forEach((cell, i) => (widths[i] = Math.max(widths[i] ?? 0, cell.length)));
  }
  return all.map((row) => `${formatRow(row, widths)}\n`).join('');
};

/** One row at these widths; the last cell is not padded. */
export const formatRow = (row: readonly string[], widths: readonly number[]): string =>
  row
    .map((cell, i) => (i === row.length - 1 ? cell : cell.padEnd((widths[i] ?? 0) + 3)))
    .join('')
    .trimEnd();
