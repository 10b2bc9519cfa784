import { request as httpRequest, type IncomingMessage, type OutgoingHttpHeaders } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { RegistryTls } from './endpoints';

export interface HttpRequest {
  readonly method: 'GET' | 'HEAD' | 'POST' | 'PUT';
  readonly headers?: OutgoingHttpHeaders;
  readonly body?: Buffer | AsyncIterable<Buffer>;
  readonly tls?: RegistryTls | undefined;
}

/** A response whose body must be read or destroyed by the caller. */
export interface HttpResponse {
  readonly url: URL;
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  readonly body: IncomingMessage;
}

/** The server could not be reached, or the connection broke: another try may help. */
export class ConnectionError extends Error {
  override readonly name = 'ConnectionError';
}

/**
 * One HTTP exchange, following redirects of GET and HEAD. Credentials stay with the origin they are
 * for, and https never becomes http. @throws ConnectionError
 */
export const exchange = async (
  url: URL,
  request: HttpRequest,
  signal: AbortSignal,
): Promise<HttpResponse> => {
  let current = url;
  let headers = request.headers ?? {};
  for (let hops = 0; hops <= REDIRECTS_MAX; hops++) {
    const tls = current.origin === url.origin ? request.tls : undefined;
    const response = await send(current, { ...request, headers, tls }, signal);
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

/** The whole body, within a bound. */
export const readBody = async (response: HttpResponse, maxBytes: number): Promise<Buffer> => {
  const chunks: Buffer[] = [];
  let size = 0;
  try {
    for await (const chunk of response.body as AsyncIterable<Buffer>) {
      size += chunk.length;
      if (size > maxBytes) break;
      chunks.push(chunk);
    }
  } catch (error) {
    throw connectionError(response.url, error);
  }
  if (size > maxBytes)
    throw new Error(`answer of ${response.url.origin} exceeds ${maxBytes} bytes`);
  return Buffer.concat(chunks);
};

export const connectionError = (url: URL, error: unknown): ConnectionError =>
  new ConnectionError(`${url.origin}: ${error instanceof Error ? error.message : String(error)}`, {
    cause: error,
  });

const send = async (
  url: URL,
  { method, headers, body, tls }: HttpRequest,
  signal: AbortSignal,
): Promise<HttpResponse> => {
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
  const sent = sendBody(outgoing, body);
  try {
    const response = await Promise.race([responded, sent.then(() => responded)]);
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
