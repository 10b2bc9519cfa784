import { onAbort } from '../../lib/async/on-abort';

/** Callers that wait until a growing version reaches theirs. */
export class VersionWaiters {
  private readonly waiting = new Set<Waiter>();
  private lowest = Infinity;

  constructor(private current = 0) {}

  get version(): number {
    return this.current;
  }

  /** Moves forward; a lower version changes nothing. */
  advance(version: number): void {
    if (version <= this.current) return;
    this.current = version;
    if (version < this.lowest) return;
    this.lowest = Infinity;
    for (const waiter of this.waiting) {
      if (waiter.version <= version) waiter.resolve();
      else this.lowest = Math.min(this.lowest, waiter.version);
    }
  }

  /** Starts over at a version that may be lower. */
  reset(version: number): void {
    this.current = 0;
    this.advance(version);
  }

  /** Resolves at `version`; true if it came before `signal` aborted. */
  wait(version: number, signal: AbortSignal): Promise<boolean> {
    if (version <= this.current) return Promise.resolve(true);
    if (signal.aborted) return Promise.resolve(false);
    return new Promise((resolve) => {
      const settle = (reached: boolean) => {
        this.waiting.delete(waiter);
        signal.removeEventListener('abort', giveUp);
        resolve(reached);
      };
      const giveUp = () => settle(false);
      const waiter: Waiter = { version, resolve: () => settle(true) };
      onAbort(signal, giveUp);
      this.waiting.add(waiter);
      this.lowest = Math.min(this.lowest, version);
    });
  }
}

interface Waiter {
  readonly version: number;
  readonly resolve: () => void;
}
