import { createServer, type Server, type Socket } from 'node:net';
import type { Clock } from '../../../lib/clock';
import { HEADER_BYTES, TCP_MAX_BYTES } from '../wire/constants';
import type { NameServer } from './name-server';
import type { Listener } from './udp-listener';

export interface TcpLimits {
  readonly connections: number;
  /** Of one client's address. */
  readonly perClient: number;
  /** Questions of one connection that are being answered: then no more of it is read. */
  readonly pending: number;
  /** How long a connection may be silent, and how long a question may take to come whole. */
  readonly idleMs: number;
}

export interface TcpListenerDeps {
  readonly names: Pick<NameServer, 'answer'>;
  readonly clock: Clock;
  readonly limits?: Partial<TcpLimits>;
}

/** Answers at a socket that is bound already, by TCP. @throws when it cannot be listened at */
export const listenByTcp = async (
  fd: number,
  { names, clock, limits }: TcpListenerDeps,
): Promise<Listener> => {
  const listener = new TcpListener(names, clock, { ...LIMITS, ...limits });
  await listener.listen(fd);
  return listener;
};

class TcpListener implements Listener {
  private readonly server: Server;
  private readonly connections = new Set<Connection>();
  private readonly perClient = new Map<string, number>();

  constructor(
    names: Pick<NameServer, 'answer'>,
    clock: Clock,
    private readonly limits: TcpLimits,
  ) {
    this.server = createServer({ noDelay: true, allowHalfOpen: true }, (socket) => {
      const client = socket.remoteAddress ?? '';
      const count = this.perClient.get(client) ?? 0;
      if (this.connections.size >= limits.connections || count >= limits.perClient) {
        socket.destroy();
        return;
      }
      this.perClient.set(client, count + 1);
      const connection = new Connection(socket, names, clock, limits);
      this.connections.add(connection);
      socket.once('close', () => {
        this.connections.delete(connection);
        this.leave(client);
      });
    });
  }

  async listen(fd: number): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.server.once('error', reject);
      this.server.listen({ fd }, () => {
        this.server.off('error', reject);
        resolve();
      });
    });
    this.server.on('error', () => undefined);
  }

  close(): void {
    this.server.close();
    for (const connection of this.connections) connection.finish();
  }

  private leave(client: string): void {
    const count = (this.perClient.get(client) ?? 1) - 1;
    if (count > 0) this.perClient.set(client, count);
    else this.perClient.delete(client);
  }
}

/** One client. Answers leave in the order in which they are known: ids tell them apart. */
class Connection {
  private received = Buffer.alloc(0);
  private pendingCount = 0;
  private isFinishing = false;
  private callOff: () => void;

  constructor(
    private readonly socket: Socket,
    private readonly names: Pick<NameServer, 'answer'>,
    private readonly clock: Clock,
    private readonly limits: TcpLimits,
  ) {
    this.callOff = this.watch();
    socket.on('error', () => undefined);
    socket.on('close', () => this.callOff());
    socket.on('data', (chunk) => {
      this.received = this.received.length === 0 ? chunk : Buffer.concat([this.received, chunk]);
      this.readOn();
    });
    socket.on('drain', () => this.readOn());
    // Who asks no more still waits for what was asked.
    socket.on('end', () => this.finish());
  }

  /** Ends once what was asked is answered. */
  finish(): void {
    this.isFinishing = true;
    if (this.pendingCount === 0) this.socket.end();
  }

  private readOn(): void {
    while (this.mayRead()) {
      if (this.received.length < 2) break;
      const length = this.received.readUInt16BE(0);
      if (length < HEADER_BYTES) {
        this.socket.destroy();
        return;
      }
      if (this.received.length < 2 + length) break;
      const message = Buffer.from(this.received.subarray(2, 2 + length));
      this.received = this.received.subarray(2 + length);
      // Silence is counted from the last whole question.
      this.callOff();
      this.callOff = this.watch();
      this.take(message);
    }
    if (this.mayRead()) this.socket.resume();
    else this.socket.pause();
  }

  private mayRead(): boolean {
    const { socket, limits } = this;
    return this.pendingCount < limits.pending && !socket.writableNeedDrain && !socket.destroyed;
  }

  private take(message: Buffer): void {
    const answer = this.names.answer(message, TCP_MAX_BYTES);
    if (answer === undefined) {
      this.socket.destroy();
      return;
    }
    if (!(answer instanceof Promise)) {
      this.send(answer);
      return;
    }
    this.pendingCount++;
    void answer
      .then(
        (later) => this.send(later),
        () => this.socket.destroy(),
      )
      .finally(() => {
        this.pendingCount--;
        if (this.isFinishing) this.finish();
        else this.readOn();
      });
  }

  private send(answer: Buffer): void {
    if (this.socket.destroyed) return;
    const length = Buffer.alloc(2);
    length.writeUInt16BE(answer.length);
    this.socket.write(Buffer.concat([length, answer]));
  }

  private watch(): () => void {
    return this.clock.after(this.limits.idleMs, () => this.socket.destroy());
  }
}

const LIMITS: TcpLimits = { connections: 512, perClient: 64, pending: 64, idleMs: 10_000 };
