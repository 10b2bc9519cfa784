import type { Pod } from '../../api/types';
import type { JobThread } from '../../lib/async/job-thread';
import { describeError, type Log } from '../../lib/log';
import type { MeterJob, MeterReading } from './meter';
import { isCritical } from '../pod-spec/critical';
import { storageExcess, storagePlanOf, type StoragePlaces } from './storage-limits';

/** A pod that may have outgrown its limits. */
export interface MeasuredPod {
  readonly uid: string;
  readonly current: Pod;
  evict(ending: { readonly reason: string; readonly message: string }, graceMs: number): void;
}

interface StorageKeeperDeps {
  readonly meter: JobThread<MeterJob, MeterReading>;
  readonly placesOf: (pod: Pod) => StoragePlaces;
  readonly log: Log;
}

/**
 * Evicts pods that take more disk than they may. Each is measured by itself and for as long as it
 * takes: what one has filled with a million files keeps no other from being looked at.
 */
export class StorageKeeper {
  private readonly measuring = new Map<string, Promise<void>>();
  private readonly incomplete = new Set<string>();

  constructor(private readonly deps: StorageKeeperDeps) {}

  /** Begins to measure every pod that has limits and is not being measured. */
  look(pods: readonly MeasuredPod[], signal: AbortSignal): void {
    for (const pod of pods) {
      if (this.measuring.has(pod.uid)) continue;
      const task = this.judge(pod, signal).finally(() => this.measuring.delete(pod.uid));
      this.measuring.set(pod.uid, task);
    }
    for (const uid of this.incomplete)
      if (!pods.some((pod) => pod.uid === uid)) this.incomplete.delete(uid);
  }

  async drained(): Promise<void> {
    await Promise.all(this.measuring.values());
  }

  private async judge(pod: MeasuredPod, signal: AbortSignal): Promise<void> {
    const { meter, placesOf, log } = this.deps;
    try {
      const plan = storagePlanOf(pod.current, placesOf(pod.current));
      if (plan.subjects.length === 0 || isCritical(pod.current)) return;
      const reading = await meter.run(plan.job, signal);
      const message = storageExcess(plan, reading);
      if (message !== undefined) pod.evict({ reason: 'Evicted', message }, EVICTION_GRACE_MS);
      else if (!reading.isWhole) this.tellIncomplete(pod.uid);
    } catch (error) {
      if (!signal.aborted)
        log.warn({ uid: pod.uid, err: describeError(error) }, 'cannot measure the disk of a pod');
    }
  }

  private tellIncomplete(uid: string): void {
    if (this.incomplete.has(uid)) return;
    this.incomplete.add(uid);
    this.deps.log.warn({ uid }, 'not all that a pod has written can be measured');
  }
}

/** As the kubelet's: who fills the disk gets no time to go on. */
const EVICTION_GRACE_MS = 1_000;
