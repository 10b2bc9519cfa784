import { getEventListeners } from 'node:events';
import { Duplex } from 'node:stream';

import { messagesOf, nextMessage } from './message-stream';

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

describe('messagesOf', () => {
  /** A stream whose writes are done when the test says so; `told` is what its end would tell. */
  const slowStream = () => {
    const told: string[] = [];
    let done: () => void = () => undefined;
    const duplex = new Duplex({
      objectMode: true,
      read: () => undefined,
      write: (_message, _encoding, callback) => (done = callback),
      final: (callback) => {
        told.push('the status');
        callback();
      },
    });
    return { duplex, told, finishWrite: () => done() };
  };
  const turn = () => new Promise((resolve) => setImmediate(resolve));

  it('gives what has come, then the end', async () => {
    const { duplex } = slowStream();
    const messages = messagesOf<string>(duplex);
    const first = messages.next();
    for (const piece of ['a', 'b', null]) duplex.push(piece);
    expect(await first).toEqual({ done: false, value: 'a' });
    expect(await messages.next()).toEqual({ done: false, value: 'b' });
    expect(await messages.next()).toEqual({ done: true, value: undefined });
    expect(duplex.writable).toBe(true);
  });

  it('gives what has come before the error, and then that again and again', async () => {
    const { duplex } = slowStream();
    const messages = messagesOf<string>(duplex);
    duplex.push('a');
    await turn();
    duplex.emit('error', new Error('refused'));
    expect(await messages.next()).toEqual({ done: false, value: 'a' });
    await expect(messages.next()).rejects.toThrow('refused');
    await expect(messages.next()).rejects.toThrow('refused');
  });

  it('fails when the stream is destroyed', async () => {
    const { duplex } = slowStream();
    const next = messagesOf<string>(duplex).next();
    duplex.destroy();
    await expect(next).rejects.toThrow('the stream was closed');
  });

  it('leaves a stream that has had an error to say how it ended', async () => {
    const { duplex, told, finishWrite } = slowStream();
    const next = messagesOf<string>(duplex).next();
    duplex.write('under way');
    duplex.emit('error', new Error('the node was deleted'));
    duplex.end();
    await expect(next).rejects.toThrow('the node was deleted');
    await turn();
    finishWrite();
    await turn();
    expect(told).toEqual(['the status']);
  });
});
