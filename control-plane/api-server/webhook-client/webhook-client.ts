import type { Clock } from '../../../lib/clock';
import { timedController } from '../../../lib/async/timed-controller';
import { parseJson, stringifyJson } from '../../../lib/json';
import { WebhookCallError } from './call-error';
import { WebhookEndpoint, type EndpointLimits } from './endpoint';
import { placeOf, type ResolveService, type WebhookTarget } from './target';

export interface WebhookClientDeps {
  readonly clock: Clock;
  readonly resolveService: ResolveService;
  /** Default: 64 calls and connections of each webhook at a time, answers of 8 MiB. */
  readonly limits?: Partial<WebhookClientLimits>;
}

export interface WebhookClientLimits extends EndpointLimits {
  /** Webhooks whose connections are kept; of others the longest unused are closed. */
  readonly endpointsMax: number;
  /** Calls that are under way or wait, of all webhooks together. */
  readonly callsMax: number;
}

export interface CallOptions {
  readonly timeoutMs: number;
  /** The span that the call is, as W3C Trace Context has it. Absent when it is not sampled. */
  readonly traceparent?: string;
}

/**
 * Asks webhooks of all kinds: JSON by HTTPS, over connections that are kept. A webhook is code of
 * somebody else: it may be slow, be silent, or answer anything, and costs no more than the limits.
 */
export class WebhookClient implements Disposable {
  /** By target, the longest unused first. */
  private readonly endpoints = new Map<string, WebhookEndpoint>();
  private readonly limits: WebhookClientLimits;
  private callCount = 0;

  constructor(private readonly deps: WebhookClientDeps) {
    this.limits = { ...DEFAULT_LIMITS, ...deps.limits };
  }

  /**
   * The JSON that the webhook answers. One deadline is for all of it: waiting for a place, finding the
   * host, connecting, and the answer's last byte.
   * @throws WebhookCallError
   */
  async call(
    target: WebhookTarget,
    body: unknown,
    { timeoutMs, traceparent }: CallOptions,
    signal: AbortSignal,
  ): Promise<unknown> {
    const place = placeOf(target);
    const seconds = Math.ceil(timeoutMs / 1000);
    const shownUrl = `${place.shownUrl}?timeout=${seconds}s`;
    if (this.callCount >= this.limits.callsMax)
      throw new WebhookCallError(`Post ${JSON.stringify(shownUrl)}: too many calls are under way`);
    using deadline = timedController(this.deps.clock, timeoutMs, signal);
    this.callCount++;
    try {
      const endpoint = this.endpointOf(target);
      const path = `${place.path}?timeout=${seconds}s`;
      const request = {
        ...{ path, shownUrl, body: stringifyJson(body) },
        ...(traceparent === undefined ? {} : { traceparent }),
      };
      return parseAnswer(await endpoint.post(request, deadline.signal));
    } finally {
      this.callCount--;
    }
  }

  /** Closes all connections; calls that are under way fail. */
  [Symbol.dispose](): void {
    for (const endpoint of this.endpoints.values()) endpoint[Symbol.dispose]();
    this.endpoints.clear();
  }

  private endpointOf(target: WebhookTarget): WebhookEndpoint {
    const { url, service, caBundle } = target;
    const key = stringifyJson([url, service, caBundle]);
    const endpoint =
      this.endpoints.get(key) ?? new WebhookEndpoint(target, this.deps.resolveService, this.limits);
    this.endpoints.delete(key);
    this.endpoints.set(key, endpoint);
    for (const [oldKey, old] of this.endpoints) {
      if (this.endpoints.size <= this.limits.endpointsMax) break;
      this.endpoints.delete(oldKey);
      old.retire();
    }
    return endpoint;
  }
}

const parseAnswer = (text: string): unknown => {
  try {
    return parseJson(text);
  } catch (error) {
    const why = error instanceof Error ? error.message : '';
    throw new WebhookCallError(`couldn't get version/kind; json parse error: ${why.slice(0, 256)}`);
  }
};

const DEFAULT_LIMITS: WebhookClientLimits = {
  endpointsMax: 200,
  callsMax: 1024,
  concurrencyMax: 64,
  answerBytesMax: 8 * 1024 * 1024,
};
