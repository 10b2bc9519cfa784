import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import { Socket, type AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { TLSSocket, type PeerCertificate } from 'node:tls';
import { onAbort } from '../../../lib/async/on-abort';
import { ApiError } from '../../../api/errors';
import type { Log } from '../../../lib/log';
import { isImpersonating, VALUES_SEPARATOR } from '../auth/impersonation';
import { ANONYMOUS, AUTHENTICATED, sharerOf, type User } from '../auth/user';
import { Compression } from './compression';
import { statusResponse, toApiError, type ApiRequest, type ApiResponse } from './exchange';
import { ByteBudget } from './in-flight';
import { MAX_BODY_BYTES, readBody } from './read-body';
import { RequestSignals } from './request-signals';
import { send } from './send';
import { UnreadBytes } from './unread-bytes';
import { timedController } from '../../../lib/async/timed-controller';
import { publicKeyHashOf } from '../../../lib/public-key';
import { systemClock } from '../../../lib/clock';
import { stringifyJson } from '../../../lib/json';
import { ConnectionCrowd } from '../../../lib/net/connection-crowd';
import { ConnectionGate } from '../../../lib/net/connection-gate';
import { NO_RESUMPTION, peerCertificateOf } from '../../../lib/net/peer-certificate';

export interface TlsMaterial {
  /** PEM: clients with a certificate from it are known by their names. */
  readonly caCertificate: string;
  readonly server: { readonly certificate: string; readonly key: string };
}

export interface ListenerHandlers {
  handle(request: ApiRequest): Promise<ApiResponse>;
  /** Takes over the socket. @throws ApiError to refuse */
  upgrade(request: ApiRequest, raw: IncomingMessage, socket: Duplex, head: Buffer): Promise<void>;
  /** Is the certificate that the user came with good no more? Asked before the registry. */
  isOutdated?(user: User): boolean;
  /** Raw requests under /v2/, for a known user. */
  registry?(request: IncomingMessage, response: ServerResponse): void;
}

export interface ListenerBudget {
  readonly connectionsMax: number;
  /** What all bodies under way may take up together. */
  readonly bodyBytes: number;
  readonly unreadBytes: number;
}

export interface ListenAddress {
  readonly host: string;
  /** 0 for any free port. */
  readonly port: number;
}

/** HTTPS with client certificates. Knows sockets, limits and shutdown; nothing of objects. */
export class HttpsListener implements AsyncDisposable {
  private readonly server: Server;
  private readonly underWay = new RequestSignals();
  private readonly bodies: ByteBudget;
  private readonly sending: { readonly unread: UnreadBytes };
  private readonly gate: ConnectionGate;
  private readonly crowd: ConnectionCrowd;
  private readonly compression = new Compression();

  constructor(
    tls: TlsMaterial,
    budget: ListenerBudget,
    private readonly handlers: ListenerHandlers,
    private readonly log: Log,
  ) {
    this.server = createServer({
      ...contextOf(tls),
      requestCert: true,
      // Probes come without a certificate; everyone else gets 401, not a failed handshake.
      rejectUnauthorized: false,
      handshakeTimeout: 10_000,
      headersTimeout: 15_000,
      // Image layers are large; what may be held open without a header is bounded above.
      requestTimeout: 600_000,
      keepAliveTimeout: 120_000,
      maxHeaderSize: 64 * 1024,
      // The times above are looked at this often.
      connectionsCheckingInterval: 2_000,
    });
    this.server.maxConnections = budget.connectionsMax;
    // So that there is room for strangers, and for administrators, however many the others open.
    const strangersMax = Math.min(STRANGERS.totalMax, Math.floor(budget.connectionsMax / 4));
    this.gate = new ConnectionGate(systemClock, { ...STRANGERS, totalMax: strangersMax });
    this.crowd = new ConnectionCrowd(Math.floor(budget.connectionsMax * 0.95) - strangersMax);
    this.bodies = new ByteBudget(budget.bodyBytes);
    this.sending = { unread: new UnreadBytes(budget.unreadBytes) };
    this.server.on('request', (request, response) => void this.serve(request, response));
    this.server.on('upgrade', (request, socket, head) => void this.upgrade(request, socket, head));
    this.server.on('connection', (socket) => {
      if (socket instanceof Socket) this.gate.admit(socket);
    });
    this.server.on('secureConnection', (socket) => {
      if (peerCertificateOf(socket) !== undefined) this.prove(socket, sharerOf(userOf(socket)));
    });
    this.server.on('tlsClientError', (_error, socket) => socket.destroy());
    this.server.on('clientError', (_error, socket) => socket.destroy());
  }

  /** @throws Error when the address cannot be had. */
  async listen({ host, port }: ListenAddress): Promise<AddressInfo> {
    await new Promise<void>((resolve, reject) => {
      this.server.once('error', reject);
      this.server.listen({ host, port }, () => {
        this.server.off('error', reject);
        resolve();
      });
    });
    return this.server.address() as AddressInfo;
  }

  /** Replaces the certificate for new connections. */
  renew(tls: TlsMaterial): void {
    this.server.setSecureContext(contextOf(tls));
  }

  /** Takes no more requests, ends watches, lets short requests finish, then closes. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.underWay.isStopped) return;
    const closed = new Promise<void>((resolve) => {
      if (this.server.listening) this.server.close(() => resolve());
      else resolve();
    });
    this.underWay.stop();
    this.server.closeIdleConnections();
    using limit = timedController(systemClock, DRAIN_MS);
    onAbort(limit.signal, () => this.server.closeAllConnections());
    await closed;
  }

  private async serve(raw: IncomingMessage, response: ServerResponse): Promise<void> {
    const gone = this.underWay.begin();
    const { signal } = gone;
    response.once('close', () => this.underWay.end(gone));
    // A peer that vanishes in mid-answer is its own affair.
    response.on('error', () => undefined);
    try {
      const request = this.toApiRequest(raw, signal);
      if (request.path.startsWith('/v2/') && this.handlers.registry !== undefined) {
        if (request.user === ANONYMOUS || this.handlers.isOutdated?.(request.user) === true)
          throw new ApiError('Unauthorized', 'Unauthorized');
        if (isImpersonating(request.headers))
          throw new ApiError('Forbidden', 'the registry lets nobody act as another');
        this.handlers.registry(raw, response);
        return;
      }
      const answer = await this.handlers.handle(request);
      if (!raw.complete) discardRest(raw);
      const encoding = raw.method === 'HEAD' ? undefined : request.headers['accept-encoding'];
      await send(response, this.compression.apply(answer, encoding, signal), {
        ...this.sending,
        omitsBody: raw.method === 'HEAD',
        signal,
      });
    } catch (error) {
      await this.fail(raw, response, error, signal);
    }
  }

  private async fail(
    raw: IncomingMessage,
    response: ServerResponse,
    error: unknown,
    signal: AbortSignal,
  ): Promise<void> {
    if (signal.aborted || response.headersSent) {
      response.destroy();
      return;
    }
    const apiError = toApiError(error);
    if (apiError.code >= 500)
      this.log.warn({ err: error, method: raw.method, path: raw.url }, 'request failed');
    // What is left of a refused body must not be taken for the next request.
    if (!raw.complete) {
      response.setHeader('connection', 'close');
      discardRest(raw);
    }
    const answer = statusResponse(apiError.toStatus());
    await send(response, answer, {
      ...this.sending,
      omitsBody: raw.method === 'HEAD',
      signal,
    }).catch(() => response.destroy());
  }

  private toApiRequest(raw: IncomingMessage, signal: AbortSignal): ApiRequest {
    const request = toApiRequest(raw, signal);
    let sharer = sharerOf(request.user);
    return {
      ...request,
      noteIdentified: (user) => {
        sharer = sharerOf(user);
        this.prove(raw.socket, sharer);
      },
      body: () => this.body(raw, signal, sharer),
    };
  }

  /** A token is as good as a certificate. */
  private prove(socket: Socket, sharer: string | undefined): void {
    this.gate.prove(socket);
    if (sharer !== undefined) this.crowd.admit(socket, sharer);
  }

  /** Counts until the answer has gone: what was made of the body is larger, and lasts as long. */
  private body(
    raw: IncomingMessage,
    signal: AbortSignal,
    sharer: string | undefined,
  ): Promise<Buffer> {
    let heldBytes = 0;
    onAbort(signal, () => this.bodies.release(heldBytes, sharer));
    return readBody(raw, systemClock, (bytes) => {
      if (signal.aborted) return;
      this.bodies.take(bytes, sharer);
      heldBytes += bytes;
    });
  }

  private async upgrade(raw: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    const gone = this.underWay.begin();
    const { signal } = gone;
    socket.once('close', () => this.underWay.end(gone));
    socket.on('error', () => this.underWay.end(gone));
    try {
      await this.handlers.upgrade(this.toApiRequest(raw, signal), raw, socket, head);
    } catch (error) {
      refuseUpgrade(socket, toApiError(error));
    }
  }
}

const contextOf = ({ server, caCertificate }: TlsMaterial) => ({
  cert: server.certificate,
  key: server.key,
  ca: caCertificate,
  minVersion: 'TLSv1.2' as const,
  ...NO_RESUMPTION,
});

/**
 * Reads on for a moment, so that the peer sees the answer before the connection ends: a reset on bytes
 * that nobody read would take it away. One that does not come to an end by then is cut off.
 */
const discardRest = (raw: IncomingMessage): void => {
  let bytes = 0;
  const limit = timedController(systemClock, DISCARD_MS);
  onAbort(limit.signal, () => raw.socket.destroy());
  raw.on('data', (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes > MAX_BODY_BYTES) raw.socket.destroy();
  });
  for (const end of ['end', 'close']) raw.once(end, () => limit[Symbol.dispose]());
};

