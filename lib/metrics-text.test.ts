import fc from 'fast-check';

import { histogram, labelText, metric, processMetrics } from './metrics-text';

/** As a reader of the format takes a line apart. */
const SERIES = /^([a-z_]+)(?:\{((?:[a-z_]+="(?:[^"\\\n]|\\["\\n])*",?)*)\})? (\S+)(?: (\d+))?$/;
const LABEL = /([a-z_]+)="((?:[^"\\\n]|\\["\\n])*)"/g;
const read = (line: string) => {
  const [, name, labels = '', value, at] = SERIES.exec(line) ?? [];
  const unescaped = (text: string) =>
    text.replaceAll(/\\(.)/g, (_, sign: string) => (sign === 'n' ? '\n' : sign));
  return {
    ...{ name, value: Number(value), at },
    labels: [...labels.matchAll(LABEL)].map(([, key, text = '']) => [key, unescaped(text)]),
  };
};

const name = fc.stringMatching(/^[a-z_]{1,8}$/);
const hostile = fc.oneof(
  fc.string(),
  fc
    .array(fc.constantFrom('\\', '"', '\n', ',', '}', 'a'), { maxLength: 12 })
    .map((s) => s.join('')),
);

it('is read as it was meant, whatever the values of labels are', () => {
  fc.assert(
    fc.property(
      fc.dictionary(name, hostile, { maxKeys: 4, noNullPrototype: true }),
      fc.double({ noNaN: true, noDefaultInfinity: true }),
      (labels, value) => {
        const [help, type, line = '', ...more] = metric('m', 'gauge', 'Helps.', [
          [labelText(labels), value],
        ]);
        expect([help, type, more]).toEqual(['# HELP m Helps.', '# TYPE m gauge', []]);
        expect(line.split('\n')).toHaveLength(1);
        expect(read(line)).toEqual({
          ...{ name: 'm', value: value + 0, at: undefined },
          labels: Object.entries(labels),
        });
      },
    ),
  );
});

it('says when, if that is known', () => {
  expect(metric('m', 'counter', 'Helps.', [['', 1.5, 1000]]).at(-1)).toBe('m 1.5 1000');
});

it('tells a histogram by its upper bounds', () => {
  const lag = { buckets: [[0.1, 1] as const, [1, 2] as const], sumSeconds: 5, count: 3 };
  expect(histogram('h', 'Helps.', lag)).toEqual([
    ...['# HELP h Helps.', '# TYPE h histogram', 'h_bucket{le="0.1"} 1', 'h_bucket{le="1"} 2'],
    ...['h_bucket{le="+Inf"} 3', 'h_sum 5', 'h_count 3'],
  ]);
});

it('tells what the process uses, and of its event loop only what is measured', () => {
  const names = (lines: readonly string[]) =>
    lines.flatMap((line) => /^# TYPE (\S+)/.exec(line)?.[1] ?? []);
  const own = ['process_cpu_seconds_total', 'process_resident_memory_bytes'];
  expect(names(processMetrics())).toEqual(own);
  const lag = { buckets: [], sumSeconds: 0, count: 0 };
  expect(names(processMetrics(lag))).toEqual(['dhow_event_loop_lag_seconds', ...own]);
});
