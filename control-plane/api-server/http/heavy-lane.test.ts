import { HeavyLane, OwnPace } from './heavy-lane';

const NEVER = new AbortController().signal;
const HEAVY = 1_000_000;
const turn = () => new Promise((resolve) => setImmediate(resolve));

it('takes heavy requests one behind another, and light ones at once', async () => {
  const lane = new HeavyLane();
  const order: string[] = [];
  const first = lane.pace(NEVER);
  await first.weigh(HEAVY);
  const second = lane.pace(NEVER);
  const waiting = second.weigh(HEAVY).then(() => order.push('second'));
  using light = lane.pace(NEVER);
  await light.weigh(100);
  await light.pause();
  await turn();
  order.push('first');
  first[Symbol.dispose]();
  await waiting;
  expect(order).toEqual(['first', 'second']);
  // Weighed again, it keeps its turn.
  await second.weigh(HEAVY);
  second[Symbol.dispose]();
  using third = lane.pace(NEVER);
  await third.weigh(HEAVY);
});

it('passes over a caller that has gone while it waited', async () => {
  const lane = new HeavyLane();
  const first = lane.pace(NEVER);
  await first.weigh(HEAVY);
  const gone = new AbortController();
  const second = lane.pace(gone.signal).weigh(HEAVY);
  const third = lane.pace(NEVER).weigh(HEAVY);
  gone.abort();
  first[Symbol.dispose]();
  await expect(second).rejects.toMatchObject({ reason: 'ServiceUnavailable' });
  await third;
});

it('bounds how many wait', async () => {
  const lane = new HeavyLane();
  const attempts = Array.from({ length: 40 }, async () => {
    using pace = lane.pace(NEVER);
    await pace.weigh(HEAVY);
    await turn();
  });
  const outcomes = await Promise.allSettled(attempts);
  const refused = outcomes.filter(({ status }) => status === 'rejected');
  expect(refused).toHaveLength(7);
  expect(refused[0]).toMatchObject({
    reason: { reason: 'TooManyRequests', details: { retryAfterSeconds: 1 } },
  });
});

it('lets nobody wait for all that another has sent', async () => {
  const lane = new HeavyLane();
  const first = lane.pace(NEVER, 'a');
  await first.weigh(HEAVY);
  const order: string[] = [];
  const send = async (sharer: string) => {
    using pace = lane.pace(NEVER, sharer);
    await pace.weigh(HEAVY);
    order.push(sharer);
  };
  const many = Array.from({ length: 40 }, () => send('a'));
  const sent = Promise.allSettled(many);
  const other = send('b');
  first[Symbol.dispose]();
  await other;
  expect(order.slice(0, 2)).toEqual(['a', 'b']);
  const refused = (await sent).filter(({ status }) => status === 'rejected');
  expect(refused).toHaveLength(8);
});

it('lets others go on while one waits for somebody, and has it back after them', async () => {
  const lane = new HeavyLane();
  const order: string[] = [];
  const first = lane.pace(NEVER, 'a');
  await first.weigh(HEAVY);
  let answer = (): void => undefined;
  const waiting = first
    .aside(async () => {
      await new Promise<void>((resolve) => (answer = resolve));
      order.push('answered');
    })
    .then(() => order.push('first again'));
  const second = lane.pace(NEVER, 'b');
  await second.weigh(HEAVY);
  order.push('second');
  answer();
  await turn();
  second[Symbol.dispose]();
  await waiting;
  expect(order).toEqual(['second', 'answered', 'first again']);
  first[Symbol.dispose]();
  const third = lane.pace(NEVER);
  await third.weigh(HEAVY);
  third[Symbol.dispose]();
});

it('has it back when what was waited for fails', async () => {
  const lane = new HeavyLane();
  const pace = lane.pace(NEVER);
  await pace.weigh(HEAVY);
  await expect(pace.aside(() => Promise.reject(new Error('down')))).rejects.toThrow('down');
  pace[Symbol.dispose]();
  using next = lane.pace(NEVER);
  await next.weigh(HEAVY);
});

it('lets others run between the steps of a component of the server, but never makes it wait', async () => {
  const order: string[] = [];
  const work = async (name: string, bytes: number) => {
    const pace = new OwnPace();
    await pace.weigh(bytes);
    order.push(`${name} begins`);
    await pace.pause();
    order.push(`${name} ends`);
  };
  await Promise.all([work('heavy', HEAVY), work('other', HEAVY), work('light', 100)]);
  expect(order).toEqual([
    ...['heavy begins', 'other begins', 'light begins'],
    ...['light ends', 'heavy ends', 'other ends'],
  ]);
});