const toApiRequest = (raw: IncomingMessage, signal: AbortSignal): Omit<ApiRequest, 'body'> => {
  const url = raw.url ?? '/';
  const mark = url.indexOf('?');
  const headers = headersOf(raw);
  return {
    method: raw.method === 'HEAD' ? 'GET' : (raw.method ?? 'GET'),
    path: mark < 0 ? url : url.slice(0, mark),
    query: new URLSearchParams(mark < 0 ? '' : url.slice(mark + 1)),
    headers,
    user: userOf(raw.socket),
    ...(raw.socket.remoteAddress === undefined ? {} : { sourceIp: raw.socket.remoteAddress }),
    signal,
  };
};

/** Whom a request is to act as stands in headers of which each value counts by itself. */
const headersOf = (raw: IncomingMessage): ApiRequest['headers'] => {
  const headers = raw.headers as Record<string, string | undefined>;
  if (!isImpersonating(headers)) return headers;
  const distinct = Object.entries(raw.headersDistinct).map(([name, values = []]) => [
    name,
    isImpersonating({ [name]: '' }) ? values.join(VALUES_SEPARATOR) : headers[name],
  ]);
  return Object.fromEntries(distinct) as ApiRequest['headers'];
};

/** The user that the connection's certificate names. */
const userOf = (socket: Socket): User => {
  let user = users.get(socket);
  if (user === undefined) {
    const certificate = socket instanceof TLSSocket ? peerCertificateOf(socket) : undefined;
    user = certificate === undefined ? ANONYMOUS : userOfCertificate(certificate);
    users.set(socket, user);
  }
  return user;
};

