import { ManualClock } from '../../lib/clock';
import { SilenceMeter } from './silence-meter';

const TICK_MS = 1000;

const start = () => {
  const clock = new ManualClock();
  const meter = new SilenceMeter(clock, TICK_MS);
  const tick = async (passedMs = TICK_MS) => {
    await clock.advance(passedMs);
    meter.tick();
  };
  return { meter, tick };
};

it('adds up while nothing comes, and starts over with a message', async () => {
  const { meter, tick } = start();
  meter.listen();
  for (let i = 0; i < 5; i++) await tick();
  expect(meter.silentMs).toBe(5 * TICK_MS);
  meter.heard();
  meter.listen();
  await tick();
  expect(meter.silentMs).toBe(TICK_MS);
});

it('does not count the time of our own work on a message', async () => {
  const { meter, tick } = start();
  meter.listen();
  meter.heard();
  for (let i = 0; i < 100; i++) await tick();
  expect(meter.silentMs).toBe(0);
  meter.listen();
  await tick();
  expect(meter.silentMs).toBe(TICK_MS);
});

it('does not count a stall of this process', async () => {
  const { meter, tick } = start();
  meter.listen();
  await tick(60_000);
  expect(meter.silentMs).toBe(1.5 * TICK_MS);
});
