import { onAbort } from './on-abort';
import type { Clock } from '../clock';

export interface SemaphoreOptions {
  /**
   * A permit held longer than this is lent to the next: the limit is there to spare the machine, and
   * what is stuck does not use it. Without, a holder keeps its permit until it is done.
   */
  readonly holdMaxMs: number;
  readonly clock: Clock;
}

/** At most `permits` holders at once; waiters are served in order. */
export class Semaphore {
  private readonly waiting: (() => void)[] = [];

  constructor(
    private permits: number,
    private readonly options?: SemaphoreOptions,
  ) {}

  /** Runs `work` with a permit. @throws the reason of `signal` when it aborts before there is one. */
  async use<T>(work: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    await this.acquire(signal);
    const giveBack = this.holding();
    try {
      return await work();
    } finally {
      giveBack();
    }
  }

  private async acquire(signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted();
    if (this.permits > 0) {
      this.permits--;
      return;
    }
    await new Promise<void>((resolve, reject) => {
      const take = () => {
        signal?.removeEventListener('abort', leave);
        resolve();
      };
      const leave = () => {
        this.waiting.splice(this.waiting.indexOf(take), 1);
        reject(signal?.reason instanceof Error ? signal.reason : new Error('aborted'));
      };
      this.waiting.push(take);
      onAbort(signal, leave);
    });
  }

  /** Returns what gives the permit back, which happens once, at the latest after `holdMaxMs`. */
  private holding(): () => void {
    let isHeld = true;
    const giveBack = () => {
      if (!isHeld) return;
      isHeld = false;
      callOff?.();
      this.release();
    };
    const callOff = this.options?.clock.after(this.options.holdMaxMs, giveBack);
    return giveBack;
  }

  private release(): void {
    const next = this.waiting.shift();
    if (next === undefined) this.permits++;
    else next();
  }
}
