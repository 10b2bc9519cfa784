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
  const done = new AbortController();
  const stopped = new Promise<never>((_resolve, reject) => {
    const fail = () => reject(asError(stop.signal.reason));
    onAbort(stop.signal, fail);
  });
  void clock.sleep(limitMs, done.signal).then(() => {
    if (!done.signal.aborted) stop.abort(new DeadlineExceededError(what, limitMs));
  });
  try {
    const working = work(stop.signal);
    // What fails after its deadline has nobody left to tell.
    working.catch(() => undefined);
    return await Promise.race([working, stopped]);
  } finally {
    done.abort();
  }
};

/** A state that others change, and those who wait for it. Every wait has a deadline. */
export class Condition {
  private waiters = new Set<() => void>();

  /** Has everybody look again. */
  notify(): void {
    const { waiters } = this;
    this.waiters = new Set();
    for (const wake of waiters) wake();
  }

  /** Resolves once `holds`, at once if it does already. @throws as `withDeadline` */
  async until(holds: () => boolean, deadline: Deadline): Promise<void> {
    if (holds()) return;
    await withDeadline(deadline, async (signal) => {
      while (!holds() && !signal.aborted) await this.next(signal);
    });
  }

  private next(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const wake = () => {
        this.waiters.delete(wake);
        signal.removeEventListener('abort', wake);
        resolve();
      };
      this.waiters.add(wake);
      onAbort(signal, wake);
    });
  }
}

const asError = (reason: unknown): Error =>
  reason instanceof Error ? reason : new Error(String(reason));
