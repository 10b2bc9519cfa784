import { authorityStateOf, isDue, nextUntilMs } from './renewal';

const DAY_MS = 86_400_000;
const YEAR_MS = 365 * DAY_MS;
const rule = { lifeMs: YEAR_MS, leftShare: 1 / 3, authorityUntilMs: 10 * YEAR_MS };

it('is due when a third of the life is left, and ever after', () => {
  expect(isDue(YEAR_MS, 0, rule)).toBe(false);
  expect(isDue(YEAR_MS, 240 * DAY_MS, rule)).toBe(false);
  expect(isDue(YEAR_MS, 250 * DAY_MS, rule)).toBe(true);
  expect(isDue(YEAR_MS, 3 * YEAR_MS, rule)).toBe(true);
});

it('is settled by one renewal, whatever the clock says then', () => {
  for (const nowMs of [-YEAR_MS, 0, YEAR_MS, 9.9 * YEAR_MS, 10 * YEAR_MS, 12 * YEAR_MS])
    expect(isDue(nextUntilMs(nowMs, rule), nowMs, rule)).toBe(false);
});

it('lasts when the clock is set back, and comes early when it is set forward', () => {
  expect(isDue(YEAR_MS, -5 * 3_600_000, rule)).toBe(false);
  expect(isDue(YEAR_MS, 243 * DAY_MS + 12 * 3_600_000, rule)).toBe(true);
});

it('gives nothing that outlives the authority, and tries no more then', () => {
  const nowMs = 9.5 * YEAR_MS;
  expect(nextUntilMs(nowMs, rule)).toBe(10 * YEAR_MS);
  expect(isDue(9.6 * YEAR_MS, nowMs, rule)).toBe(true);
  expect(isDue(10 * YEAR_MS, 9.99 * YEAR_MS, rule)).toBe(false);
});

it('tells three months before that the authority ends', () => {
  const life = { fromMs: 0, untilMs: 10 * YEAR_MS };
  expect(authorityStateOf(life, -1)).toBe('early');
  expect(authorityStateOf(life, 0)).toBe('good');
  expect(authorityStateOf(life, life.untilMs - 91 * DAY_MS)).toBe('good');
  expect(authorityStateOf(life, life.untilMs - 89 * DAY_MS)).toBe('ending');
  expect(authorityStateOf(life, life.untilMs)).toBe('ended');
});
