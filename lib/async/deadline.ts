import { onAbort } from './on-abort';
import type { Clock } from '../clock';
import { linkedController } from './linked-controller';

/** Something did not end within the time it has. */
export class DeadlineExceededError extends Error {
  constructor(
    readonly what: string,
    readonly limitMs: number,
  ) {
    super(`${what} did not end within ${limitMs / 1000} s`);
    this.name = 'DeadlineExceededError';
  }
}

/** How long a wait may last, and what else ends it. */
export interface Deadline {
  /** For the error: `the start of container "web"`. */
  readonly what: string;
  readonly limitMs: number;
  readonly clock: Clock;
  /** Ends the wait at once, with its reason. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * The result of `work`, which is told by its signal when nobody waits for it any more and then must
 * let go of what it holds. The caller never waits longer than the deadline, whether or not it does.
 * @throws DeadlineExceededError, the reason of `signal`, or what `work` throws.
 */
export const withDeadline = async <T>(
  { what, limitMs, clock, signal }: Deadline,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> => {
  signal?.throwIfAborted();
  using stop = signal === undefined ? linkedController() : linkedController(signal);
  const stopped = new Promise<never>((_resolve, reject) => {
    onAbort(stop.signal, () => reject(asError(stop.signal.reason)));
  });
  const callOff = clock.after(limitMs, () => stop.abort(new DeadlineExceededError(what, limitMs)));
  try {
    const working = work(stop.signal);
    // What fails after its deadline has nobody left to tell.
    working.catch(() => undefined);
    return await Promise.race([working, stopped]);
  } finally {
    callOff();
  }
};

/** A state that others change, and those who wait for it. Every wait has a deadline. */
export class Condition {
  private readonly waiters = new Set<() => void>();

  /** Has everybody look again. */
  notify(): void {
    for (const look of this.waiters) look();
  }

  /**
   * Resolves once `holds` at a `notify`, at once if it does already. There are several waits in each
   * start of a container, so they make no signal of their own.
   * @throws as `withDeadline`
   */
  async until(holds: () => boolean, { what, limitMs, clock, signal }: Deadline): Promise<void> {
    if (holds()) return;
    signal?.throwIfAborted();
    await new Promise<void>((resolve, reject) => {
      const leave = () => {
        this.waiters.delete(look);
        callOff();
        forget();
      };
      const look = () => {
        if (!holds()) return;
        leave();
        resolve();
      };
      const fail = (error: Error) => {
        leave();
        reject(error);
      };
      this.waiters.add(look);
      const callOff = clock.after(limitMs, () => fail(new DeadlineExceededError(what, limitMs)));
      const forget = onAbort(signal, () => fail(asError(signal?.reason)));
    });
  }
}

const asError = (reason: unknown): Error =>
  reason instanceof Error ? reason : new Error(String(reason));
