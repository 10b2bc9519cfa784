import { createServer, type Server } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';

export interface CollectedSpan {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
  readonly name: string;
  readonly service: string;
  readonly attributes: Readonly<Record<string, unknown>>;
  readonly startNanos: bigint;
  readonly endNanos: bigint;
}

/** Takes spans as an OTLP/HTTP collector does, and keeps them. */
export class Collector implements AsyncDisposable {
  readonly spans: CollectedSpan[] = [];

  private constructor(
    private readonly server: Server,
    readonly port: number,
  ) {}

  static async listen(host: string): Promise<Collector> {
    const server = createServer((request, response) => {
      void text(request).then((body) => {
        collector.take(body);
        response.setHeader('content-type', 'application/json').end('{}');
      });
    });
    // As collectors have it. Node's five seconds are the time between two batches: the one would be lost now and then
    // that is sent on a connection which is being closed.
    server.keepAliveTimeout = 60_000;
    await once(server.listen(0, host), 'listening');
    const collector = new Collector(server, (server.address() as AddressInfo).port);
    return collector;
  }

  /** Of one trace, by their names. */
  trace(traceId: string): ReadonlyMap<string, CollectedSpan> {
    const own = this.spans.filter((span) => span.traceId === traceId);
    return new Map(own.map((span) => [span.name, span]));
  }

  private take(body: string): void {
    for (const { resource, scopeSpans } of JSON.parse(body).resourceSpans) {
      const service = String(attributesOf(resource.attributes)['service.name']);
      for (const { spans } of scopeSpans)
        for (const span of spans)
          this.spans.push({
            ...span,
            service,
            attributes: attributesOf(span.attributes),
            startNanos: BigInt(span.startTimeUnixNano),
            endNanos: BigInt(span.endTimeUnixNano),
          });
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.server.closeAllConnections();
    await once(this.server.close(), 'close');
  }
}

const attributesOf = (
  list: readonly { key: string; value: Record<string, unknown> }[],
): Readonly<Record<string, unknown>> =>
  Object.fromEntries(list.map(({ key, value }) => [key, Object.values(value)[0]]));
