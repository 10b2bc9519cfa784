import type { ServerResponse } from 'node:http';

/**
 * What has been written to peers and not read by them, over all answers. Each may hold a little; when all
 * hold too much together, those that have not moved on for longest are cut off: their clients ask again.
 */
export class UnreadBytes {
  /** Those that hold much, in the order in which they began to, or last moved on. */
  private readonly held = new Map<ServerResponse, number>();
  private readonly followed = new WeakSet<ServerResponse>();
  private total = 0;

  constructor(private readonly maxBytes: number) {}

  /** To be called after each write. */
  note(response: ServerResponse): void {
    const bytes = response.destroyed ? 0 : response.writableLength;
    if (bytes < NOTED_BYTES) {
      this.forget(response);
      return;
    }
    this.follow(response);
    this.total += bytes - (this.held.get(response) ?? 0);
    this.held.set(response, bytes);
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
    this.total -= this.held.get(response) ?? 0;
    this.held.delete(response);
  }

  private cutOldest(writing: ServerResponse): void {
    for (const response of [...this.held.keys()]) {
      if (this.total <= this.maxBytes) return;
      if (response === writing) continue;
      this.forget(response);
      response.destroy();
    }
  }
}

/** What an answer may hold uncounted: sockets take as much on the way. */
const NOTED_BYTES = 16 * 1024;
