import { ManualClock } from '../clock';
import { Semaphore } from './semaphore';

const forever = () => new Promise<never>(() => undefined);

it('lets in no more than it has permits, in order', async () => {
  const semaphore = new Semaphore(2);
  const begun: number[] = [];
  const ends: (() => void)[] = [];
  const uses = [0, 1, 2, 3].map((index) =>
    semaphore.use(() => {
      begun.push(index);
      return new Promise<void>((resolve) => (ends[index] = resolve));
    }),
  );
  await Promise.resolve();
  expect(begun).toEqual([0, 1]);
  ends[1]?.();
  await uses[1];
  await new Promise(setImmediate);
  expect(begun).toEqual([0, 1, 2]);
  ends[0]?.();
  await uses[0];
  await new Promise(setImmediate);
  for (const end of ends) end();
  await Promise.all(uses);
  expect(begun).toEqual([0, 1, 2, 3]);
});

it('lends the permit of what is stuck, and takes it back once', async () => {
  const clock = new ManualClock();
  const semaphore = new Semaphore(1, { holdMaxMs: 2000, clock });
  let end: () => void = () => undefined;
  const stuck = semaphore.use(() => new Promise<void>((resolve) => (end = resolve)));
  const second = semaphore.use(() => Promise.resolve('ran'));
  await clock.advance(2000);
  expect(await second).toBe('ran');
  end();
  await stuck;
  // The permit came back once: of two more, one waits.
  const begun: number[] = [];
  for (const index of [1, 2])
    void semaphore.use(() => {
      begun.push(index);
      return forever();
    });
  await clock.advance(1);
  expect(begun).toEqual([1]);
});

it('does not keep one waiting whose signal aborts, nor give it a permit', async () => {
  const semaphore = new Semaphore(1);
  let end: () => void = () => undefined;
  const holder = semaphore.use(() => new Promise<void>((resolve) => (end = resolve)));
  const stop = new AbortController();
  const leaving = semaphore.use(forever, stop.signal);
  const next = semaphore.use(() => Promise.resolve('ran'));
  stop.abort(new Error('gone'));
  await expect(leaving).rejects.toThrow('gone');
  end();
  await holder;
  expect(await next).toBe('ran');
  await expect(semaphore.use(forever, stop.signal)).rejects.toThrow('gone');
});
