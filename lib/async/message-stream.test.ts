import { getEventListeners, once } from 'node:events';
import { Duplex, PassThrough } from 'node:stream';

import { ManualClock } from '../clock';
import { firstWithin, messagesOf, MessageWriter, nextMessage } from './message-stream';

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

describe('firstWithin', () => {
  it('gives the first message, or nothing when it is late or does not come', async () => {
    const clock = new ManualClock();
    expect(await firstWithin(stream('a'), 1000, clock)).toBe('a');
    const late = firstWithin(stream(), 1000, clock);
    await clock.advance(1000);
    expect(await late).toBeUndefined();
    const ended = { next: () => Promise.resolve({ done: true as const, value: undefined }) };
    expect(await firstWithin<string>(ended, 1000, clock)).toBeUndefined();
  });
});

describe('MessageWriter', () => {
  const setUp = () => {
    const clock = new ManualClock();
    const stream = new PassThrough({ objectMode: true, highWaterMark: 1 });
    const writer = new MessageWriter<string>(stream, clock, new AbortController().signal);
    return { clock, stream, writer };
  };

  it('waits for room, in turn', async () => {
    const { stream, writer } = setUp();
    const done = Promise.all(['a', 'b', 'c'].map((text) => writer.write(text)));
    expect([await read(stream), await read(stream), await read(stream)]).toEqual(['a', 'b', 'c']);
    await done;
  });

  it('waits for nobody who has gone, before or meanwhile', async () => {
    const { stream, writer } = setUp();
    const waiting = Promise.all(['a', 'b', 'c'].map((text) => writer.write(text)));
    stream.destroy();
    await expect(waiting).rejects.toThrow('the stream has been closed');
    await expect(writer.write('d')).rejects.toThrow('the stream has been closed');
  });

  it('gives one up that takes nothing', async () => {
    const { clock, writer } = setUp();
    const waiting = Promise.all(['a', 'b', 'c', 'd'].map((text) => writer.write(text)));
    const failed = expect(waiting).rejects.toThrow('has taken no data for 30 s');
    for (let round = 0; round < 5; round++) await clock.advance(31_000);
    await failed;
  });
});

const read = async (stream: PassThrough): Promise<unknown> => {
  for (;;) {
    const message: unknown = stream.read();
    if (message !== null) return message;
    await once(stream, 'readable');
  }
};
