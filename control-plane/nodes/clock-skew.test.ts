import { ManualClock } from '../../lib/clock';
import { ClockProbe, skewCondition, type ClockSkew } from './clock-skew';

/** A server and an agent whose wall clock is ahead by `aheadMs`; the network takes its time. */
const measure = async (times: {
  readonly aheadMs: number;
  readonly thereMs: number;
  readonly heldMs: number;
  readonly backMs: number;
}): Promise<ClockSkew | undefined> => {
  const clock = new ManualClock(Date.UTC(2026, 0, 1));
  const probe = new ClockProbe(clock);
  const number = probe.next();
  await clock.advance(times.thereMs + times.heldMs);
  const wallMs = clock.now() + times.aheadMs;
  await clock.advance(times.backMs);
  return probe.skewOf({ probe: number, heldMs: times.heldMs, wallMs });
};

it.each([
  [0, 5, 10_000, 5],
  [61_000, 5, 10_000, 5],
  [-3_600_000, 0, 10_000, 0],
  [7_000, 900, 10_000, 20],
  [7_000, 20, 10_000, 900],
  [-400, 0, 0, 3_000],
])(
  'finds the skew to within half of the round trip: %d ms ahead, ways of %d and %d + %d ms',
  async (aheadMs, thereMs, heldMs, backMs) => {
    const skew = await measure({ aheadMs, thereMs, heldMs, backMs });
    expect(skew?.boundMs).toBe((thereMs + backMs) / 2);
    expect(Math.abs((skew?.skewMs ?? 0) - aheadMs)).toBeLessThanOrEqual(skew?.boundMs ?? 0);
  },
);

it('is not misled by our own clock being set while a probe is on its way', async () => {
  const clock = new ManualClock(Date.UTC(2026, 0, 1));
  const probe = new ClockProbe(clock);
  const number = probe.next();
  clock.setBy(3_600_000);
  await clock.advance(10_010);
  const skew = probe.skewOf({ probe: number, heldMs: 10_000, wallMs: clock.now() });
  expect(skew).toEqual({ skewMs: 5, boundMs: 5 });
});

it.each([
  ['another probe', { probe: 9n, heldMs: 0, wallMs: 0 }],
  ['no probe', undefined],
  ['a time that has not passed', { probe: 1n, heldMs: 20_000, wallMs: 0 }],
  ['a time before it came', { probe: 1n, heldMs: -1, wallMs: 0 }],
  ['no number', { probe: 1n, heldMs: Number.NaN, wallMs: 0 }],
  ['no time', { probe: 1n, heldMs: 0, wallMs: Number.POSITIVE_INFINITY }],
])('takes no measurement from %s', async (_title, reading) => {
  const clock = new ManualClock();
  const probe = new ClockProbe(clock);
  expect(probe.skewOf(reading)).toBeUndefined();
  probe.next();
  await clock.advance(10_000);
  expect(probe.skewOf(reading)).toBeUndefined();
});

it('takes one measurement from a probe, however often an agent answers it', async () => {
  const clock = new ManualClock();
  const probe = new ClockProbe(clock);
  const answer = { probe: probe.next(), heldMs: 10_000, wallMs: 0 };
  await clock.advance(10_000);
  expect(probe.skewOf(answer)).toBeDefined();
  expect(probe.skewOf({ ...answer, wallMs: 5_000_000 })).toBeUndefined();
});

const off = { type: 'ClockSkewed', status: 'True' };
const agrees = { type: 'ClockSkewed', status: 'False' };

it('tells of more than five seconds, by as much as is certain', () => {
  expect(skewCondition(undefined, { skewMs: -61_234, boundMs: 40 }, undefined)).toEqual({
    type: 'ClockSkewed',
    status: 'True',
    reason: 'ClockIsOff',
    message: "the clock of this node is 61 s behind the server's, measured to within 0.1 s",
  });
  expect(skewCondition(agrees, { skewMs: 5_300, boundMs: 200 }, undefined)?.message).toBe(
    "the clock of this node is 5.3 s ahead of the server's, measured to within 0.2 s",
  );
  expect(skewCondition(off, { skewMs: 4_700, boundMs: 200 }, 6_000)).toMatchObject({
    status: 'False',
    message: "the clock of this node is within 5 s of the server's",
  });
});

it.each<[string, Parameters<typeof skewCondition>]>([
  ['it may be more or less', [agrees, { skewMs: 5_100, boundMs: 200 }, undefined]],
  ['it may be less by now', [off, { skewMs: 4_900, boundMs: 200 }, 6_000]],
  ['a slow way says nothing', [undefined, { skewMs: 20_000, boundMs: 16_000 }, undefined]],
  ['it is as it was told', [off, { skewMs: 60_900, boundMs: 10 }, 60_000]],
  ['it still agrees', [agrees, { skewMs: 300, boundMs: 10 }, undefined]],
])('leaves the condition as it is while %s', (_title, given) => {
  expect(skewCondition(...given)).toBeUndefined();
});

it('tells anew of a skew that has grown, and in a new session', () => {
  expect(skewCondition(off, { skewMs: 61_500, boundMs: 10 }, 60_000)?.status).toBe('True');
  expect(skewCondition(off, { skewMs: 60_000, boundMs: 10 }, undefined)?.status).toBe('True');
});
