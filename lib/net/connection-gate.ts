import type { Socket } from 'node:net';
import type { Clock } from '../clock';

export interface ConnectionGateLimits {
  /** Connections of one address that have not proven who they are. */
  readonly perAddressMax: number;
  readonly totalMax: number;
  /** How long a connection may stay unproven. Default: as long as it likes. */
  readonly provenWithinMs?: number;
}

/** What the gate needs of a socket. A TLS socket and the one below it are one connection to it. */
export type GatedSocket = Pick<
  Socket,
  'remoteAddress' | 'remotePort' | 'destroy' | 'once' | 'destroyed'
>;

/**
 * Bounds what strangers hold open. A connection is a stranger's until it is proven; beyond the bounds
 * the oldest stranger of the address that has most of them is cut off, so that one who only just came,
 * and needs a moment for its handshake, gets through a crowd that merely waits.
 */
export class ConnectionGate {
  private readonly strangers = new Map<string, Map<string, GatedSocket>>();
  private count = 0;

  constructor(
    private readonly clock: Clock,
    private readonly limits: ConnectionGateLimits,
  ) {}

  get strangerCount(): number {
    return this.count;
  }

  /** Call for every new connection. */
  admit(socket: GatedSocket): void {
    const { address, port } = endpointOf(socket);
    let ofAddress = this.strangers.get(address);
    if (ofAddress === undefined) {
      ofAddress = new Map<string, GatedSocket>();
      this.strangers.set(address, ofAddress);
    }
    ofAddress.set(port, socket);
    this.count++;
    const { perAddressMax, totalMax, provenWithinMs } = this.limits;
    const closed = new AbortController();
    socket.once('close', () => {
      closed.abort();
      this.forget(address, port, socket);
    });
    if (provenWithinMs !== undefined)
      void this.clock.sleep(provenWithinMs, closed.signal).then(() => {
        if (this.strangers.get(address)?.get(port) === socket) socket.destroy();
      });
    if (ofAddress.size > perAddressMax) this.cutOldest(address);
    else if (this.count > totalMax) this.cutOldest(this.mostCrowded());
  }

  /** The connection has shown who it is: it no longer counts. May be called with every request. */
  prove(socket: GatedSocket): void {
    if (this.count === 0) return;
    const { address, port } = endpointOf(socket);
    this.forget(address, port);
  }

  private cutOldest(address: string): void {
    const oldest = this.strangers.get(address)?.entries().next().value;
    if (oldest === undefined) return;
    this.forget(address, oldest[0]);
    oldest[1].destroy();
  }

  private mostCrowded(): string {
    let [crowded, most] = ['', 0];
    for (const [address, { size }] of this.strangers)
      if (size > most) [crowded, most] = [address, size];
    return crowded;
  }

  private forget(address: string, port: string, socket?: GatedSocket): void {
    const ofAddress = this.strangers.get(address);
    if (ofAddress === undefined) return;
    // The port may be another connection's by now.
    if (socket !== undefined && ofAddress.get(port) !== socket) return;
    if (!ofAddress.delete(port)) return;
    this.count--;
    if (ofAddress.size === 0) this.strangers.delete(address);
  }
}

const endpointOf = ({ remoteAddress, remotePort }: GatedSocket) => ({
  address: remoteAddress ?? '',
  port: String(remotePort),
});
