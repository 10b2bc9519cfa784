import type { ClientRequest, IncomingMessage } from 'node:http';
import { TLSSocket } from 'node:tls';
import type { Clock } from '../../lib/clock';

/** The server could not be reached, or the connection broke. */
export class ConnectionError extends Error {
  override readonly name = 'ConnectionError';

  /** There is no way to the server: unlike a broken connection, the next moment will not change it. */
  get isUnreachable(): boolean {
    return isUnreachable(this.cause);
  }
}

export const connectionError = (url: URL, error: unknown): ConnectionError =>
  new ConnectionError(`${url.origin}: ${wordsOf(error)}`, { cause: error });

/** Resolves once bytes can be sent, or an answer has come. */
export const connected = async (
  outgoing: ClientRequest,
  responded: Promise<unknown>,
): Promise<void> => {
  const opened = new Promise<void>((resolve) => {
    outgoing.once('socket', (socket) => {
      if (!socket.connecting && !(socket instanceof TLSSocket)) resolve();
      else socket.once(socket instanceof TLSSocket ? 'secureConnect' : 'connect', () => resolve());
    });
  });
  // A request that has no body is sent when it ends, and connects all the same before.
  await Promise.race([opened, responded]);
};

/** Something that ends when it is destroyed, and how long it may take. */
export interface Wait {
  readonly stream: { destroy(error: Error): unknown };
  readonly limitMs: number;
  readonly clock: Clock;
  readonly lateError: (limit: string) => Error;
}

/** What `work` gives, unless it takes too long: then the stream is destroyed, which must end it. */
export const within = async <T>(
  { stream, limitMs, clock, lateError }: Wait,
  work: () => Promise<T>,
): Promise<T> => {
  const done = new AbortController();
  const giveUp = async (): Promise<void> => {
    await clock.sleep(limitMs, done.signal);
    await turnOfEvents();
    if (!done.signal.aborted) stream.destroy(lateError(`within ${limitMs / 1000} s`));
  };
  void giveUp();
  try {
    return await work();
  } finally {
    done.abort();
  }
};

/** After a stall of this process timers come first: what the server has sent is seen only then. */
const turnOfEvents = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

export const noConnection = (limit: string): Error =>
  Object.assign(new Error(`no connection ${limit}`), { code: 'ETIMEDOUT', syscall: 'connect' });

/** Destroys a body that comes too slowly to be of use. What waits for its reader is not slow. */
export const watchProgress = (
  body: IncomingMessage,
  clock: Clock,
  { progressMs, progressBytes }: { readonly progressMs: number; readonly progressBytes: number },
): void => {
  const ended = new AbortController();
  body.once('close', () => ended.abort());
  const watch = async (): Promise<void> => {
    for (let before = body.socket.bytesRead; ; before = body.socket.bytesRead) {
      await clock.sleep(progressMs, ended.signal);
      await turnOfEvents();
      if (ended.signal.aborted) return;
      const receivedBytes = body.socket.bytesRead - before;
      if (receivedBytes >= progressBytes || body.readableLength > 0) continue;
      const what = `no progress: ${receivedBytes} bytes in ${progressMs / 1000} s`;
      body.destroy(new Error(what));
      return;
    }
  };
  void watch();
};

/** What a system error may have; not all are of this realm's `Error`. */
interface Described {
  readonly message?: unknown;
  readonly code?: unknown;
  readonly syscall?: unknown;
  /** Node tries all addresses of a name and tells of them in one error without words. */
  readonly errors?: readonly unknown[];
}

const described = (error: unknown): Described =>
  typeof error === 'object' && error !== null ? error : { message: String(error) };

const wordsOf = (error: unknown): string => {
  const { message, errors = [] } = described(error);
  if (typeof message === 'string' && message !== '') return message;
  return [...new Set(errors.map(wordsOf))].join(', ') || String(error);
};

const isUnreachable = (error: unknown): boolean => {
  const { code, syscall, errors = [] } = described(error);
  if (errors.length > 0) return errors.every(isUnreachable);
  return NO_WAY.has(code) || (code === 'ETIMEDOUT' && syscall === 'connect');
};

const NO_WAY: ReadonlySet<unknown> = new Set([
  'EAI_AGAIN',
  'ENOTFOUND',
  'ENETUNREACH',
  'EHOSTUNREACH',
]);
