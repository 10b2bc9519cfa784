import { ApiError } from '../../../api/errors';
import type { Yielding } from './aside';

/** How a request that may turn out heavy keeps out of the others' way. Dispose of it at the end. */
export interface Pace extends Yielding, Disposable {
  /**
   * Tells how many bytes are to be worked on next. Beyond `HEAVY_BYTES` the request waits here for its
   * turn among the heavy ones. @throws TooManyRequests
   */
  weigh(bytes: number): Promise<void>;
  /** Between two steps of the work: a heavy request lets the event loop turn. */
  pause(): Promise<void>;
}

/**
 * Decoding, validating and comparing a large object keeps the only thread for tens of milliseconds a
 * step. Requests that do so go one behind another, and pause between their steps, so that small ones
 * wait for one step of one of them at most, and one set of copies is in memory at a time. Who has
 * several waiting lets everyone else's next go first.
 */
export class HeavyLane {
  private holder: Pace | undefined;
  /** By whose they are, in the order of their turns. */
  private readonly waiting = new Map<string, Waiter[]>();
  private waitingCount = 0;

  /** `sharer`: whose the request is. */
  pace(signal: AbortSignal, sharer = ''): Pace {
    const pace: Pace = {
      weigh: async (bytes) => {
        if (bytes > HEAVY_BYTES && this.holder !== pace) await this.enter(pace, sharer, signal);
      },
      pause: async () => {
        if (this.holder === pace) await new Promise((resolve) => setImmediate(resolve));
      },
      aside: (work) => (this.holder === pace ? this.aside(pace, sharer, work) : work()),
      [Symbol.dispose]: () => {
        if (this.holder === pace) this.leave();
      },
    };
    return pace;
  }

  /** What was let in once is let in again, after those who wait. */
  private async aside<T>(pace: Pace, sharer: string, work: () => Promise<T>): Promise<T> {
    this.leave();
    try {
      return await work();
    } finally {
      if (this.holder === undefined) this.holder = pace;
      else await this.wait(pace, sharer);
    }
  }

  private async enter(pace: Pace, sharer: string, signal: AbortSignal): Promise<void> {
    if (this.holder === undefined) this.holder = pace;
    else await this.turnOf(pace, sharer);
    // Its caller has gone, and with it whoever would dispose of it late.
    if (signal.aborted) {
      this.leave();
      throw new ApiError('ServiceUnavailable', 'the request was given up');
    }
  }

  /** @throws TooManyRequests */
  private turnOf(pace: Pace, sharer: string): Promise<void> {
    const own = this.waiting.get(sharer) ?? [];
    if (own.length >= WAITING_MAX || this.waitingCount >= WAITING_TOTAL_MAX)
      throw new ApiError('TooManyRequests', 'too many large requests, please try again later', {
        details: { retryAfterSeconds: 1 },
      });
    return this.wait(pace, sharer);
  }

  private wait(pace: Pace, sharer: string): Promise<void> {
    const own = this.waiting.get(sharer) ?? [];
    this.waitingCount++;
    this.waiting.set(sharer, own);
    return new Promise((start) => own.push({ pace, start }));
  }

  private leave(): void {
    const next = this.next();
    this.holder = next?.pace;
    next?.start();
  }

  private next(): Waiter | undefined {
    const [first] = this.waiting;
    if (first === undefined) return undefined;
    const [sharer, own] = first;
    const next = own.shift();
    this.waitingCount--;
    this.waiting.delete(sharer);
    if (own.length > 0) this.waiting.set(sharer, own);
    return next;
  }
}

/**
 * Of the server's own components, which wait for nobody: a large object lets others run between the
 * steps of what is done with it.
 */
export class OwnPace implements Pace {
  private isHeavy = false;

  weigh(bytes: number): Promise<void> {
    if (bytes > HEAVY_BYTES) this.isHeavy = true;
    return Promise.resolve();
  }

  async pause(): Promise<void> {
    if (this.isHeavy) await new Promise((resolve) => setImmediate(resolve));
  }

  aside<T>(work: () => Promise<T>): Promise<T> {
    return work();
  }

  [Symbol.dispose](): void {
    // It holds nothing.
  }
}

interface Waiter {
  readonly pace: Pace;
  /** The lane is its own now. */
  readonly start: () => void;
}

/** About 5 ms of work. Nearly every object is smaller. */
const HEAVY_BYTES = 32 * 1024;
/** Of one sharer. The bytes that all hold are bounded where bodies are read. */
const WAITING_MAX = 32;
const WAITING_TOTAL_MAX = 256;
