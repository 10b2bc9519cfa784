import type { Clock } from '../../lib/clock';

/**
 * How long the other side of a stream has been silent while we listened. What it sent while we were
 * busy with its last message, or while this process did not run at all, is ours to answer for: a tick
 * that comes late counts for little more than one that came in time.
 */
export class SilenceMeter {
  private silentForMs = 0;
  private tickedAtMs: number;
  private isListening = false;

  constructor(
    private readonly clock: Clock,
    private readonly tickMs: number,
  ) {
    this.tickedAtMs = clock.monotonicMs();
  }

  get silentMs(): number {
    return this.silentForMs;
  }

  /** The next message is awaited from now on. */
  listen(): void {
    this.isListening = true;
    this.silentForMs = 0;
  }

  heard(): void {
    this.isListening = false;
    this.silentForMs = 0;
  }

  /** Call it every `tickMs`. */
  tick(): void {
    const nowMs = this.clock.monotonicMs();
    const passedMs = Math.min(nowMs - this.tickedAtMs, 1.5 * this.tickMs);
    this.tickedAtMs = nowMs;
    if (this.isListening) this.silentForMs += passedMs;
  }
}
