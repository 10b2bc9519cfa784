import type { ServerResponse } from 'node:http';
import { Writable } from 'node:stream';
import { send } from './send';
import { UnreadBytes } from './unread-bytes';

/** A response whose peer never reads. */
class UnreadResponse extends Writable {
  statusCode = 0;
  setHeader = () => this;
  flushHeaders = () => undefined;
  override _write(): void {
    // Nobody takes it.
  }
}

it('takes no more of a long answer than a little, while nobody reads it', async () => {
  const response = new UnreadResponse();
  const gone = new AbortController();
  let bytes = 0;
  async function* pieces() {
    for (let i = 0; i < 100; i++) {
      bytes += 128 * 1024;
      yield Buffer.alloc(128 * 1024);
      await new Promise((resolve) => setImmediate(resolve));
    }
    gone.abort();
  }
  const answer = { status: 200, body: pieces() };
  const options = { omitsBody: false, signal: gone.signal, unread: new UnreadBytes(1e9) };
  const sent = send(response as unknown as ServerResponse, answer, options);
  for (let i = 0; i < 300; i++) await new Promise((resolve) => setImmediate(resolve));
  expect(bytes).toBeLessThanOrEqual(512 * 1024);
  gone.abort();
  await sent;
  expect(response.destroyed).toBe(true);
});

describe('what nobody reads', () => {
  let nowMs = 0;
  const clock = { monotonicMs: () => nowMs };
  const budget = (maxBytes: number) => new UnreadBytes(maxBytes, clock);
  const hold = (unread: UnreadBytes, count: number, bytes: number) =>
    Array.from({ length: count }, () => {
      const response = new UnreadResponse() as unknown as ServerResponse;
      response.write(Buffer.alloc(bytes));
      unread.note(response);
      return response;
    });
  const cut = (responses: readonly ServerResponse[]) =>
    responses.filter(({ destroyed }) => destroyed).length;

  it('is bounded over all answers: who has waited for longest is cut off', () => {
    const unread = budget(1_000_000);
    const stalled = hold(unread, 100, 100_000);
    expect(cut(stalled)).toBe(0);
    nowMs += 3_000;
    hold(unread, 1, 100_000);
    expect(cut(stalled)).toBe(91);
    expect(cut(stalled.slice(91))).toBe(0);
  });

  it('is left to a burst of news, which finds all behind for a moment', () => {
    const unread = budget(1_000_000);
    for (let i = 0; i < 10; i++) {
      nowMs += 100;
      expect(cut(hold(unread, 10, 100_000))).toBe(0);
    }
  });

  it('is not counted when it is little', () => {
    expect(cut(hold(budget(10_000), 100, 1_000))).toBe(0);
  });

  it('leaves alone one answer that is larger than all may hold', () => {
    expect(cut(hold(budget(10_000), 1, 100_000))).toBe(0);
  });

  it('spares those that go on reading', () => {
    const unread = budget(1_000_000);
    const [reading, ...others] = hold(unread, 5, 100_000);
    nowMs += 3_000;
    reading?.emit('drain');
    const late = hold(unread, 9, 100_000);
    expect(reading?.destroyed).toBe(false);
    expect(cut(others)).toBe(4);
    expect(cut(late)).toBe(0);
  });
});
