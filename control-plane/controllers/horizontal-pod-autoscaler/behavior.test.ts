import fc from 'fast-check';

import { memoryMs, normalize, type NormalizeInput } from './behavior';
import { firstHistory, recommended, rescaled, type History } from './history';

type Behavior = NonNullable<NormalizeInput['behavior']>;
type Rules = NonNullable<Behavior['scaleUp']>;

const FREE: Rules = {
  stabilizationWindowSeconds: 0,
  selectPolicy: 'Max',
  policies: [{ type: 'Percent', value: 1000, periodSeconds: 15 }],
};
const rules = (up: Partial<Rules> = {}, down: Partial<Rules> = {}): Behavior => ({
  scaleUp: { ...FREE, ...up },
  scaleDown: { ...FREE, policies: [{ type: 'Percent', value: 100, periodSeconds: 15 }], ...down },
});
const pods = (value: number, periodSeconds = 60) => ({ type: 'Pods', value, periodSeconds });
const percent = (value: number, periodSeconds = 60) => ({ type: 'Percent', value, periodSeconds });

const NOTHING: History = { recommendations: [], added: [], removed: [] };

const normal = (more: Partial<NormalizeInput>) =>
  normalize({
    ...{ desired: 5, current: 5, min: 1, max: 100, behavior: undefined, history: NOTHING },
    nowMs: 1_000_000,
    ...more,
  });

const secondsAgo = (seconds: number, replicas: number) => ({
  ...{ replicas, atMs: 1_000_000 - seconds * 1000 },
});

describe('without rules', () => {
  it('is the highest of the last five minutes kept', () => {
    const recommendations = [secondsAgo(301, 9), secondsAgo(299, 7), secondsAgo(10, 3)];
    expect(normal({ desired: 2, history: { ...NOTHING, recommendations } })).toEqual({
      replicas: 7,
      ability: {
        reason: 'ScaleDownStabilized',
        message:
          'recent recommendations were higher than current one, applying the highest recent recommendation',
      },
      limit: {
        ...{ isLimited: false, reason: 'DesiredWithinRange' },
        message: 'the desired count is within the acceptable range',
      },
    });
  });

  it.each([
    [1, 50, 4],
    [5, 50, 10],
  ])('%i replicas become twice as many at most, or four', (current, desired, replicas) => {
    expect(normal({ current, desired })).toMatchObject({
      replicas,
      limit: {
        ...{ isLimited: true, reason: 'ScaleUpLimit' },
        message: 'the desired replica count is increasing faster than the maximum scale rate',
      },
    });
  });
});

describe('a window', () => {
  it('keeps replicas from coming until all that was recommended in it wants them', () => {
    const recommendations = [secondsAgo(100, 1), secondsAgo(50, 6), secondsAgo(20, 8)];
    const up = (stabilizationWindowSeconds: number) =>
      normal({
        ...{ desired: 9, history: { ...NOTHING, recommendations } },
        behavior: rules({ stabilizationWindowSeconds }),
      });
    expect(up(60)).toMatchObject({ replicas: 6, ability: { reason: 'ScaleUpStabilized' } });
    expect(up(30).replicas).toBe(8);
    expect(up(0)).toMatchObject({ replicas: 9, ability: { reason: 'ReadyForNewScale' } });
    // Lower than what is there: then it stays.
    expect(up(120).replicas).toBe(5);
  });

  it('keeps replicas from going while something in it wanted them, five minutes unless it says', () => {
    const recommendations = [secondsAgo(200, 4)];
    const down = (more: Partial<Rules>) =>
      normal({
        ...{ desired: 2, history: { ...NOTHING, recommendations } },
        behavior: rules({}, more),
      });
    expect(down({ stabilizationWindowSeconds: 201 })).toMatchObject({
      ...{ replicas: 4, ability: { reason: 'ScaleDownStabilized' } },
    });
    expect(down({ stabilizationWindowSeconds: 199 }).replicas).toBe(2);
    const { stabilizationWindowSeconds: _none, ...unsaid } = rules().scaleDown ?? {};
    const behavior = { ...rules(), scaleDown: unsaid };
    expect(
      normal({ desired: 2, history: { ...NOTHING, recommendations }, behavior }).replicas,
    ).toBe(4);
  });
});