const userOfCertificate = ({ subject, fingerprint256, raw }: PeerCertificate): User => {
  const { CN, O } = subject as { CN?: string | string[]; O?: string | string[] };
  const name = [CN ?? []].flat()[0];
  if (name === undefined || name === '') return ANONYMOUS;
  const credential = fingerprint256.replaceAll(':', '').toLowerCase();
  return {
    name,
    groups: [...[O ?? []].flat(), AUTHENTICATED],
    keyHash: publicKeyHashOf(raw),
    extra: { 'authentication.kubernetes.io/credential-id': [`X509SHA256=${credential}`] },
  };
};

const refuseUpgrade = (socket: Duplex, error: ApiError): void => {
  if (socket.destroyed) return;
  const body = stringifyJson(error.toStatus());
  socket.once('finish', () => socket.destroy());
  socket.end(
    [
      `HTTP/1.1 ${error.code} ${error.reason}`,
      'Content-Type: application/json',
      `Content-Length: ${Buffer.byteLength(body)}`,
      'Connection: close',
      '',
      body,
    ].join('\r\n'),
  );
};

const users = new WeakMap<Socket, User>();
const DRAIN_MS = 5000;
const DISCARD_MS = 2000;
/** Each may hold the buffers of a handshake and 64 KiB of headers. */
const STRANGERS = { perAddressMax: 512, totalMax: 1024 };
