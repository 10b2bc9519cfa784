import { ServerResponse, type ClientRequest, type IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { pipeline } from 'node:stream';
import type { Clock } from '../../../lib/clock';
import { describeError, type Log } from '../../../lib/log';
import { targetOf, type RequestTarget } from '../routing/host-and-path';
import type { RouteTable } from '../routing/route-table';
import { hasBody, passOn, refuse, writeHead, type Refusal } from './answer';
import type { Endpoint, EndpointTable } from './endpoint-table';
import { ambiguityOf, requestHeaders, responseHeaders, type Arrival } from './headers';
import type { ProxyLimits } from './limits';
import { Upstreams, UpstreamTimeout, type UpstreamHead } from './upstream';

export interface ProxyDeps {
  readonly routes: () => RouteTable;
  /** Where this node serves TLS; 0: nowhere. */
  readonly httpsPort: () => number;
  readonly endpoints: Pick<EndpointTable, 'inTurn'>;
  readonly limits: ProxyLimits;
  readonly clock: Clock;
  readonly log: Log;
}

/** Where a request goes, or why it goes nowhere. */
type Way =
  | {
      readonly head: UpstreamHead;
      readonly endpoints: readonly Endpoint[];
      readonly status?: undefined;
    }
  | Refusal;

/** Passes requests on to the endpoints that their host and path lead to. Bodies flow through: none is kept. */
export class Proxy {
  /** Answers end their connections: another process takes over. */
  isClosing = false;
  private readonly upstreams: Upstreams;
  private requestCount = 0;
  private upgradeCount = 0;
  private failureCount = 0;

  constructor(private readonly deps: ProxyDeps) {
    this.upstreams = new Upstreams(deps.limits, deps.clock);
  }

  get counts(): object {
    const { requestCount, upgradeCount, failureCount } = this;
    return { requestCount, upgradeCount, failureCount };
  }

  async handle(
    inbound: IncomingMessage,
    answer: ServerResponse,
    proto: Arrival['proto'],
  ): Promise<void> {
    this.requestCount++;
    if (this.isClosing) answer.shouldKeepAlive = false;
    const way = this.wayOf(inbound, proto, bodyHeaders(inbound));
    if (way.status !== undefined) {
      refuse(inbound, answer, way);
      return;
    }
    try {
      await this.forward(inbound, answer, way.head, way.endpoints);
    } catch (error) {
      this.fail(inbound, answer, error);
    }
  }

  /** A client that asks for another protocol: it gets what the endpoint answers, that or a plain answer. */
  async upgrade(
    inbound: IncomingMessage,
    socket: Socket,
    early: Buffer,
    proto: Arrival['proto'],
  ): Promise<void> {
    this.upgradeCount++;
    socket.on('error', () => socket.destroy());
    const answer = new ServerResponse(inbound);
    answer.shouldKeepAlive = false;
    answer.assignSocket(socket);
    answer.once('finish', () => socket.end());
    const wanted = inbound.headers.upgrade ?? '';
    // HTTP/2 is not spoken here; a body would be taken for the other protocol.
    const isPlain = wanted.toLowerCase() === 'h2c';
    const extra = isPlain ? [] : ['Connection', 'Upgrade', 'Upgrade', wanted];
    const way = hasBody(inbound) ? ({ status: 400 } as const) : this.wayOf(inbound, proto, extra);
    if (way.status !== undefined) {
      refuse(inbound, answer, way);
      return;
    }
    try {
      const outbound = await this.upstreams.open(way.head, way.endpoints, { isUpgrade: true });
      if (socket.destroyed) {
        outbound.destroy();
        return;
      }
      await this.relay(inbound, answer, outbound, (accepted, upstream, head) => {
        answer.detachSocket(socket);
        this.join([socket, early], [upstream, head], accepted);
      });
    } catch (error) {
      this.fail(inbound, answer, error);
    }
  }

  close(): void {
    this.upstreams.close();
  }

  private wayOf(inbound: IncomingMessage, proto: Arrival['proto'], extra: readonly string[]): Way {
    const { routes, httpsPort, endpoints, limits } = this.deps;
    const hostHeader = inbound.headers.host ?? '';
    const target = targetOf(inbound.url ?? '', hostHeader);
    if (target === undefined || ambiguityOf(inbound) !== undefined) return { status: 400 };
    const route = routes().route(target);
    if (route === undefined) return { status: 404 };
    if (route.isSslRedirected && proto === 'http' && httpsPort() !== 0)
      return secureWay(target, httpsPort());
    const found =
      route.backend === undefined ? [] : endpoints.inTurn(route.backend, limits.attempts);
    if (found.length === 0) return { status: 503 };
    const { remoteAddress = '', localPort = 0 } = inbound.socket;
    const arrival = { address: remoteAddress.replace(/^::ffff:/, ''), proto, port: localPort };
    const isAbsolute = inbound.url?.startsWith('/') === false && inbound.url !== '*';
    const host = isAbsolute ? new URL(inbound.url ?? '').host : hostHeader;
    const headers = requestHeaders({ rawHeaders: inbound.rawHeaders, host }, arrival);
    const head = {
      method: inbound.method ?? 'GET',
      path: target.forwarded,
      headers: [...headers, ...extra],
    };
    return { head, endpoints: found };
  }

  /**
   * Once more on another connection when one that had been used before turns out to be closed: only a request
   * that changes nothing and has no body (RFC 9112, 9.3.1).
   */
  private async forward(
    inbound: IncomingMessage,
    answer: ServerResponse,
    head: UpstreamHead,
    endpoints: readonly Endpoint[],
  ): Promise<void> {
    const mayRepeat = SAFE_METHODS.has(head.method) && !hasBody(inbound);
    for (let attempt = 1; ; attempt++) {
      const outbound = await this.upstreams.open(head, endpoints);
      if (answer.destroyed) {
        outbound.destroy();
        return;
      }
      try {
        await this.relay(inbound, answer, outbound);
        return;
      } catch (error) {
        const isStale = outbound.reusedSocket && !(error instanceof UpstreamTimeout);
        const isOver = answer.headersSent || answer.destroyed || attempt > STALE_MAX;
        if (!mayRepeat || !isStale || isOver) throw error;
      }
    }
  }

  /** Both ways, until the answer has come whole, an end is lost, or the connection has become another's. */
  private relay(
    inbound: IncomingMessage,
    answer: ServerResponse,
    outbound: ClientRequest,
    onUpgrade?: (accepted: IncomingMessage, upstream: Socket, head: Buffer) => void,
  ): Promise<void> {
    return new Promise((resolve, reject) => {
      outbound.once('error', reject);
      outbound.once('upgrade', (accepted, upstream, head) => {
        if (onUpgrade === undefined) {
          upstream.destroy();
          reject(new Error('an upgrade that nobody asked for'));
          return;
        }
        onUpgrade(accepted, upstream, head);
        resolve();
      });
      answer.once('close', () => {
        if (answer.writableFinished) return;
        outbound.destroy();
        resolve();
      });
      outbound.once('response', (response) => {
        try {
          writeHead(answer, response);
        } catch (error) {
          outbound.destroy();
          reject(new Error('an answer that cannot be passed on', { cause: error }));
          return;
        }
        passOn(response, answer);
        response.once('close', resolve);
      });
      outbound.once('close', () => {
        inbound.unpipe(outbound);
        // An endpoint that answers before it has read all of it: the rest is nobody's.
        inbound.resume();
      });
      if (hasBody(inbound)) inbound.pipe(outbound);
      else outbound.end();
    });
  }

  /** From here on bytes pass as they come. */
  private join(
    [client, early]: readonly [Socket, Buffer],
    [upstream, head]: readonly [Socket, Buffer],
    { rawHeaders, headers, statusMessage = '' }: IncomingMessage,
  ): void {
    const lines = pairLines([
      ...responseHeaders(rawHeaders),
      ...['Connection', 'Upgrade', 'Upgrade', headers.upgrade ?? ''],
    ]);
    client.write(`HTTP/1.1 101 ${statusMessage}\r\n${lines}\r\n`, 'latin1');
    if (head.length > 0) client.write(head);
    if (early.length > 0) upstream.write(early);
    for (const [from, to] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      from.setTimeout(this.deps.limits.upgradedIdleMs, () => from.destroy());
      pipeline(from, to, (error) => {
        if (error) [from, to].forEach((each) => each.destroy());
      });
    }
  }

  private fail(inbound: IncomingMessage, answer: ServerResponse, error: unknown): void {
    this.failureCount++;
    this.deps.log.debug({ err: describeError(error) }, 'an endpoint did not answer');
    if (answer.headersSent) answer.destroy();
    else refuse(inbound, answer, { status: error instanceof UpstreamTimeout ? 504 : 502 });
  }
}

/** To where the same is served by TLS: only what has a host can be told. */
const secureWay = ({ host, forwarded }: RequestTarget, port: number): Refusal => {
  const authority = port === 443 ? host : `${host}:${port}`;
  const path = forwarded === '*' ? '/' : forwarded;
  return host === '' ? { status: 400 } : { status: 308, location: `https://${authority}${path}` };
};

/** What says how long a body is, to the next hop: a length passes as it is. */
const bodyHeaders = (inbound: IncomingMessage): readonly string[] => {
  const { 'transfer-encoding': encoding, 'content-length': length } = inbound.headers;
  if (encoding !== undefined) return ['Transfer-Encoding', 'chunked'];
  return length === undefined && !BODILESS.has(inbound.method ?? '') ? ['Content-Length', '0'] : [];
};

const pairLines = (headers: readonly string[]): string =>
  headers.reduce((text, each, i) => text + each + (i % 2 === 0 ? ': ' : '\r\n'), '');

const SAFE_METHODS = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE']);
const BODILESS = new Set([...SAFE_METHODS, 'DELETE']);
/** Of one request: connections that turn out to be closed. */
const STALE_MAX = 3;
