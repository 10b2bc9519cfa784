import { once } from 'node:events';
import { request as httpRequest, type ClientRequest, type IncomingMessage } from 'node:http';
import { pipeline, type Duplex } from 'node:stream';
import { connect as tlsConnect } from 'node:tls';
import { ApiError } from '../../../api/errors';
import type { NodeConnections } from '../../../client/node-connections';
import { onAbort } from '../../../lib/async/on-abort';
import { timedController } from '../../../lib/async/timed-controller';
import type { Clock } from '../../../lib/clock';
import { describeError } from '../../../lib/log';
import type { Random } from '../../../lib/random';
import type { ApiRequest, ApiResponse } from '../http/exchange';
import type { ResourceTarget } from '../http/request-target';
import type { ServedKind } from '../kinds/served-kind';
import type { ObjectService } from '../objects/object-service';
import type { UpgradingConnection } from '../pods/exec';
import { backendOfPod, backendOfService, type Backend } from './backend';
import { ConnectionStream } from './connection-stream';
import { answerHeaders, backendHeaders } from './proxied-headers';

export interface ProxyDeps {
  readonly service: Pick<ObjectService, 'reader' | 'admission'>;
  readonly nodes: Pick<NodeConnections, 'connect'>;
  readonly clock: Clock;
  readonly random: Random;
}

/** A request below `proxy` of a pod or a service. */
export interface ProxyRequest {
  readonly kind: ServedKind;
  readonly target: ResourceTarget;
  readonly request: ApiRequest;
}

/**
 * pods/NAME/proxy and services/NAME/proxy: HTTP through the node's own connection to the port of a pod, so
 * that nothing needs a way to the pod network. The path below and the body go on as they are, the query as
 * it is understood; a caller's credentials do not.
 */
export class ProxyGateway {
  constructor(private readonly deps: ProxyDeps) {}

  /** The backend's answer, whose body streams. @throws ApiError where there is none */
  async answer(asked: ProxyRequest): Promise<ApiResponse> {
    const { request, target } = asked;
    if (target.rest === undefined && request.method === 'GET') return withSlash(request);
    const body = await request.body();
    const { sent, prefix } = await this.send(asked, {});
    sent.end(body);
    const answer = await this.answerTo(sent, 'response', request.signal);
    return {
      status: answer.statusCode ?? BAD_GATEWAY,
      headers: answerHeaders(answer.headers, prefix),
      body: answer,
      isBatched: true,
    };
  }

  /** Hands the connection over to the backend, where that agrees. @throws ApiError before it has answered */
  async upgrade(
    asked: ProxyRequest,
    { socket, head }: UpgradingConnection,
    onAnswer: (status: number) => void,
  ): Promise<void> {
    const { headers, signal } = asked.request;
    const upgrade = headers['upgrade'] ?? '';
    const { sent } = await this.send(asked, { connection: 'Upgrade', upgrade });
    const taken = once(sent, 'upgrade') as Promise<[IncomingMessage, Duplex, Buffer]>;
    taken.catch(() => undefined);
    sent.end();
    const answer = await this.answerTo(sent, 'upgrade', signal);
    onAnswer(answer.statusCode ?? BAD_GATEWAY);
    socket.write(headOf(answer), 'latin1');
    if (answer.statusCode !== 101) {
      await joined(answer, socket);
      return;
    }
    const [, carrier, early] = await taken;
    if (early.length > 0) carrier.unshift(early);
    if (head.length > 0) socket.unshift(head);
    await Promise.all([joined(carrier, socket), joined(socket, carrier)]);
  }

  private async send(
    { kind, target, request }: ProxyRequest,
    hop: Readonly<Record<string, string>>,
  ): Promise<{ readonly sent: ClientRequest; readonly prefix: string }> {
    const { signal, query } = request;
    const below = `/${target.rest ?? ''}`;
    const prefix = request.path.slice(0, request.path.length - (target.rest ?? '').length);
    await this.admit({ kind, target, request }, below);
    const backend = await this.backendOf(kind, target, signal);
    const carrier = await this.carrierTo(backend, signal);
    onAbort(signal, () => carrier.destroy());
    const search = query.size === 0 ? '' : `?${query.toString()}`;
    try {
      const sent = httpRequest({
        createConnection: () => carrier,
        method: request.method,
        path: `${below}${search}`,
        headers: { ...backendHeaders({ ...request, backend }), ...hop },
        maxHeaderSize: HEADER_BYTES_MAX,
      });
      // Whoever waits for the answer is told, and whoever reads it.
      sent.on('error', () => undefined);
      return { sent, prefix: prefix.replace(/\/$/, '') };
    } catch (error) {
      carrier.destroy();
      throw new ApiError('BadRequest', `the path cannot be passed on: ${describeError(error)}`);
    }
  }

