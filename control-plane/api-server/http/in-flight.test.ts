import fc from 'fast-check';
import { onAbort } from '../../../lib/async/on-abort';
import { ManualClock } from '../../../lib/clock';
import { FairPlaces, type InFlightCaller } from './fair-places';
import { ByteBudget, InFlightLimit } from './in-flight';

const REFUSAL = {
  reason: 'TooManyRequests',
  message: 'Too many requests, please try again later.',
  details: { retryAfterSeconds: 1 },
};
const ANYONE: InFlightCaller = { sharer: undefined, isUrgent: false };
const of = (sharer: string, seats = 1): InFlightCaller => ({ sharer, isUrgent: false, seats });
const alive = () => new AbortController().signal;
const settle = () => new Promise((resolve) => setImmediate(resolve));

const setUp = (max: number) => {
  const clock = new ManualClock();
  const places = new FairPlaces(max, clock);
  const served: string[] = [];
  /** Enters, and is listed when it is served. */
  const ask = async (name: string, caller: InFlightCaller, signal = alive()) => {
    const place = await places.enter(caller, signal);
    served.push(name);
    return place;
  };
  return { clock, places, served, ask };
};

it('counts what reads apart from what writes', async () => {
  const limit = new InFlightLimit(new ManualClock(), { readonly: 1, mutating: 1 });
  await limit.enter('readonly', ANYONE, alive());
  await limit.enter('mutating', ANYONE, alive());
});

it('serves so many, lets others wait, and the urgent in beyond', async () => {
  const { served, ask } = setUp(2);
  const first = await ask('a', ANYONE);
  await ask('b', ANYONE);
  const waiting = ask('c', ANYONE);
  await settle();
  expect(served).toEqual(['a', 'b']);
  await ask('urgent', { ...ANYONE, isUrgent: true });
  first[Symbol.dispose]();
  first[Symbol.dispose]();
  await settle();
  // The urgent one has taken the place that was left.
  expect(served).toEqual(['a', 'b', 'urgent']);
  void waiting.catch(() => undefined);
});

it('serves of one sharer no more than half, and others at once', async () => {
  const { served, ask } = setUp(4);
  const place = await ask('a1', of('a'));
  await ask('a2', of('a'));
  void ask('a3', of('a'));
  void ask('a4', { ...of('a'), isUrgent: true });
  await ask('b1', of('b'));
  expect(served).toEqual(['a1', 'a2', 'b1']);
  place[Symbol.dispose]();
  await settle();
  expect(served).toEqual(['a1', 'a2', 'b1', 'a4']);
});

it('lets whoever has least go first, however many another has waiting', async () => {
  const { served, ask } = setUp(2);
  const first = await ask('a1', of('a'));
  const second = await ask('b1', of('b'));
  for (let i = 2; i < 40; i++) void ask(`a${i}`, of('a')).catch(() => undefined);
  void ask('c1', of('c'));
  first[Symbol.dispose]();
  second[Symbol.dispose]();
  await settle();
  expect(served.slice(2)).toEqual(['a2', 'c1']);
});

it('keeps the turn of one that needs more room', async () => {
  const { served, ask } = setUp(8);
  const places = await Promise.all(['a', 'b', 'c'].map((name) => ask(name, of(name, 2))));
  void ask('large', of('d', 4));
  void ask('small', of('e'));
  await settle();
  expect(served).toEqual(['a', 'b', 'c']);
  for (const place of places) place[Symbol.dispose]();
  await settle();
  expect(served).toEqual(['a', 'b', 'c', 'large', 'small']);
});

it('refuses who has waited for too long, and who has too many waiting', async () => {
  const { clock, ask } = setUp(2);
  await ask('a', of('a'));
  const waiting = Array.from({ length: 50 }, () => ask('more', of('a')));
  const refused = Promise.allSettled(waiting);
  await expect(ask('too many', of('a'))).rejects.toMatchObject(REFUSAL);
  await clock.advance(15_000);
  for (const each of await refused) expect(each).toMatchObject({ reason: REFUSAL });
});

