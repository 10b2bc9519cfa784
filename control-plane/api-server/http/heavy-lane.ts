import { ApiError } from '../../../api/errors';

/** How a request that may turn out heavy keeps out of the others' way. Dispose of it at the end. */
export interface Pace extends Disposable {
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
 * wait for one step of one of them at most, and one set of copies is in memory at a time.
 */
export class HeavyLane {
  private holder: Pace | undefined;
  private readonly waiting: (() => void)[] = [];

  pace(signal: AbortSignal): Pace {
    const pace: Pace = {
      weigh: async (bytes) => {
        if (bytes > HEAVY_BYTES && this.holder !== pace) await this.enter(pace, signal);
      },
      pause: async () => {
        if (this.holder === pace) await new Promise((resolve) => setImmediate(resolve));
      },
      [Symbol.dispose]: () => {
        if (this.holder === pace) this.leave();
      },
    };
    return pace;
  }

  private async enter(pace: Pace, signal: AbortSignal): Promise<void> {
    if (this.waiting.length >= WAITING_MAX)
      throw new ApiError('TooManyRequests', 'too many large requests, please try again later', {
        details: { retryAfterSeconds: 1 },
      });
    while (this.holder !== undefined)
      await new Promise<void>((resolve) => this.waiting.push(resolve));
    this.holder = pace;
    // Its caller has gone, and with it whoever would dispose of it late.
    if (signal.aborted) {
      this.leave();
      throw new ApiError('ServiceUnavailable', 'the request was given up');
    }
  }

  private leave(): void {
    this.holder = undefined;
    this.waiting.shift()?.();
  }
}

/** About 5 ms of work. Nearly every object is smaller. */
const HEAVY_BYTES = 32 * 1024;
/** Each holds a body of up to 3 MB. */
const WAITING_MAX = 32;
