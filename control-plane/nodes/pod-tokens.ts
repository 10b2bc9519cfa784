import {
  DEFAULT_TOKEN_SECONDS,
  tokenKey,
  type PodToken,
  type TokenOrder,
} from '../../api/assignment-rows';
import { isPodActive } from '../../api/pods';
import { type Pod, uidOf } from '../../api/types';
import { Alarm } from '../../lib/async/alarm';
import type { Clock } from '../../lib/clock';
import { describeError, type Log } from '../../lib/log';
import type { IssueToken } from './deps';
import type { PodIndex } from './pod-index';

export interface PodTokensDeps {
  readonly nodeName: string;
  readonly podIndex: Pick<PodIndex, 'podsOn'>;
  readonly issueToken: IssueToken;
  /** What the drivers of its volumes want. */
  readonly csiOrdersOf: (pod: Pod) => readonly TokenOrder[];
  readonly clock: Clock;
  readonly log: Log;
  /** There are other tokens now. */
  readonly onChange: () => void;
}

interface Held {
  readonly row: PodToken;
  /** When the next is due, on the monotonic clock. */
  readonly dueMs: number;
}

interface Wanted {
  readonly key: string;
  readonly pod: Pod;
  readonly audience: string;
  readonly lifetimeSeconds: number;
}

/**
 * The tokens of one node's pods, for as long as its session lasts: each bound to its pod, and issued
 * anew when a fifth of its life is left, as kubelets ask for them (pkg/kubelet/token).
 */
export class PodTokens {
  private readonly held = new Map<string, Held>();
  private readonly alarm: Alarm;
  /** Of who waits until all are issued. */
  private readonly issued: Alarm;
  /** How often pods changed, and how many of these changes all tokens are issued for. */
  private changeCount = 1;
  private issuedCount = 0;

  constructor(private readonly deps: PodTokensDeps) {
    this.alarm = new Alarm(deps.clock);
    this.issued = new Alarm(deps.clock);
  }

  tokens(): readonly PodToken[] {
    return [...this.held.values()].map(({ row }) => row);
  }

  podsChanged(): void {
    this.changeCount++;
    this.alarm.wake();
  }

  /**
   * Until there are tokens for all pods, or `timeoutMs` have passed: what comes together is written,
   * read and acted on once.
   */
  async whenIssued(timeoutMs: number, signal: AbortSignal): Promise<void> {
    if (this.issuedCount === this.changeCount) return;
    await this.issued.sleep(timeoutMs, signal);
  }

  /** Issues what is missing or due until `signal` aborts. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, onChange } = this.deps;
    while (!signal.aborted) {
      const { wakes } = this.alarm;
      const { changeCount } = this;
      if (await this.issueDue(signal)) onChange();
      this.issuedCount = changeCount;
      if (changeCount === this.changeCount) this.issued.wake();
      const dueMs = Math.min(...[...this.held.values()].map((each) => each.dueMs));
      const idleMs = Math.min(IDLE_MAX_MS, Math.max(0, dueMs - clock.monotonicMs()));
      await this.alarm.sleep(idleMs, signal, wakes);
    }
  }

  private async issueDue(signal: AbortSignal): Promise<boolean> {
    const wanted = this.wanted();
    let isChanged = false;
    for (const key of [...this.held.keys()])
      if (!wanted.has(key)) isChanged = this.held.delete(key) || isChanged;
    for (const each of wanted.values()) {
      const { key } = each;
      const dueMs = this.held.get(key)?.dueMs ?? 0;
      if (signal.aborted || dueMs > this.deps.clock.monotonicMs()) continue;
      this.held.set(key, await this.issue(each, signal));
      isChanged = true;
    }
    return isChanged;
  }

  private async issue(
    { key, pod, audience, lifetimeSeconds }: Wanted,
    signal: AbortSignal,
  ): Promise<Held> {
    const { clock, issueToken, log, nodeName } = this.deps;
    const nowMs = clock.monotonicMs();
    try {
      const token = await issueToken(pod, { audience, lifetimeSeconds }, signal);
      const lifeMs = Math.min(lifetimeSeconds * 1000 * REFRESH_AT, REFRESH_MAX_MS);
      return { row: { key, token }, dueMs: nowMs + lifeMs };
    } catch (error) {
      const why = describeError(error);
      log.debug({ node: nodeName, pod: pod.metadata.name, err: why }, 'no token for a pod yet');
      const before = this.held.get(key)?.row.token;
      // One that still holds is better than none.
      const row = before === undefined ? { key, error: why } : { key, token: before };
      return { row, dueMs: nowMs + RETRY_MS };
    }
  }

  private wanted(): ReadonlyMap<string, Wanted> {
    const { podIndex, nodeName, csiOrdersOf } = this.deps;
    const all = podIndex
      .podsOn(nodeName)
      .filter(isPodActive)
      .flatMap((pod) => ordersOf(pod, csiOrdersOf));
    return new Map(all.map((each) => [each.key, each]));
  }
}

const ordersOf = (pod: Pod, csiOrdersOf: PodTokensDeps['csiOrdersOf']): readonly Wanted[] => {
  const own = remembered.get(pod) ?? projectedOrders(pod);
  remembered.set(pod, own);
  // What drivers ask for may change while the pod does not.
  const orders = csiOrdersOf(pod);
  return orders.length === 0 ? own : [...own, ...orders.map((order) => wantedBy(pod, order))];
};

/** Pods are never changed in place, and each change on a node asks for those of all of its pods. */
const remembered = new WeakMap<Pod, readonly Wanted[]>();

/** Of a pod of another shape than the API lets in, none: its agent says what is wrong. */
const projectedOrders = (pod: Pod): readonly Wanted[] => {
  try {
    return (pod.spec.volumes ?? [])
      .flatMap(({ projected }) => projected?.sources ?? [])
      .flatMap(({ serviceAccountToken }) =>
        serviceAccountToken === undefined ? [] : [wantedBy(pod, serviceAccountToken)],
      );
  } catch {
    return [];
  }
};

const wantedBy = (pod: Pod, order: TokenOrder): Wanted => ({
  key: tokenKey(uidOf(pod), order),
  pod,
  audience: order.audience ?? '',
  lifetimeSeconds: Number(order.expirationSeconds ?? DEFAULT_TOKEN_SECONDS),
});

const REFRESH_AT = 0.8;
/** However long a token lives. */
const REFRESH_MAX_MS = 24 * 60 * 60 * 1000;
const RETRY_MS = 10_000;
const IDLE_MAX_MS = 60 * 60 * 1000;
