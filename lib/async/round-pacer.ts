import type { Clock } from '../clock';

/**
 * Keeps work that many do at each of many events to a share of the event loop's time. Whoever takes a
 * `turn` goes on in the next round, together with all who wait by then; after a round comes a rest of
 * twice its length, so that the work gets a third of the loop and, the more there is of it, more is done
 * in one go. While rounds are short, turns come at once.
 */
export class RoundPacer {
  private waiting: (() => void)[] = [];
  private isPlanned = false;
  private nextAtMs = 0;

  constructor(private readonly clock: Clock) {}

  turn(): Promise<void> {
    return new Promise((resolve) => {
      this.waiting.push(resolve);
      this.plan();
    });
  }

  private plan(): void {
    if (this.isPlanned) return;
    this.isPlanned = true;
    const restMs = this.nextAtMs - this.clock.monotonicMs();
    if (restMs < 1) setImmediate(() => this.begin());
    else this.clock.after(restMs, () => this.begin());
  }

  private begin(): void {
    const startedAtMs = this.clock.monotonicMs();
    const { waiting } = this;
    this.waiting = [];
    this.isPlanned = false;
    for (const go of waiting) go();
    // Runs after what they do at once.
    setImmediate(() => {
      const endedAtMs = this.clock.monotonicMs();
      this.nextAtMs = endedAtMs + Math.min((endedAtMs - startedAtMs) * REST_PER_ROUND, REST_MAX_MS);
    });
  }
}

const REST_PER_ROUND = 2;
/** However much there is to do, nobody waits much longer for news. */
const REST_MAX_MS = 100;
