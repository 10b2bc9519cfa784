import { getEventListeners } from 'node:events';
import { nextMessage } from './message-stream';

const stream = async function* (...items: readonly string[]): AsyncGenerator<string, undefined> {
  yield* items;
  await new Promise(() => undefined);
  return undefined;
};

describe('nextMessage', () => {
  it('gives messages in order and leaves no listener behind', async () => {
    const { signal } = new AbortController();
    const messages = stream('a', 'b');
    expect(await nextMessage(messages, signal)).toEqual({ done: false, value: 'a' });
    expect(await nextMessage(messages, signal)).toEqual({ done: false, value: 'b' });
    expect(getEventListeners(signal, 'abort')).toEqual([]);
  });

  it('ends when the signal aborts, before or while it waits', async () => {
    const stop = new AbortController();
    const waiting = nextMessage(stream(), stop.signal);
    stop.abort();
    expect(await waiting).toEqual({ done: true, value: undefined });
    expect(await nextMessage(stream('a'), stop.signal)).toEqual({ done: true, value: undefined });
  });

  it('passes on what breaks the stream', async () => {
    const broken = { next: () => Promise.reject(new Error('cut')) };
    await expect(nextMessage(broken, new AbortController().signal)).rejects.toThrow('cut');
  });
});
