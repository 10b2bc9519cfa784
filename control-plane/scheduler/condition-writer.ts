import { podCondition } from '../../api/pods';
import { PODS } from '../../api/resources';
import { nameOf, type Pod } from '../../api/types';
import type { ApiClient } from '../../client/api-client';
import type { TaskGroup } from '../../lib/async/task-group';
import { rfc3339, type Clock } from '../../lib/clock';
import type { Log } from '../../lib/log';

export interface ConditionWriterDeps {
  readonly client: ApiClient;
  readonly clock: Clock;
  readonly log: Log;
}

interface Wanted {
  readonly pod: Pod;
  readonly reason: string;
  readonly message: string;
  /** Where others end for the pod. */
  readonly nominatedNodeName?: string | undefined;
}

/**
 * Writes `PodScheduled=False` in the background, only where the pod does not say so already. Per
 * pod only the latest is kept; a write that fails is left to the pod's next attempt.
 */
export class ConditionWriter {
  private readonly waiting = new Map<string, Wanted>();
  private workerCount = 0;
  private group: TaskGroup | undefined;

  constructor(private readonly deps: ConditionWriterDeps) {}

  /** Starts writing, what waits first, by tasks of `group`. */
  start(group: TaskGroup): void {
    this.group = group;
    for (let count = 0; count < Math.min(WORKERS_MAX, this.waiting.size); count++) this.addWorker();
  }

  write(pod: Pod, wanted: Omit<Wanted, 'pod'>): void {
    const { reason, message, nominatedNodeName = '' } = wanted;
    const current = podCondition(pod, 'PodScheduled');
    const isWritten =
      current?.status === 'False' &&
      current.reason === reason &&
      current.message === message &&
      (pod.status.nominatedNodeName ?? '') === nominatedNodeName;
    const { uid = '' } = pod.metadata;
    if (isWritten || this.waiting.size >= WAITING_MAX) return;
    this.waiting.set(uid, { pod, ...wanted });
    this.addWorker();
  }

  private addWorker(): void {
    if (this.group === undefined || this.workerCount >= WORKERS_MAX) return;
    this.workerCount++;
    this.group.run((signal) => this.work(signal));
  }

  private async work(signal: AbortSignal): Promise<void> {
    try {
      for (;;) {
        const [next] = this.waiting;
        if (next === undefined || signal.aborted) return;
        this.waiting.delete(next[0]);
        await this.patch(next[1], signal);
      }
    } finally {
      this.workerCount--;
    }
  }

  private async patch(wanted: Wanted, signal: AbortSignal): Promise<void> {
    const { pod, reason, message, nominatedNodeName = null } = wanted;
    const { client, clock, log } = this.deps;
    const current = podCondition(pod, 'PodScheduled');
    const { uid, generation } = pod.metadata;
    const condition = {
      type: 'PodScheduled',
      status: 'False',
      reason,
      message,
      lastProbeTime: null,
      lastTransitionTime:
        current?.status === 'False' && current.lastTransitionTime !== undefined
          ? current.lastTransitionTime
          : rfc3339(clock.now()),
      ...(generation === undefined ? {} : { observedGeneration: generation }),
    };
    // The uid makes the write fail on another pod that took the name.
    const isNews = nominatedNodeName !== (pod.status.nominatedNodeName ?? null);
    const nomination = isNews ? { nominatedNodeName } : {};
    const body = { metadata: { uid }, status: { conditions: [condition], ...nomination } };
    try {
      const options = { subresource: 'status' } as const;
      await client.patch(PODS, nameOf(pod), 'strategic', body, options, signal);
    } catch (error) {
      if (!signal.aborted)
        log.debug({ pod: pod.metadata.name, err: error }, 'condition not written');
    }
  }
}

const WORKERS_MAX = 32;
const WAITING_MAX = 10_000;
