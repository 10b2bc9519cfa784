import { isPodReady, podCondition } from '../../api/pods';
import { type Pod, uidOf } from '../../api/types';
import type { Clock } from '../../lib/clock';

export interface AvailabilityCount {
  readonly available: number;
  /** Their uids. */
  readonly uids: ReadonlySet<string>;
  /** When the next ready pod becomes available; undefined if none is on the way. */
  readonly nextInMs: number | undefined;
}

interface ReadyPod {
  /** The node's stamp of the change to ready: compared for being the same, never as a time. */
  readonly stamp: string;
  readonly sinceMs: number;
}

/**
 * How many pods of an owner have been ready for `minReadySeconds`, by this process's monotonic clock
 * from when it saw them ready: the clocks of their nodes may be wrong. Of an owner that is new to
 * this process, as after a restart, as many pods as its status says are taken for available at once,
 * those ready longest.
 */
export class Availability {
  private readonly owners = new Map<string, Map<string, ReadyPod>>();

  constructor(private readonly clock: Clock) {}

  count(
    owner: string,
    pods: readonly Pod[],
    minReadySeconds: number,
    knownAvailable: number,
  ): AvailabilityCount {
    const ready = pods.filter(isPodReady);
    if (minReadySeconds <= 0) return counted(ready.map(uidOf), undefined);
    const nowMs = this.clock.monotonicMs();
    const known = this.owners.get(owner) ?? longestReady(ready, knownAvailable);
    const current = new Map(ready.map((pod) => [uidOf(pod), sinceOf(pod, known, nowMs)]));
    this.owners.set(owner, current);
    const waits = [...current].map(
      ([uid, { sinceMs }]) => [uid, sinceMs + minReadySeconds * 1000 - nowMs] as const,
    );
    const available = waits.filter(([, ms]) => ms <= 0).map(([uid]) => uid);
    const nextInMs = Math.min(...waits.map(([, ms]) => ms).filter((ms) => ms > 0));
    return counted(available, nextInMs === Infinity ? undefined : nextInMs);
  }

  forget(owner: string): void {
    this.owners.delete(owner);
  }
}

const counted = (uids: readonly string[], nextInMs: number | undefined): AvailabilityCount => ({
  available: uids.length,
  uids: new Set(uids),
  nextInMs,
});

const sinceOf = (pod: Pod, known: ReadonlyMap<string, ReadyPod>, nowMs: number): ReadyPod => {
  const before = known.get(uidOf(pod));
  const stamp = stampOf(pod);
  return before?.stamp === stamp ? before : { stamp, sinceMs: nowMs };
};

const longestReady = (ready: readonly Pod[], count: number): ReadonlyMap<string, ReadyPod> =>
  new Map(
    [...ready]
      .sort((a, b) => (stampOf(a) < stampOf(b) ? -1 : 1))
      .slice(0, count)
      .map((pod) => [uidOf(pod), { stamp: stampOf(pod), sinceMs: -Infinity }]),
  );

const stampOf = (pod: Pod): string => podCondition(pod, 'Ready')?.lastTransitionTime ?? '';
