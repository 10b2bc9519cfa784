import type { Socket } from 'node:net';

/** What the crowd needs of a socket. */
export type CrowdedSocket = Pick<Socket, 'destroy' | 'destroyed' | 'once'>;

/**
 * Bounds the connections of those who have shown who they are. Beyond the bound whoever has most loses
 * the oldest, so that one who opens all that there are stands in no way but their own.
 */
export class ConnectionCrowd {
  private readonly bySharer = new Map<string, Set<CrowdedSocket>>();
  private readonly known = new WeakSet<CrowdedSocket>();
  private count = 0;

  constructor(private readonly totalMax: number) {}

  /** Call with every request: a connection counts once. */
  admit(socket: CrowdedSocket, sharer: string): void {
    if (socket.destroyed || this.known.has(socket)) return;
    this.known.add(socket);
    const own = this.bySharer.get(sharer) ?? new Set();
    this.bySharer.set(sharer, own.add(socket));
    this.count++;
    socket.once('close', () => this.forget(socket, sharer));
    if (this.count > this.totalMax) this.cutOldest();
  }

  private cutOldest(): void {
    let [crowded, most] = ['', 0];
    for (const [sharer, { size }] of this.bySharer)
      if (size > most) [crowded, most] = [sharer, size];
    const [oldest] = this.bySharer.get(crowded) ?? [];
    if (oldest === undefined) return;
    this.forget(oldest, crowded);
    oldest.destroy();
  }

  private forget(socket: CrowdedSocket, sharer: string): void {
    const own = this.bySharer.get(sharer);
    if (own?.delete(socket) !== true) return;
    this.count--;
    if (own.size === 0) this.bySharer.delete(sharer);
  }
}
