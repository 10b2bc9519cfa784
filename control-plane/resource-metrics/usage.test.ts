import fc from 'fast-check';

import { stringifyJson } from '../../lib/json';
import { goDuration } from './metrics-objects';
import { parseSample, type Counters, type Sample } from './sample';
import { usageBetween } from './usage';

const START = '2026-01-01T00:00:00Z';

const counters = (cpuNanos: number, memoryBytes = 1, startTime = START): Counters => ({
  ...{ startTime, cpuNanos, memoryBytes },
});

const sample = (
  monotonicMs: number,
  node: Counters,
  pods: Readonly<Record<string, Readonly<Record<string, Counters>>>> = {},
  clockId = 'clock',
): Sample => ({
  ...{ clockId, monotonicMs, node },
  pods: new Map(
    Object.entries(pods).map(([uid, containers]) => [
      uid,
      { namespace: 'default', name: uid, containers: new Map(Object.entries(containers)) },
    ]),
  ),
});

describe('what is used between two samples', () => {
  it('is reckoned over the time that passed, by the clock of the node', () => {
    const base = sample(1000, counters(5e9), { a: { main: counters(1e9) } });
    const last = sample(3000, counters(9e9, 7), { a: { main: counters(1.5e9, 3) } });
    const usage = usageBetween(base, last);
    expect(usage).toMatchObject({ windowMs: 2000, cpuNanocores: 2e9, memoryBytes: 7 });
    expect(usage?.pods.get('a')?.get('main')).toEqual({
      cpuNanocores: 250_000_000,
      memoryBytes: 3,
    });
  });

  it.each([
    ['another clock', sample(3000, counters(9e9), {}, 'other')],
    ['no time between', sample(1000, counters(9e9))],
    ['time that went back', sample(500, counters(9e9))],
    ['a counter that went back', sample(3000, counters(1))],
    ['another start', sample(3000, counters(9e9, 1, 'later'))],
  ])('is not told with %s', (_what, last) => {
    expect(usageBetween(sample(1000, counters(5e9)), last)).toBeUndefined();
  });

  it('leaves out pods with a container that is new, or was started again', () => {
    const before = { a: { main: counters(1) }, b: { main: counters(1) }, c: { main: counters(1) } };
    const after = {
      a: { main: counters(2), helper: counters(1) },
      b: { main: counters(2, 1, 'later') },
      c: { main: counters(2) },
      d: { main: counters(2) },
    };
    const usage = usageBetween(sample(0, counters(0), before), sample(1, counters(0), after));
    expect([...(usage?.pods.keys() ?? [])]).toEqual(['c']);
  });

  it('is never below nothing, whatever is reported', () => {
    const anything = fc.record({
      clockId: fc.constantFrom('a', 'b'),
      monotonicMs: fc.double(),
      summary: fc.oneof(fc.jsonValue(), reported).map((value) => Buffer.from(stringifyJson(value))),
    });
    fc.assert(
      fc.property(anything, anything, (first, second) => {
        const [base, last] = [parseSample(first), parseSample(second)];
        const usage = base && last && usageBetween(base, last);
        const all = usage === undefined ? [] : [usage, ...podsOf(usage)];
        for (const { cpuNanocores, memoryBytes } of all) {
          expect(Number.isSafeInteger(cpuNanocores) && cpuNanocores >= 0).toBe(true);
          expect(memoryBytes >= 0 && Number.isFinite(memoryBytes)).toBe(true);
        }
      }),
    );
  });
});

const podsOf = ({ pods }: NonNullable<ReturnType<typeof usageBetween>>) =>
  [...pods.values()].flatMap((containers) => [...containers.values()]);

const number = fc.oneof(fc.nat(), fc.double(), fc.constantFrom(-1, 2 ** 63, 1e300, 'x', null));
const measured = fc.record({
  startTime: fc.constantFrom(START, 'later', 7),
  cpu: fc.record({ usageCoreNanoSeconds: number }),
  memory: fc.record({ workingSetBytes: number }),
});
const reported = fc.record({
  node: measured,
  pods: fc.array(
    fc.record({
      podRef: fc.record({ uid: fc.constantFrom('a', 'b', '__proto__') }),
      containers: fc.array(measured.map((own) => ({ ...own, name: 'main' }))),
    }),
  ),
});

describe('a report', () => {
  const report = (value: unknown) => ({
    ...{ clockId: 'clock', monotonicMs: 1 },
    summary: Buffer.from(typeof value === 'string' ? value : stringifyJson(value)),
  });
  const node = { cpu: { usageCoreNanoSeconds: 1 }, memory: { workingSetBytes: 2 } };

  it.each(['', '{', 'null', '[]', '{"node":{}}', '{"node":{"cpu":{"usageCoreNanoSeconds":"x"}}}'])(
    'without the numbers of the node is none: %j',
    (text) => {
      expect(parseSample(report(text))).toBeUndefined();
    },
  );

  it('keeps counters that are beyond what a number tells exactly', () => {
    const text =
      '{"node":{"cpu":{"usageCoreNanoSeconds":9007199254740993},"memory":{"workingSetBytes":2}}}';
    expect(parseSample(report(text))?.node.cpuNanos).toBe(2 ** 53);
  });

  it('is taken without the containers that have no numbers', () => {
    const containers = [{ name: 'a', ...node }, { name: 'b' }, { name: 'c', cpu: -1 }, 7];
    const pods = [{ podRef: { uid: 'u', name: 'p', namespace: 'n' }, containers }];
    const found = parseSample(report({ node, pods }))?.pods.get('u');
    expect([...(found?.containers.keys() ?? [])]).toEqual(['a']);
  });
});

it.each([
  [0, '0s'],
  [12, '12ms'],
  [1000, '1s'],
  [15_032, '15.032s'],
  [62_000, '1m2s'],
  [3_661_500, '1h1m1.5s'],
])('writes %d ms as Go does: %s', (ms, text) => {
  expect(goDuration(ms)).toBe(text);
});
