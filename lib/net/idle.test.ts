import { ManualClock } from '../clock';
import { onIdle } from './idle';

const HOUR_MS = 3_600_000;

const setUp = () => {
  const clock = new ManualClock(0);
  const carrier = { bytesRead: 0, bytesWritten: 0 };
  const ends: number[] = [];
  const callOff = onIdle(carrier, HOUR_MS, clock, () => ends.push(clock.monotonicMs()));
  return { clock, carrier, ends, callOff };
};

it('ends once nothing has been carried for as long', async () => {
  const { clock, carrier, ends } = setUp();
  const beganMs = clock.monotonicMs();
  await clock.advance(HOUR_MS / 2);
  carrier.bytesRead += 1;
  await clock.advance(HOUR_MS);
  expect(ends).toEqual([]);
  await clock.advance(HOUR_MS / 4);
  expect(ends).toHaveLength(1);
  expect((ends[0] ?? 0) - beganMs).toBeLessThanOrEqual(HOUR_MS * 1.75);
  await clock.advance(4 * HOUR_MS);
  expect(ends).toHaveLength(1);
});

it('goes on while bytes go either way', async () => {
  const { clock, carrier, ends } = setUp();
  for (let hour = 0; hour < 10; hour++) {
    if (hour % 2 === 0) carrier.bytesWritten += 5;
    else carrier.bytesRead += 5;
    await clock.advance(HOUR_MS * 0.8);
  }
  expect(ends).toEqual([]);
});

it('is called off, and never comes for what does not count', async () => {
  const { clock, ends, callOff } = setUp();
  callOff();
  onIdle({}, HOUR_MS, clock, () => ends.push(0))();
  onIdle({}, HOUR_MS, clock, () => ends.push(0));
  await clock.advance(3 * HOUR_MS);
  expect(ends).toEqual([]);
});