describe('policies', () => {
  const up = (more: Partial<Rules>, history: Partial<History> = {}) =>
    normal({ desired: 50, behavior: rules(more), history: { ...NOTHING, ...history } });
  const down = (more: Partial<Rules>, history: Partial<History> = {}) =>
    normal({
      desired: 1,
      current: 20,
      behavior: rules({}, more),
      history: { ...NOTHING, ...history },
    });

  it('take the largest change unless they say otherwise', () => {
    const policies = [pods(4), percent(200)];
    expect(up({ policies }).replicas).toBe(15);
    expect(up({ policies, selectPolicy: 'Min' }).replicas).toBe(9);
    expect(up({ policies, selectPolicy: 'Disabled' })).toMatchObject({
      ...{ replicas: 5, limit: { isLimited: true, reason: 'ScaleUpLimit' } },
    });
    const less = [pods(4), percent(50)];
    expect(down({ policies: less })).toMatchObject({
      replicas: 10,
      limit: {
        ...{ isLimited: true, reason: 'ScaleDownLimit' },
        message: 'the desired replica count is decreasing faster than the maximum scale rate',
      },
    });
    expect(down({ policies: less, selectPolicy: 'Min' }).replicas).toBe(16);
    expect(down({ policies: less, selectPolicy: 'Disabled' }).replicas).toBe(20);
  });

  it('round a share up when they add, and down when they take away', () => {
    expect(up({ policies: [percent(10)] }).replicas).toBe(6);
    expect(down({ policies: [percent(99)] }).replicas).toBe(1);
  });

  it('count what was changed in their period, both ways', () => {
    const policies = [pods(4)];
    expect(up({ policies }, { added: [secondsAgo(30, 3)] }).replicas).toBe(6);
    expect(up({ policies }, { added: [secondsAgo(70, 3)] }).replicas).toBe(9);
    expect(up({ policies }, { added: [secondsAgo(30, 9)] }).replicas).toBe(5);
    expect(up({ policies }, { removed: [secondsAgo(30, 3)] }).replicas).toBe(12);
    expect(down({ policies }, { removed: [secondsAgo(30, 3)] }).replicas).toBe(19);
    expect(down({ policies }, { added: [secondsAgo(30, 3)] }).replicas).toBe(13);
  });

  const step = fc.record({ seconds: fc.integer({ min: 5, max: 60 }), desired: fc.nat(60) });
  const value = fc.integer({ min: 1, max: 5 });
  const period = fc.integer({ min: 1, max: 120 });

  /** Follows what is desired, step by step; the changes that it makes, with their times. */
  const follow = (
    behavior: Behavior,
    steps: readonly { readonly seconds: number; readonly desired: number }[],
  ) => {
    let [current, nowMs] = [10, 0];
    let history = firstHistory(current, nowMs);
    return steps.map(({ seconds, desired }) => {
      nowMs += seconds * 1000;
      const bounds = { ...{ min: 0, max: 100, current, desired }, behavior, history, nowMs };
      const { replicas } = normalize(bounds);
      history = recommended(history, desired, nowMs, memoryMs(behavior));
      if (replicas !== current) history = rescaled(history, current, replicas, nowMs);
      const made = { atMs: nowMs, before: current, desired, replicas };
      current = replicas;
      return made;
    });
  };

  it.each([0, 60])(
    'never let more change in a period than they say, on the way to %i',
    (desired) => {
      fc.assert(
        fc.property(fc.array(step, { maxLength: 60 }), value, period, (steps, each, seconds) => {
          const policies = [pods(each, seconds)];
          const path = steps.map((one) => ({ ...one, desired }));
          const made = follow(rules({ policies }, { policies }), path);
          for (const { atMs: endMs } of made) {
            const total = made
              .filter(({ atMs }) => atMs <= endMs && atMs > endMs - seconds * 1000)
              .reduce((sum, { before, replicas }) => sum + Math.abs(replicas - before), 0);
            expect(total).toBeLessThanOrEqual(each);
          }
        }),
      );
    },
  );

  it('never lead away from what is wanted, nor beyond it', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), value, period, (steps, each, seconds) => {
        const policies = [pods(each, seconds)];
        for (const { before, desired, replicas } of follow(
          rules({ policies }, { policies }),
          steps,
        )) {
          const [low, high] = [Math.min(before, desired), Math.max(before, desired)];
          expect(replicas).toBeGreaterThanOrEqual(low);
          expect(replicas).toBeLessThanOrEqual(high);
        }
      }),
    );
  });
});

it('keeps no more of the past than the rules look at', () => {
  const behavior = rules({ stabilizationWindowSeconds: 30 }, { stabilizationWindowSeconds: 60 });
  expect(memoryMs(behavior)).toBe(60_000);
  expect(memoryMs(undefined)).toBe(300_000);
  let history = firstHistory(1, 0);
  for (let ms = 0; ms <= 600_000; ms += 15_000) {
    history = recommended(history, 2, ms, memoryMs(behavior));
    history = rescaled(history, 1, 2, ms);
  }
  expect(history.recommendations.length).toBeLessThanOrEqual(6);
  expect(history.added.length).toBeLessThanOrEqual(6);
});
