import { RoundPacer } from './round-pacer';
import type { Clock } from '../clock';

/** A clock that moves when told to, and tells what it was asked for. */
const makeClock = () => {
  let nowMs = 0;
  const delays: number[] = [];
  const calls: (() => void)[] = [];
  const clock = {
    monotonicMs: () => nowMs,
    after: (ms: number, call: () => void) => {
      delays.push(ms);
      calls.push(call);
      return () => undefined;
    },
  } as unknown as Clock;
  const pass = (ms: number) => {
    nowMs += ms;
    for (const call of calls.splice(0)) call();
  };
  return { clock, delays, pass, work: (ms: number) => void (nowMs += ms) };
};

const turnOfLoop = () => new Promise((resolve) => setImmediate(resolve));

it('gives turns at once while they are short', async () => {
  const { clock, delays } = makeClock();
  const pacer = new RoundPacer(clock);
  for (let i = 0; i < 5; i++) {
    await pacer.turn();
    await turnOfLoop();
  }
  expect(delays).toEqual([]);
});

it('rests for twice as long as a round took, and lets all go together', async () => {
  const { clock, delays, pass, work } = makeClock();
  const pacer = new RoundPacer(clock);
  await pacer.turn().then(() => work(10));
  await turnOfLoop();
  const order: string[] = [];
  const first = pacer.turn().then(() => order.push('first'));
  const second = pacer.turn().then(() => order.push('second'));
  await turnOfLoop();
  expect(order).toEqual([]);
  expect(delays).toEqual([20]);
  pass(20);
  await Promise.all([first, second]);
  expect(order).toEqual(['first', 'second']);
});

it('rests no longer than a tenth of a second', async () => {
  const { clock, delays, pass, work } = makeClock();
  const pacer = new RoundPacer(clock);
  await pacer.turn().then(() => work(5_000));
  await turnOfLoop();
  const late = pacer.turn();
  expect(delays).toEqual([100]);
  pass(100);
  await late;
});
