import { WatchLimit } from './watch-limit';

const NEVER = new AbortController().signal;

it('serves so many, of one user not all, and says when to come again', () => {
  const limit = new WatchLimit(8);
  const places = Array.from({ length: 6 }, () => limit.enter('a', NEVER));
  const refusal = { reason: 'TooManyRequests', details: { retryAfterSeconds: 5 } };
  expect(() => limit.enter('a', NEVER)).toThrow(expect.objectContaining(refusal));
  limit.enter('b', NEVER);
  limit.enter('b', NEVER);
  expect(() => limit.enter('c', NEVER)).toThrow(expect.objectContaining(refusal));
  places[0]?.[Symbol.dispose]();
  places[0]?.[Symbol.dispose]();
  limit.enter('c', NEVER);
  expect(() => limit.enter('d', NEVER)).toThrow(expect.objectContaining(refusal));
});

it('frees the place of a watch whose reader has gone before the first event', () => {
  const limit = new WatchLimit(1);
  for (let i = 0; i < 3; i++) {
    const gone = new AbortController();
    limit.enter('a', gone.signal);
    gone.abort();
    limit.enter('a', AbortSignal.abort());
  }
});

it('counts a long selector as several', () => {
  const limit = new WatchLimit(100);
  const long = limit.enter('a', NEVER, 60 * 512);
  expect(() => limit.enter('a', NEVER, 20 * 512)).toThrow(
    expect.objectContaining({ reason: 'TooManyRequests' }),
  );
  limit.enter('a', NEVER, 10 * 512);
  long[Symbol.dispose]();
  limit.enter('a', NEVER, 20 * 512);
});
