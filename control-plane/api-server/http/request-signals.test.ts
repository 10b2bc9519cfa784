import { RequestSignals } from './request-signals';

it('ends one request without the others', () => {
  const signals = new RequestSignals();
  const [one, other] = [signals.begin(), signals.begin()];
  signals.end(one);
  signals.end(one);
  expect([one.signal.aborted, other.signal.aborted]).toEqual([true, false]);
  expect(one.signal.reason).toMatchObject({ name: 'AbortError' });
});

it('ends all requests when the server stops, those that come later at once', () => {
  const signals = new RequestSignals();
  const early = signals.begin();
  signals.stop();
  expect(signals.isStopped).toBe(true);
  expect(early.signal.aborted).toBe(true);
  expect(signals.begin().signal.aborted).toBe(true);
});
