import { Turns } from './turns';

const never = new AbortController().signal;

/** Work that ends when it is told to, and says in `log` when it begins. */
const setUp = () => {
  const turns = new Turns();
  const log: string[] = [];
  const ends: (() => void)[] = [];
  const take = (key: string, name: string, signal = never) =>
    turns.take(
      key,
      async () => {
        log.push(name);
        await new Promise<void>((resolve) => ends.push(resolve));
        return name;
      },
      signal,
    );
  const settle = () => new Promise((resolve) => setImmediate(resolve));
  return { turns, log, ends, take, settle };
};

it('lets one of a key work at a time, in order, and holds up no other key', async () => {
  const { log, ends, take, settle } = setUp();
  const all = [take('a', 'a1'), take('a', 'a2'), take('b', 'b1')];
  await settle();
  expect(log).toEqual(['a1', 'b1']);
  ends.shift()?.();
  await settle();
  expect(log).toEqual(['a1', 'b1', 'a2']);
  for (const end of ends) end();
  expect(await Promise.all(all)).toEqual(['a1', 'a2', 'b1']);
});

it('goes on after work that fails, and without who has gone', async () => {
  const { turns, log, ends, take, settle } = setUp();
  const stop = new AbortController();
  const first = take('a', 'a1');
  const failing = turns.take('a', () => Promise.reject(new Error('broken')), never);
  const leaving = take('a', 'a2', stop.signal);
  const last = take('a', 'a3');
  stop.abort(new Error('gone'));
  await expect(leaving).rejects.toThrow('gone');
  ends.shift()?.();
  await expect(failing).rejects.toThrow('broken');
  await settle();
  expect(log).toEqual(['a1', 'a3']);
  ends.shift()?.();
  expect(await Promise.all([first, last])).toEqual(['a1', 'a3']);
});
