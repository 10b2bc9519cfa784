import type { ServerResponse } from 'node:http';
import { systemClock, type Clock } from '../../../lib/clock';

/**
 * What has been written to peers and not read by them, over all answers. Each may hold a little; when all
 * hold too much together, those that have not moved on for a while are cut off, the longest first: their
 * clients ask again. A burst of news finds all peers behind for a moment, and cuts nobody.
 */
export class UnreadBytes {
  /** Those that hold much, in the order in which they began to, or last moved on. */
  private readonly held = new Map<ServerResponse, Held>();
  private readonly followed = new WeakSet<ServerResponse>();
  private total = 0;

  constructor(
    private readonly maxBytes: number,
    private readonly clock: Pick<Clock, 'monotonicMs'> = systemClock,
  ) {}

  /** To be called after each write. */
  note(response: ServerResponse): void {
    const bytes = response.destroyed ? 0 : response.writableLength;
    if (bytes < NOTED_BYTES) {
      this.forget(response);
      return;
    }
    this.follow(response);
    const known = this.held.get(response);
    this.total += bytes - (known?.bytes ?? 0);
    this.held.set(response, { bytes, sinceMs: known?.sinceMs ?? this.clock.monotonicMs() });
    if (this.total > this.maxBytes) this.cutOldest(response);
  }

  private follow(response: ServerResponse): void {
    if (this.followed.has(response)) return;
    this.followed.add(response);
    response.on('drain', () => {
      // What is left is held anew, behind the others.
      this.forget(response);
      this.note(response);
    });
    for (const end of ['finish', 'close']) response.once(end, () => this.forget(response));
  }

  private forget(response: ServerResponse): void {
    this.total -= this.held.get(response)?.bytes ?? 0;
    this.held.delete(response);
  }

  private cutOldest(writing: ServerResponse): void {
    const stalledMs = this.clock.monotonicMs() - STALLED_MS;
    for (const [response, { sinceMs }] of this.held) {
      // The others have moved on since.
      if (this.total <= this.maxBytes || sinceMs > stalledMs) return;
      if (response === writing) continue;
      this.forget(response);
      response.destroy();
    }
  }
}

interface Held {
  readonly bytes: number;
  /** Monotonic: when it began to hold much, or last moved on. */
  readonly sinceMs: number;
}

const STALLED_MS = 2_000;
/** What an answer may hold uncounted: sockets take as much on the way. */
const NOTED_BYTES = 16 * 1024;
