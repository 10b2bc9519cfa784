import { request as httpRequest, type IncomingMessage, type OutgoingHttpHeaders } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { Clock } from '../../lib/clock';
import { connected, connectionError, noConnection, watchProgress, within } from './connection';
import type { RegistryTls } from './endpoints';

export interface HttpRequest {
  readonly method: 'GET' | 'HEAD' | 'POST' | 'PUT';
  readonly headers?: OutgoingHttpHeaders;
  readonly body?: Buffer | AsyncIterable<Buffer>;
  readonly tls?: RegistryTls | undefined;
}

/** How long a server may take. */
export interface HttpLimits {
  /** Resolving its name, connecting and the TLS handshake. */
  readonly connectMs: number;
  /** From the end of the request to the end of the answer's headers. */
  readonly answerMs: number;
  /** Reading a whole answer into memory. */
  readonly bodyMs: number;
  /** A body of any length must bring `progressBytes` in each `progressMs` in which it is waited for. */
  readonly progressMs: number;
  readonly progressBytes: number;
}

export interface HttpDeps {
  readonly clock: Clock;
  readonly limits?: Partial<HttpLimits> | undefined;
}

/** A response whose body must be read or destroyed by the caller. */
export interface HttpResponse {
  readonly url: URL;
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  readonly body: IncomingMessage;
}

/**
 * One HTTP exchange, following redirects of GET and HEAD. Credentials stay with the origin they are
 * for, and https never becomes http. @throws ConnectionError
 */
export const exchange = async (
  url: URL,
  request: HttpRequest,
  deps: HttpDeps,
  signal: AbortSignal,
): Promise<HttpResponse> => {
  let current = url;
  let headers = request.headers ?? {};
  for (let hops = 0; hops <= REDIRECTS_MAX; hops++) {
    const tls = current.origin === url.origin ? request.tls : undefined;
    const response = await send(current, { ...request, headers, tls }, deps, signal);
    const { location } = response.headers;
    const isRedirect = REDIRECTS.has(response.status) && location !== undefined;
    if (!isRedirect || (request.method !== 'GET' && request.method !== 'HEAD')) return response;
    response.body.destroy();
    const next = targetOf(location, current);
    const isAllowed = next.protocol === 'https:' || next.protocol === url.protocol;
    if (!isAllowed || !/^https?:$/.test(next.protocol)) {
      throw new Error(`refused a redirect from ${current.origin} to ${next.origin}`);
    }
    if (next.origin !== current.origin) headers = withoutCredentials(headers);
    current = next;
  }
  throw new Error(`more than ${REDIRECTS_MAX} redirects from ${url.origin}`);
};

const targetOf = (location: string, from: URL): URL => {
  if (!URL.canParse(location, from.href))
    throw new Error(`refused a redirect from ${from.origin}: it leads to no URL`);
  return new URL(location, from);
};

/** The whole body, within a bound. @throws ConnectionError */
export const readBody = async (
  response: HttpResponse,
  maxBytes: number,
  deps: HttpDeps,
): Promise<Buffer> => {
  const { buffer, isWhole } = await readStart(response, maxBytes, deps);
  if (!isWhole) throw new Error(`answer of ${response.url.origin} exceeds ${maxBytes} bytes`);
  return buffer;
};

/** The first bytes of a body, whose rest is not received. @throws ConnectionError */
export const readStart = async (
  { body, url }: HttpResponse,
  maxBytes: number,
  { clock, limits }: HttpDeps,
): Promise<{ readonly buffer: Buffer; readonly isWhole: boolean }> => {
  const limitMs = limits?.bodyMs ?? HTTP_LIMITS.bodyMs;
  const lateError = (limit: string) => new Error(`the answer did not end ${limit}`);
  const chunks: Buffer[] = [];
  let size = 0;
  try {
    await within({ stream: body, limitMs, clock, lateError }, async () => {
      for await (const chunk of body as AsyncIterable<Buffer>) {
        chunks.push(chunk);
        if ((size += chunk.length) > maxBytes) break;
      }
    });
  } catch (error) {
    throw connectionError(url, error);
  }
  return { buffer: Buffer.concat(chunks).subarray(0, maxBytes), isWhole: size <= maxBytes };
};

const send = async (
  url: URL,
  { method, headers, body, tls }: HttpRequest,
  { clock, limits: given }: HttpDeps,
  signal: AbortSignal,
): Promise<HttpResponse> => {
  const limits = { ...HTTP_LIMITS, ...given };
  const start = url.protocol === 'https:' ? httpsRequest : httpRequest;
  const outgoing = start(url, {
    method,
    headers: { 'user-agent': 'dhow', ...headers },
    // A hung server must not hold a pull for ever; bytes that flow reset it.
    timeout: IDLE_TIMEOUT_MS,
    signal,
    agent: false,
    ...tlsOptions(tls),
  });
  outgoing.on('timeout', () => outgoing.destroy(new Error('timed out waiting for the server')));
  const responded = new Promise<IncomingMessage>((resolve, reject) => {
    outgoing.once('response', resolve);
    outgoing.once('error', reject);
  });
  // After the answer has begun, the body's reader sees the error.
  outgoing.on('error', () => undefined);
  try {
    const connecting = { stream: outgoing, limitMs: limits.connectMs, clock };
    await within({ ...connecting, lateError: noConnection }, () => connected(outgoing, responded));
    await Promise.race([responded, sendBody(outgoing, body)]);
    const lateError = (limit: string) => new Error(`no answer ${limit}`);
    const answering = { stream: outgoing, limitMs: limits.answerMs, clock, lateError };
    const response = await within(answering, () => responded);
    watchProgress(response, clock, limits);
    return { url, status: response.statusCode ?? 0, headers: response.headers, body: response };
  } catch (error) {
    outgoing.destroy();
    signal.throwIfAborted();
    throw connectionError(url, error);
  }
};

const sendBody = async (
  outgoing: ReturnType<typeof httpRequest>,
  body: HttpRequest['body'],
): Promise<void> => {
  if (body === undefined || Buffer.isBuffer(body)) outgoing.end(body);
  else await pipeline(Readable.from(body, { objectMode: false }), outgoing);
};

const tlsOptions = (tls: RegistryTls | undefined): object =>
  tls === undefined
    ? {}
    : {
        ...(tls.ca === undefined ? {} : { ca: tls.ca }),
        ...(tls.cert === undefined ? {} : { cert: tls.cert }),
        ...(tls.key === undefined ? {} : { key: tls.key }),
        ...(tls.serverName === undefined ? {} : { servername: tls.serverName }),
      };

const withoutCredentials = (headers: OutgoingHttpHeaders): OutgoingHttpHeaders =>
  Object.fromEntries(Object.entries(headers).filter(([name]) => name !== 'authorization'));

const REDIRECTS = new Set([301, 302, 303, 307, 308]);
const REDIRECTS_MAX = 5;
const IDLE_TIMEOUT_MS = 30_000;

export const HTTP_LIMITS: HttpLimits = {
  connectMs: 10_000,
  answerMs: 30_000,
  bodyMs: 60_000,
  // A layer of 1 GB at this speed takes days, and yet somebody may wait for it.
  progressMs: 30_000,
  progressBytes: 32 * 1024,
};
