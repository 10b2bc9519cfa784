import type { Clock } from '../clock';

/**
 * Lets long synchronous work be done in slices: ask `isOver` now and then, and await `turn` when it is,
 * so that the event loop does what has become due meanwhile.
 */
export class TimeSlice {
  private startedAtMs: number;

  constructor(private readonly clock: Clock) {
    this.startedAtMs = clock.monotonicMs();
  }

  get isOver(): boolean {
    return this.clock.monotonicMs() - this.startedAtMs >= SLICE_MS;
  }

  async turn(): Promise<void> {
    await new Promise((resolve) => setImmediate(resolve));
    this.startedAtMs = this.clock.monotonicMs();
  }
}

const SLICE_MS = 10;
