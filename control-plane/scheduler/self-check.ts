import { groupKeyOf } from '../../api/pod-groups';
import type { Clock } from '../../lib/clock';
import type { Log } from '../../lib/log';
import type { IndexedEngine } from './engine/indexed-engine';
import type { PodInfo } from './pod-info';
import { withoutPreemption, type Profiles } from './profile';
import type { SchedulingQueue } from './queue';
import type { SchedulerMetrics } from './scheduler-metrics';
import type { VolumeView } from './volumes/volume-view';

export interface SelfCheckDeps {
  readonly clock: Clock;
  readonly log: Log;
  readonly queue: SchedulingQueue;
  readonly engine: Pick<IndexedEngine, 'decide'>;
  readonly seed: number;
  readonly profiles: Profiles;
  readonly volumes: Pick<VolumeView, 'resolve'>;
  readonly metrics: Pick<SchedulerMetrics, 'overslept'>;
}

/**
 * Looks again and again through the pods that wait for a change. Every change that lets one in should
 * have woken it: one that fits a node all the same is a fault of ours, and is told of and tried.
 */
export class SelfCheck {
  /** Those that this pass over the queue has looked at. */
  private readonly seen = new Set<string>();

  constructor(private readonly deps: SelfCheckDeps) {}

  async run(signal: AbortSignal): Promise<void> {
    for (;;) {
      await this.deps.clock.sleep(PERIOD_MS, signal);
      if (signal.aborted) return;
      await this.round(signal);
    }
  }

  /** As many as are looked at in one go; the next round goes on behind them. */
  private async round(signal: AbortSignal): Promise<void> {
    const parked = this.deps.queue.parkedFor(PERIOD_MS);
    const unseen = parked.filter(({ uid }) => !this.seen.has(uid));
    for (const info of unseen.slice(0, PODS_PER_ROUND)) {
      this.seen.add(info.uid);
      this.look(info);
      // A class that is not known yet costs a look at every node.
      await nextTurn();
      if (signal.aborted) return;
    }
    if (unseen.length <= PODS_PER_ROUND) this.seen.clear();
  }

  private look(info: PodInfo): void {
    const { queue, log, metrics } = this.deps;
    // Of a group, a member alone says nothing; and what has just changed may be about to wake it.
    if (groupKeyOf(info.pod) !== undefined || !queue.isParked(info.uid) || queue.hasChanges) return;
    const nodeName = this.nodeFor(info);
    if (nodeName === undefined) return;
    const waitedFor = [...(queue.inspect(info.uid)?.wakeOn ?? [])].join(' ');
    log.error({ pod: info.key, node: nodeName, waitedFor }, 'a pod that fits was not woken');
    metrics.overslept();
    queue.rouse(info.uid, 'SelfCheck');
  }

  private nodeFor(info: PodInfo): string | undefined {
    const { engine, seed, profiles, volumes } = this.deps;
    const profile = withoutPreemption(profiles.of(info.pod));
    try {
      return engine.decide(volumes.resolve(info), seed, profile).nodeName;
    } catch {
      // A pod that breaks a plugin is told of at its attempts.
      return undefined;
    }
  }
}

const nextTurn = () => new Promise((resolve) => setImmediate(resolve));

const PERIOD_MS = 30_000;
const PODS_PER_ROUND = 200;
