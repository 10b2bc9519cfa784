import { Agent, request as httpsRequest } from 'node:https';
import type { IncomingMessage, OutgoingHttpHeaders } from 'node:http';
import { connect, type TLSSocket } from 'node:tls';
import { ApiError, type Status } from '../api/errors';
import type { ClientConfig, Impersonated } from './kubeconfig';
import { timedController, type TimedController } from '../lib/async/timed-controller';
import { systemClock } from '../lib/clock';
import { parseJson } from '../lib/json';

export interface HttpRequest {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE' | 'HEAD';
  /** Path with query. */
  readonly path: string;
  readonly body?: string | Uint8Array;
  readonly contentType?: string;
  readonly accept?: string;
  readonly signal?: AbortSignal | undefined;
}

/** HTTPS to one server as one user, over connections that are kept. Failures are `ApiError`s. */
export class HttpClient {
  private readonly agent: Agent;
  private readonly base: URL;

  constructor(private readonly config: ClientConfig) {
    this.base = new URL(config.server);
    this.agent = new Agent({ ...this.tlsOptions(), keepAlive: true, maxSockets: 64 });
  }

  /** Sends one request; resolves with a response of status < 400, whose body is still to be read. */
  async open(request: HttpRequest): Promise<IncomingMessage> {
    const response = await this.send(request);
    if ((response.statusCode ?? 0) < 400) return response;
    throw await errorOf(response);
  }

  /** As `open`, with the body read as text: at most `MAX_BODY_BYTES`. */
  async text(request: HttpRequest): Promise<{ text: string; warnings: readonly string[] }> {
    const response = await this.open(request);
    return { text: await readText(response), warnings: warningsOf(response) };
  }

  /** A TLS connection of its own, for protocols that take it over. */
  connectTls(): Promise<TLSSocket> {
    return new Promise((resolve, reject) => {
      const socket = connect({
        ...this.tlsOptions(),
        host: hostIn(this.base),
        port: Number(this.base.port || 443),
      });
      socket.once('secureConnect', () => resolve(socket));
      socket.once('error', (error: Error) => reject(this.unreachable(error)));
    });
  }

  /** TLS and authorization settings, for libraries that make their own connection. */
  get credentials(): {
    readonly url: URL;
    readonly tls: ReturnType<HttpClient['tlsOptions']>;
    readonly headers: Readonly<Record<string, string | string[]>>;
  } {
    return { url: this.base, tls: this.tlsOptions(), headers: this.authorization() };
  }

  close(): void {
    this.agent.destroy();
  }

  private send(request: HttpRequest): Promise<IncomingMessage> {
    return new Promise((resolve, reject) => {
      const { body } = request;
      const deadline = this.deadline(request.signal);
      const signal = deadline?.signal ?? request.signal;
      const outgoing = httpsRequest(
        {
          host: hostIn(this.base),
          port: this.base.port || 443,
          method: request.method,
          path: request.path,
          agent: this.agent,
          headers: this.headers(request),
          ...(signal === undefined ? {} : { signal }),
        },
        resolve,
      );
      outgoing.once('error', (error) => reject(this.unreachable(error)));
      if (deadline !== undefined) outgoing.once('close', () => deadline[Symbol.dispose]());
      outgoing.setNoDelay(true);
      outgoing.end(body);
    });
  }

  /** Ends when the request does, or the answer takes too long. */
  private deadline(signal: AbortSignal | undefined): TimedController | undefined {
    const { requestTimeoutMs } = this.config;
    if (requestTimeoutMs === undefined) return undefined;
    return timedController(
      systemClock,
      requestTimeoutMs,
      ...(signal === undefined ? [] : [signal]),
    );
  }

  private headers({ body, contentType, accept }: HttpRequest): OutgoingHttpHeaders {
    return {
      accept: accept ?? 'application/json',
      'user-agent': 'dhow',
      ...this.authorization(),
      ...(body === undefined
        ? {}
        : {
            'content-type': contentType ?? 'application/json',
            'content-length': Buffer.byteLength(body),
          }),
    };
  }

  private authorization(): Record<string, string | string[]> {
    const { authorization, impersonate } = this.config;
    return {
      ...(authorization === undefined ? {} : { authorization }),
      ...(impersonate === undefined ? {} : impersonating(impersonate)),
    };
  }

  private tlsOptions() {
    const { ca, cert, key, skipTlsVerify, tlsServerName } = this.config;
    return {
      ...(ca === undefined ? {} : { ca }),
      ...(cert === undefined ? {} : { cert }),
      ...(key === undefined ? {} : { key }),
      ...(tlsServerName === undefined ? {} : { servername: tlsServerName }),
      rejectUnauthorized: !skipTlsVerify,
    };
  }

  private unreachable(cause: Error): ApiError {
    const { host } = this.base;
    const { requestTimeoutMs } = this.config;
    if (isTimeout(cause)) {
      const why = `the server ${host} did not answer within ${requestTimeoutMs ?? 0} ms: --request-timeout`;
      return new ApiError('ServiceUnavailable', `Unable to connect: ${why}`, { cause });
    }
    const code = (cause as NodeJS.ErrnoException).code ?? '';
    const why =
      code === 'ECONNREFUSED'
        ? `The connection to the server ${host} was refused - did you specify the right host or port?`
        : `Unable to connect to the server ${host}: ${cause.message}`;
    return new ApiError('ServiceUnavailable', why, { cause });
  }
}

const isTimeout = (error: Error): boolean =>
  (error as NodeJS.ErrnoException).code === 'ABORT_ERR' &&
  (error.cause as Error | undefined)?.name === 'TimeoutError';

/** Source: upstream's headers of impersonation. */
const impersonating = ({ user, groups, uid }: Impersonated): Record<string, string | string[]> => ({
  'impersonate-user': user,
  ...(groups.length === 0 ? {} : { 'impersonate-group': [...groups] }),
  ...(uid === undefined ? {} : { 'impersonate-uid': uid }),
});

/** `Warning: 299 - "text"` headers, as texts. Source: RFC 7234 §5.5, KEP-1693. */
const warningsOf = (response: IncomingMessage): readonly string[] => {
  const header = response.headers['warning'] ?? '';
  return [...header.matchAll(/299 \S+ "((?:[^"\\]|\\.)*)"/g)].map((match) =>
    (match[1] ?? '').replace(/\\(.)/g, '$1'),
  );
};

const errorOf = async (response: IncomingMessage): Promise<ApiError> => {
  const code = response.statusCode ?? 500;
  const text = await readText(response);
  try {
    const status = parseJson(text) as Partial<Status>;
    if (status.kind === 'Status') return ApiError.fromStatus(status, code);
  } catch {
    // Not ours: a proxy's page, say. Its text is the best message there is.
  }
  return ApiError.fromStatus({ message: text.trim().slice(0, 1024) || `HTTP ${code}` }, code);
};

const readText = async (response: IncomingMessage): Promise<string> => {
  const chunks: Buffer[] = [];
  let sizeBytes = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    sizeBytes += chunk.length;
    if (sizeBytes > MAX_BODY_BYTES) throw new ApiError('InternalError', 'the answer is too large');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
};

const MAX_BODY_BYTES = 512 * 1024 * 1024;

/** As sockets take it: in a URL an address of IPv6 has brackets. */
const hostIn = ({ hostname }: URL): string => hostname.replace(/^\[(.*)\]$/, '$1');
