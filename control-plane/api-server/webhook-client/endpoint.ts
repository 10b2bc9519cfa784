import type { IncomingMessage } from 'node:http';
import { Agent, request as httpsRequest } from 'node:https';
import type { PeerCertificate } from 'node:tls';
import { Semaphore } from '../../../lib/async/semaphore';
import { brokenLimitOf, type JsonLimits } from '../http/json-size';
import { describeCallFailure, describeStatus, WebhookCallError } from './call-error';
import { checkNames } from './certificate-names';
import {
  authoritiesOf,
  isAddress,
  placeOf,
  type Place,
  type ResolveService,
  type WebhookTarget,
} from './target';

export interface EndpointLimits {
  /** Calls, and so connections, of one webhook at a time; others wait, each within its deadline. */
  readonly concurrencyMax: number;
  readonly answerBytesMax: number;
  /** Below that: a mebibyte, and so many bytes for each that was sent. Default: no such bound. */
  readonly answerBytesPerByte?: number;
}

export interface PostRequest {
  /** With the query. */
  readonly path: string;
  readonly shownUrl: string;
  readonly body: string;
  readonly traceparent?: string;
}

/** One webhook's connections. */
export class WebhookEndpoint implements Disposable {
  private readonly place: Place;
  private readonly agent: Agent;
  private readonly permits: Semaphore;
  private callCount = 0;
  private isRetired = false;

  /** @throws WebhookCallError for a target that cannot be reached by anybody */
  constructor(
    private readonly target: WebhookTarget,
    private readonly resolveService: ResolveService,
    private readonly limits: EndpointLimits,
  ) {
    this.place = placeOf(target);
    const authorities = authoritiesOf(target.caBundle);
    this.permits = new Semaphore(limits.concurrencyMax);
    this.agent = new Agent({
      ...(authorities === undefined ? {} : { ca: [...authorities] }),
      keepAlive: true,
      maxSockets: limits.concurrencyMax,
      maxFreeSockets: FREE_SOCKETS_MAX,
      timeout: IDLE_MS,
      // Who was known once must show again who it is.
      maxCachedSessions: 0,
    });
  }

  /** The text of an answer 200. @throws WebhookCallError */
  async post(request: PostRequest, signal: AbortSignal): Promise<string> {
    this.callCount++;
    try {
      return await this.permits.use(() => this.send(request, signal), signal);
    } catch (error) {
      if (error instanceof WebhookCallError) throw error;
      // An aborted wait fails in many words; the reason is one.
      const cause: unknown = signal.aborted ? abortCause(signal) : error;
      throw new WebhookCallError(describeCallFailure(cause, request.shownUrl), 0, { cause });
    } finally {
      this.callCount--;
      if (this.isRetired && this.callCount === 0) this.agent.destroy();
    }
  }

  /** No new calls come: closes the connections once the last call has ended. */
  retire(): void {
    this.isRetired = true;
    if (this.callCount === 0) this.agent.destroy();
  }

  [Symbol.dispose](): void {
    this.agent.destroy();
  }

  private async send(request: PostRequest, signal: AbortSignal): Promise<string> {
    try {
      return await this.sendOnce(request, signal);
    } catch (error) {
      // A connection that was kept, and closed from there just as it was used: nothing was asked yet.
      if (!(error instanceof StaleConnectionError) || signal.aborted) throw error;
      return this.sendOnce(request, signal);
    }
  }

  private async sendOnce(request: PostRequest, signal: AbortSignal): Promise<string> {
    const response = await this.open(request, await this.address(signal), signal);
    const code = response.statusCode ?? 0;
    const text = await readText(response, this.answerBytesMax(request));
    if (code >= 200 && code <= 206) return text;
    throw new WebhookCallError(describeStatus(code, text), code);
  }

  private answerBytesMax({ body }: PostRequest): number {
    const { answerBytesMax, answerBytesPerByte = Infinity } = this.limits;
    return Math.min(answerBytesMax, ANSWER_BYTES_LEAST + body.length * answerBytesPerByte);
  }

  private async address(signal: AbortSignal) {
    const { service } = this.target;
    const { serverName: host, port } = this.place;
    return service === undefined
      ? { host, port }
      : this.resolveService(service.namespace, service.name, port, signal);
  }

  private open(
    { path, body, traceparent }: PostRequest,
    { host, port }: { readonly host: string; readonly port: number },
    signal: AbortSignal,
  ): Promise<IncomingMessage> {
    const { serverName, authority } = this.place;
    return new Promise((resolve, reject) => {
      const outgoing = httpsRequest(
        {
          ...{ host, port, path, method: 'POST', agent: this.agent, signal },
          servername: isAddress(serverName) ? '' : serverName,
          checkServerIdentity: (_host: string, certificate: PeerCertificate) =>
            checkNames(serverName, certificate),
          headers: {
            host: authority,
            accept: 'application/json, */*',
            'content-type': 'application/json',
            'content-length': Buffer.byteLength(body),
            'user-agent': 'kube-apiserver-admission',
            ...(traceparent === undefined ? {} : { traceparent }),
          },
        },
        resolve,
      );
      outgoing.on('error', (error) =>
        reject(outgoing.reusedSocket && isClosed(error) ? new StaleConnectionError(error) : error),
      );
      outgoing.setNoDelay(true);
      outgoing.end(body);
    });
  }
}

class StaleConnectionError extends Error {
  constructor(cause: Error) {
    super(cause.message, { cause });
  }
}

const isClosed = (error: Error): boolean =>
  ['ECONNRESET', 'EPIPE'].includes((error as NodeJS.ErrnoException).code ?? '');

/** A review of a hundred objects has no more; parsing takes time by them, and not by bytes alone. */
const ANSWER_LIMITS: JsonLimits = { depthMax: 510, valueCountMax: 300_000, keyBytesMax: 8192 };

const readText = async (response: IncomingMessage, bytesMax: number): Promise<string> => {
  const chunks: Buffer[] = [];
  let bytes = 0;
  // Leaving the loop destroys the connection: what comes after is not read.
  for await (const chunk of response as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > bytesMax) throw new WebhookCallError(`the answer is larger than ${bytesMax} bytes`);
    chunks.push(chunk);
  }
  const text = Buffer.concat(chunks, bytes);
  const broken = brokenLimitOf(text, ANSWER_LIMITS);
  if (broken !== undefined)
    throw new WebhookCallError(
      `the answer is beyond what JSON may hold: ${broken} is ${ANSWER_LIMITS[broken]}`,
    );
  return text.toString('utf8');
};

/** The time that was up, or else the caller who has gone. */
const abortCause = (signal: AbortSignal): unknown => {
  const reason: unknown = signal.reason;
  return reason instanceof DOMException && reason.name === 'TimeoutError'
    ? reason
    : new DOMException('aborted', 'AbortError');
};

const ANSWER_BYTES_LEAST = 1024 * 1024;
const FREE_SOCKETS_MAX = 8;
const IDLE_MS = 60_000;
