import { onAbort } from './on-abort';
import type { Clock } from '../clock';
import { linkedController } from './linked-controller';

/** How long the other side may take no byte before its stream counts as broken. */
const WRITE_STALL_MS = 30_000;

/** The writable half of a stream of messages. */
export interface MessageSink<T> {
  readonly destroyed: boolean;
  write(message: T): boolean;
  once(event: 'drain' | 'close', listener: () => void): unknown;
  removeListener(event: 'drain' | 'close', listener: () => void): unknown;
}

/** Whoever waits for a stream that has been cancelled would wait until it counts as stalled. */
class StreamClosedError extends Error {
  constructor() {
    super('the stream has been closed');
  }
}

/** The other side has taken nothing for `WRITE_STALL_MS`. */
class WriteStalledError extends Error {
  constructor() {
    super(`the other side has taken no data for ${WRITE_STALL_MS / 1000} s`);
  }
}

/** Writes messages one after another, each once the stream has room again. */
export class MessageWriter<T> {
  private tail: Promise<void> = Promise.resolve();

  constructor(
    private readonly stream: MessageSink<T>,
    private readonly clock: Clock,
    private readonly signal: AbortSignal,
  ) {}

  /** Resolves when the stream has room for more; at once after `signal` aborts. @throws when it cannot be written to */
  write(message: T): Promise<void> {
    const turn = this.tail.then(() => this.writeNow(message));
    this.tail = turn.catch(() => undefined);
    return turn;
  }

  private async writeNow(message: T): Promise<void> {
    if (this.signal.aborted) return;
    this.throwIfClosed();
    if (this.stream.write(message)) return;
    using done = linkedController(this.signal);
    const wake = () => done.abort();
    for (const event of ['drain', 'close'] as const) this.stream.once(event, wake);
    await this.clock.sleep(WRITE_STALL_MS, done.signal);
    for (const event of ['drain', 'close'] as const) this.stream.removeListener(event, wake);
    if (!hasAborted(this.signal)) this.throwIfClosed();
    if (!done.signal.aborted) throw new WriteStalledError();
  }

  private throwIfClosed(): void {
    if (this.stream.destroyed) throw new StreamClosedError();
  }
}

/** The readable half of a stream of messages. */
export interface MessageSource<T> {
  read(): T | null;
  on(event: 'readable' | 'end' | 'close', listener: () => void): unknown;
  on(event: 'error', listener: (error: Error) => void): unknown;
}

/**
 * Messages as they arrive, read as they are asked for. Neither the end of the other side's half nor an
 * error closes this side's half. Node's own iterator destroys a stream that has had an error: what was
 * still to be written, with gRPC the status that says how the call ended, was then lost.
 */
export const messagesOf = <T>(stream: MessageSource<T>): AsyncIterator<T, undefined> => {
  let ended: { readonly error?: Error } | undefined;
  let waiting: (() => void)[] = [];
  const wake = () => {
    for (const resolve of waiting) resolve();
    waiting = [];
  };
  const end = (how: { readonly error?: Error }) => {
    ended ??= how;
    wake();
  };
  stream.on('readable', wake);
  stream.on('end', () => end({}));
  stream.on('error', (error) => end({ error }));
  stream.on('close', () => end({ error: new Error('the stream was closed') }));
  return {
    next: async () => {
      for (;;) {
        const value = stream.read();
        if (value !== null) return { done: false, value };
        if (ended?.error !== undefined) throw ended.error;
        if (ended !== undefined) return END;
        await new Promise<void>((resolve) => waiting.push(resolve));
      }
    },
  };
};

/**
 * The next message; the end when `signal` aborts first. Unlike a race with one promise for the whole
 * stream, which would remember every message that it lost to, it leaves nothing behind.
 */
export const nextMessage = async <T>(
  messages: AsyncIterator<T, undefined>,
  signal: AbortSignal,
): Promise<IteratorResult<T, undefined>> => {
  if (signal.aborted) return END;
  let end: () => void = () => undefined;
  const aborted = new Promise<IteratorResult<T, undefined>>((resolve) => {
    end = () => resolve(END);
  });
  onAbort(signal, end);
  try {
    return await Promise.race([messages.next(), aborted]);
  } finally {
    signal.removeEventListener('abort', end);
  }
};

/** The first message, if it comes within `ms`; undefined when it does not, or the stream ends. */
export const firstWithin = async <T>(
  messages: AsyncIterator<T, undefined>,
  ms: number,
  clock: Clock,
): Promise<T | undefined> => {
  const stop = new AbortController();
  const first = await Promise.race([messages.next(), clock.sleep(ms, stop.signal)]);
  stop.abort();
  return first === undefined || first.done === true ? undefined : first.value;
};

// Behind a call, so that the compiler does not take an earlier look for the present one.
const hasAborted = (signal: AbortSignal): boolean => signal.aborted;

const END: IteratorReturnResult<undefined> = { done: true, value: undefined };