it('forgets who goes away', async () => {
  const { served, ask } = setUp(2);
  const first = await ask('a', of('a'));
  const gone = new AbortController();
  const leaving = ask('gone', of('a'), gone.signal);
  const staying = ask('stays', of('a'));
  gone.abort();
  await expect(leaving).rejects.toMatchObject({ reason: 'ServiceUnavailable' });
  first[Symbol.dispose]();
  await staying;
  expect(served).toEqual(['a', 'stays']);
});

it('never serves more than there is room for, and in the end everyone', async () => {
  const request = fc.record({
    sharer: fc.constantFrom('a', 'b', 'c', undefined),
    seats: fc.integer({ min: 1, max: 12 }),
    isUrgent: fc.boolean(),
    isLeaving: fc.boolean(),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(request, { maxLength: 40 }), async (requests) => {
      const { places } = setUp(10);
      let plain = 0;
      const running: (() => void)[] = [];
      const all = requests.map(async ({ isLeaving, ...caller }) => {
        const gone = new AbortController();
        const entering = places.enter(caller, gone.signal);
        if (isLeaving) gone.abort();
        try {
          const place = await entering;
          const seats = Math.min(caller.seats, 5);
          plain += seats;
          expect(plain).toBeLessThanOrEqual(110);
          await new Promise<void>((resolve) => running.push(resolve));
          plain -= seats;
          place[Symbol.dispose]();
        } catch (error) {
          expect(error).toMatchObject({ reason: 'ServiceUnavailable' });
          expect(isLeaving).toBe(true);
        }
      });
      const ended: number[] = [];
      all.forEach((each, index) => void each.finally(() => ended.push(index)));
      for (let i = 0; i < 500 && ended.length < all.length; i++) {
        running.shift()?.();
        await settle();
      }
      expect(ended).toHaveLength(all.length);
      await Promise.all(all);
    }),
    { numRuns: 30 },
  );
});

it('bounds the bytes that all hold together', () => {
  const budget = new ByteBudget(100);
  budget.take(60, undefined);
  expect(() => budget.take(41, undefined)).toThrow(expect.objectContaining(REFUSAL));
  budget.take(40, undefined);
  budget.release(60, undefined);
  budget.take(60, undefined);
});

it('lets one sharer hold no more than half of the bytes', () => {
  const budget = new ByteBudget(100);
  budget.take(50, 'a');
  expect(() => budget.take(1, 'a')).toThrow(expect.objectContaining(REFUSAL));
  budget.take(30, 'b');
  budget.release(50, 'a');
  budget.take(20, 'a');
  budget.take(50, undefined);
});

it('gives a place to others while its request waits for somebody', async () => {
  const { served, ask } = setUp(1);
  const place = await ask('a', ANYONE);
  void ask('b', ANYONE);
  let answer = (): void => undefined;
  const waiting = place.aside(() => new Promise<void>((resolve) => (answer = resolve)));
  await settle();
  expect(served).toEqual(['a', 'b']);
  answer();
  await waiting;
  void ask('c', ANYONE);
  place[Symbol.dispose]();
  place[Symbol.dispose]();
  await settle();
  // The place of the first is free again, that of the second is not.
  expect(served).toEqual(['a', 'b']);
});

it('lets no more than some wait without a place', async () => {
  const { served, ask } = setUp(400);
  const stop = new AbortController();
  const wait = async (name: string) => {
    const place = await ask(name, of('a'));
    return place.aside(() => new Promise<void>((resolve) => onAbort(stop.signal, resolve)));
  };
  const many = (count: number) => Array.from({ length: count }, (_, i) => wait(String(i)));
  const without = many(100);
  await settle();
  // A hundred wait without; of the others each keeps its own, up to the half of all.
  const within = many(205);
  await settle();
  expect(served).toHaveLength(300);
  stop.abort();
  await Promise.all([...without, ...within.slice(0, 200)]);
});
