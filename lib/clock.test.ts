import { rfc3339, rfc3339Micro, systemClock } from './clock';

it.each([
  [0, '1970-01-01T00:00:00Z'],
  [2 ** 63 * 1000, '9999-12-31T23:59:59Z'],
  [-(2 ** 63) * 1000, '0000-01-01T00:00:00Z'],
])('writes %d ms as %s: any number is some time of four-digit years', (ms, text) => {
  expect(rfc3339(ms)).toBe(text);
  expect(rfc3339Micro(ms)).toHaveLength('1970-01-01T00:00:00.000000Z'.length);
});

it.each([2 ** 31, 2 ** 40, Number(2n ** 63n), Infinity])(
  'sleeps for %d ms, more than a timer holds, until it is woken',
  async (ms) => {
    const wake = new AbortController();
    let isAwake = false;
    const sleeping = systemClock.sleep(ms, wake.signal).then(() => (isAwake = true));
    // A timer that overflows fires after a millisecond, before this one.
    await systemClock.sleep(5);
    expect(isAwake).toBe(false);
    wake.abort();
    await sleeping;
  },
);

it('sleeps on where a timer ends', async () => {
  jest.useFakeTimers();
  try {
    let isAwake = false;
    const sleeping = systemClock.sleep(2 ** 31 + 10).then(() => (isAwake = true));
    await jest.advanceTimersByTimeAsync(2 ** 31);
    expect(isAwake).toBe(false);
    await jest.advanceTimersByTimeAsync(10);
    await sleeping;
  } finally {
    jest.useRealTimers();
  }
});
