import { ApiError, hasReason } from '../../api/errors';
import { PODS } from '../../api/resources';
import { nameOf, type Pod } from '../../api/types';
import type { ApiClient } from '../../client/api-client';
import { backoffMs } from '../../lib/async/backoff';
import type { Clock } from '../../lib/clock';
import { describeError, type Log } from '../../lib/log';
import type { Random } from '../../lib/random';

export interface BinderDeps {
  readonly client: ApiClient;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

export type BindResult =
  | { readonly kind: 'bound' }
  /** Somebody else bound it: `pod` says where. */
  | { readonly kind: 'bound-elsewhere'; readonly pod: Pod }
  /** Deleted, or replaced by another pod of its name. */
  | { readonly kind: 'gone' }
  | { readonly kind: 'refused'; readonly message: string }
  /** `signal` aborted: nothing is known. */
  | { readonly kind: 'stopped' };

/**
 * Binds pods and finds out what really happened. A lost answer is no answer: the pod is read back,
 * for as long as that takes, since dropping the assumption of a pod that is bound after all would
 * give its room away twice.
 */
export class Binder {
  constructor(private readonly deps: BinderDeps) {}

  async bind(pod: Pod, nodeName: string, signal: AbortSignal): Promise<BindResult> {
    const { client, clock, log, random } = this.deps;
    const target = { ...nameOf(pod), uid: pod.metadata.uid ?? '' };
    for (let tries = 1; ; tries++) {
      try {
        await client.bind(target, nodeName, signal);
        return { kind: 'bound' };
      } catch (error) {
        if (signal.aborted) return { kind: 'stopped' };
        if (isRefusal(error)) return { kind: 'refused', message: describeError(error) };
        log.debug({ pod: target.name, node: nodeName, err: error }, 'binding outcome unknown');
        const actual = await this.readBack(pod, nodeName, signal);
        if (actual !== undefined) return actual;
        if (hasReason(error, 'Conflict') || tries >= TRIES_MAX) {
          return { kind: 'refused', message: describeError(error) };
        }
        await clock.sleep(backoffMs(tries, RETRY, random), signal);
      }
    }
  }

  /** `undefined`: the pod is there and not bound. */
  private async readBack(
    pod: Pod,
    nodeName: string,
    signal: AbortSignal,
  ): Promise<BindResult | undefined> {
    const { client, clock, random } = this.deps;
    for (let tries = 0; ; tries++) {
      try {
        const actual = await client.get(PODS, nameOf(pod), signal);
        if (actual.metadata.uid !== pod.metadata.uid) return { kind: 'gone' };
        const { nodeName: bound = '' } = actual.spec;
        if (bound === '') return undefined;
        return bound === nodeName ? { kind: 'bound' } : { kind: 'bound-elsewhere', pod: actual };
      } catch (error) {
        if (hasReason(error, 'NotFound')) return { kind: 'gone' };
        if (signal.aborted) return { kind: 'stopped' };
        await clock.sleep(backoffMs(tries, RETRY, random), signal);
      }
    }
  }
}

/** The server answered and did nothing. A conflict may be our own earlier try: that is read back. */
const isRefusal = (error: unknown): boolean =>
  error instanceof ApiError && error.code < 500 && error.reason !== 'Conflict';

const RETRY = { initialMs: 50, maxMs: 5_000 };
const TRIES_MAX = 5;
