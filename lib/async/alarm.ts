import type { Clock } from '../clock';
import { onAbort } from './on-abort';

/**
 * Has a loop sleep until it is due, or until somebody wakes it. Loops are woken several times in each
 * start of a pod, so that no signal is made for it, whose abortion records a stack.
 */
export class Alarm {
  private readonly sleepers = new Set<() => void>();
  private count = 0;

  constructor(private readonly clock: Clock) {}

  /** How often it was woken: for loops that must not sleep when that happened while they worked. */
  get wakes(): number {
    return this.count;
  }

  /** Ends every sleep that is under way. */
  wake(): void {
    this.count++;
    for (const end of [...this.sleepers]) end();
  }

  /**
   * Resolves after `ms`, when woken, or when `signal` aborts: callers look which. At once when it was
   * woken since `wakes` were counted; without them, what was before the sleep does not matter.
   */
  async sleep(ms: number, signal?: AbortSignal, wakes = this.count): Promise<void> {
    if (signal?.aborted === true || wakes !== this.count) return;
    await new Promise<void>((resolve) => {
      const end = () => {
        this.sleepers.delete(end);
        callOff();
        forget();
        resolve();
      };
      this.sleepers.add(end);
      const callOff = this.clock.after(ms, end);
      const forget = onAbort(signal, end);
    });
  }
}