  private backendOf(kind: ServedKind, name: ResourceTarget, signal: AbortSignal): Promise<Backend> {
    const { service, random } = this.deps;
    if (kind.resource.plural === 'pods') return backendOfPod(service, kind, name, signal);
    const draw = (count: number) => Math.floor(random.next() * count);
    return backendOfService(service, kind, name, draw, signal);
  }

  private async admit({ kind, target, request }: ProxyRequest, path: string): Promise<void> {
    const { namespace, name } = target;
    const options = kind.resource.plural === 'pods' ? 'PodProxyOptions' : 'ServiceProxyOptions';
    await this.deps.service.admission.pass(
      {
        ...{ operation: 'CONNECT', kind, subresource: 'proxy' },
        ...{ namespace, name, user: request.user },
        connection: { kind: options, apiVersion: 'v1', path },
        ...{ isDryRun: false, isAgain: false, warnings: [] },
      },
      request.signal,
    );
  }

  /** As upstream's, it takes whatever certificate a backend shows: the way to it is the cluster's own. */
  private async carrierTo(
    { nodeName, target, port, scheme }: Backend,
    signal: AbortSignal,
  ): Promise<Duplex> {
    const connection = await this.deps.nodes
      .connect(nodeName, { ...target, port }, signal)
      .catch((error: unknown) => Promise.reject(unreachable(error)));
    const stream = new ConnectionStream(connection);
    if (scheme === 'http') return stream;
    return tlsConnect({ socket: stream, rejectUnauthorized: false });
  }

  /** The head of the answer. @throws ServiceUnavailable */
  private async answerTo(
    sent: ClientRequest,
    event: 'response' | 'upgrade',
    signal: AbortSignal,
  ): Promise<IncomingMessage> {
    using limit = timedController(this.deps.clock, ANSWER_MS, signal);
    const comes = (name: string) =>
      once(sent, name, { signal: limit.signal }) as Promise<[IncomingMessage]>;
    // Of a backend that upgrades who did not ask, Node says no more than that it is over.
    const ends = comes('close').then(() => Promise.reject(new Error('no answer')));
    try {
      const answers = [...new Set(['response', event])].map(comes);
      const [answer] = await Promise.race([...answers, ends]);
      return answer;
    } catch (error) {
      sent.destroy();
      throw unreachable(error);
    }
  }
}

/** Links of what is there lead below it only if its own path ends so. */
const withSlash = ({ path, query }: ApiRequest): ApiResponse => ({
  status: 301,
  headers: { location: `${path}/${query.size === 0 ? '' : `?${query.toString()}`}` },
});

const unreachable = (error: unknown): ApiError =>
  new ApiError('ServiceUnavailable', `error trying to reach service: ${describeError(error)}`, {
    cause: error,
  });

/** An answer that is no upgrade comes without its chunks, and ends with the connection. */
const headOf = ({
  statusCode = BAD_GATEWAY,
  statusMessage = '',
  rawHeaders,
}: IncomingMessage): string => {
  const isUpgrade = statusCode === 101;
  const lines = rawHeaders.flatMap((name, i) => {
    if (i % 2 === 1 || (!isUpgrade && FRAMING.has(name.toLowerCase()))) return [];
    return [`${name}: ${rawHeaders[i + 1] ?? ''}`];
  });
  const end = isUpgrade ? [] : ['Connection: close'];
  return [`HTTP/1.1 ${statusCode} ${statusMessage}`, ...lines, ...end, '', ''].join('\r\n');
};

const FRAMING: ReadonlySet<string> = new Set(['connection', 'keep-alive', 'transfer-encoding']);

/** Carries one way until its end. What breaks ends both sides. */
const joined = (from: NodeJS.ReadableStream, to: NodeJS.WritableStream): Promise<void> =>
  new Promise((resolve) => {
    pipeline(from, to, () => resolve());
  });

const BAD_GATEWAY = 502;
/** Some backends think for long. */
const ANSWER_MS = 300_000;
const HEADER_BYTES_MAX = 64 * 1024;
