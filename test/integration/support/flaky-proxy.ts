import { createConnection, createServer, type Server, type Socket } from 'node:net';
import type { AddressInfo } from 'node:net';
import type { Random } from '../../../lib/random';

export interface FlakyProxyOptions {
  /** Path of the socket that the proxied service listens on. */
  readonly target: string;
  readonly random: Random;
}

/**
 * A TCP proxy on loopback that fails as networks do: it cuts a connection after a random number of
 * bytes, in whatever direction they flow, or swallows everything while the connection stays open.
 */
export class FlakyProxy implements AsyncDisposable {
  private readonly links = new Set<Link>();
  private cutRangeBytes: readonly [min: number, max: number] | undefined;
  cutCount = 0;

  private constructor(
    private readonly server: Server,
    private readonly options: FlakyProxyOptions,
  ) {
    server.on('connection', (client) => this.accept(client));
  }

  static async open(options: FlakyProxyOptions): Promise<FlakyProxy> {
    const server = createServer();
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(0, '127.0.0.1', resolve);
    });
    return new FlakyProxy(server, options);
  }

  get endpoint(): string {
    return `127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  /** From now on every connection, also those open, dies after so many more bytes. */
  cutAfter(minBytes: number, maxBytes: number): void {
    this.cutRangeBytes = [minBytes, maxBytes];
    for (const link of this.links) link.remainingBytes = this.drawBytes();
  }

  stopCutting(): void {
    this.cutRangeBytes = undefined;
    for (const link of this.links) link.remainingBytes = Infinity;
  }

  /** The connections open now go silent for good; new ones work. */
  swallow(): number {
    for (const link of this.links) link.isSwallowing = true;
    return this.links.size;
  }

  cutAll(): void {
    for (const link of [...this.links]) this.cut(link);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.cutAll();
    await new Promise((resolve) => this.server.close(resolve));
  }

  private accept(client: Socket): void {
    const upstream = createConnection({ path: this.options.target });
    const link: Link = {
      client,
      upstream,
      remainingBytes: this.drawBytes(),
      isSwallowing: false,
    };
    this.links.add(link);
    this.forward(link, client, upstream);
    this.forward(link, upstream, client);
  }

  private forward(link: Link, from: Socket, to: Socket): void {
    from.on('data', (bytes) => {
      if (link.isSwallowing || link.remainingBytes <= 0) return;
      const passing = bytes.subarray(0, Math.min(bytes.length, link.remainingBytes));
      link.remainingBytes -= bytes.length;
      if (!to.write(passing)) {
        from.pause();
        to.once('drain', () => from.resume());
      }
      // Ending after the write delivers a truncated message, as a dying router would.
      if (link.remainingBytes <= 0) to.end(() => this.cut(link));
    });
    from.on('error', () => this.cut(link));
    from.on('close', () => {
      if (!link.isSwallowing) this.cut(link);
    });
  }

  private cut(link: Link): void {
    if (!this.links.delete(link)) return;
    this.cutCount++;
    link.client.destroy();
    link.upstream.destroy();
  }

  private drawBytes(): number {
    if (this.cutRangeBytes === undefined) return Infinity;
    const [min, max] = this.cutRangeBytes;
    return Math.floor(min + (max - min) * this.options.random.next());
  }
}

interface Link {
  readonly client: Socket;
  readonly upstream: Socket;
  remainingBytes: number;
  isSwallowing: boolean;
}
