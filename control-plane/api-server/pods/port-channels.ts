import { Duplex } from 'node:stream';
import type { RawData, WebSocket } from 'ws';
import { ApiError } from '../../../api/errors';
import { toBuffer } from './exec';

/** A connection to a port of a pod, as the client holds it. */
export interface PortStreams {
  readonly data: Duplex;
  /** What goes wrong, in words. The client says nothing on it. */
  readonly error: Duplex;
  readonly port: number;
}

/**
 * The way of clients older than tunnels, and of those in JavaScript and Python: one WebSocket of
 * v4.channel.k8s.io with two channels for each of `ports`, its bytes and its errors. Each begins with
 * the number of the port. A client cannot end one direction: it closes the whole.
 */
export const portChannels = (
  webSocket: WebSocket,
  ports: readonly number[],
): readonly PortStreams[] => {
  const full = new Set<Channel>();
  const pairs = ports.map((port, i) => ({
    data: new Channel(webSocket, full, 2 * i, port),
    error: new Channel(webSocket, full, 2 * i + 1, port),
    port,
  }));
  const channels = pairs.flatMap(({ data, error }) => [data, error]);
  webSocket.on('message', (frame: RawData, isBinary: boolean) => {
    const bytes = toBuffer(frame);
    const channel = channels[bytes[0] ?? channels.length];
    if (isBinary) channel?.accept(bytes.subarray(1));
  });
  webSocket.once('close', () => {
    for (const channel of channels) channel.destroy();
  });
  return pairs;
};

/** The `ports` of a query, each given by itself or with others between commas. @throws BadRequest */
export const portsOf = (query: URLSearchParams): readonly number[] => {
  const texts = query.getAll('ports').flatMap((text) => text.split(','));
  if (texts.length === 0) throw new ApiError('BadRequest', 'query parameter "ports" is required');
  if (texts.length > PORTS_MAX)
    throw new ApiError('BadRequest', `query parameter "ports": at most ${PORTS_MAX} at a time`);
  return texts.map((text) => {
    const port = /^\d{1,5}$/.test(text) ? Number(text) : 0;
    if (port > 0 && port < 65_536) return port;
    throw new ApiError('BadRequest', `unable to parse ${JSON.stringify(text)} as a port`);
  });
};

/**
 * One channel. All share a WebSocket, which rests while any of them is `full`: a client that goes on for
 * a pod that does not read fills no memory.
 */
class Channel extends Duplex {
  private isOver = false;

  constructor(
    private readonly webSocket: WebSocket,
    private readonly full: Set<Channel>,
    private readonly index: number,
    port: number,
  ) {
    super();
    // Whoever reads and writes is told.
    this.on('error', () => undefined);
    this.write(Buffer.of(port & 0xff, port >> 8));
  }

  accept(bytes: Uint8Array): void {
    if (this.isOver || this.destroyed || bytes.length === 0 || this.push(bytes)) return;
    this.full.add(this);
    this.webSocket.pause();
  }

  override _read(): void {
    this.drained();
  }

  override _write(chunk: Buffer, _encoding: string, done: (error?: Error | null) => void): void {
    const frame = Buffer.concat([Buffer.of(this.index), chunk]);
    this.webSocket.send(frame, { binary: true }, done);
  }

  /** The pod has said all, and nothing more is taken for it. */
  override _final(done: () => void): void {
    this.isOver = true;
    this.push(null);
    this.drained();
    done();
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.drained();
    done(error);
  }

  private drained(): void {
    this.full.delete(this);
    if (this.full.size === 0) this.webSocket.resume();
  }
}

const PORTS_MAX = 64;
