/** One value of what a server measures of itself. */
export interface Sample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** Pure: the samples of a text in the format of Prometheus; lines that are none are left out. */
export const samplesOf = (text: string): readonly Sample[] =>
  text.split('\n').flatMap((line) => {
    const [, name = '', labels = '', value = ''] = LINE.exec(line) ?? [];
    return name === '' ? [] : [{ name, labels: labelsOf(labels), value: Number(value) }];
  });

/** The value below which this share lies, between the bounds of a histogram's bucket; undefined without any. */
export const quantile = (buckets: readonly Sample[], share: number): number | undefined => {
  const below = new Map<number, number>();
  for (const { labels, value } of buckets) {
    const bound = labels['le'] === '+Inf' ? Infinity : Number(labels['le']);
    below.set(bound, (below.get(bound) ?? 0) + value);
  }
  const bounds = [...below].sort(([a], [b]) => a - b);
  const wanted = (bounds.at(-1)?.[1] ?? 0) * share;
  if (wanted === 0) return undefined;
  let [lower, before] = [0, 0];
  for (const [bound, count] of bounds) {
    if (count >= wanted) {
      if (bound === Infinity) return lower;
      return lower + ((bound - lower) * (wanted - before)) / Math.max(1, count - before);
    }
    [lower, before] = [bound, count];
  }
  return lower;
};

const labelsOf = (text: string): Record<string, string> =>
  Object.fromEntries(
    [...text.matchAll(LABEL)].map(([, name = '', value = '']) => [
      name,
      value.replace(/\\(.)/g, (_, sign: string) => (sign === 'n' ? '\n' : sign)),
    ]),
  );

const LINE = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? ([^ ]+)(?: \d+)?$/;
const LABEL = /([a-zA-Z_]\w*)="((?:[^"\\]|\\.)*)"/g;
