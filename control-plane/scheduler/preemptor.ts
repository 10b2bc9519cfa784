import { hasReason } from '../../api/errors';
import { disruption } from '../../api/pods';
import { PODS } from '../../api/resources';
import { nameOf, uidOf, type Pod } from '../../api/types';
import type { ApiClient } from '../../client/api-client';
import type { EventRecorder } from '../../client/events';
import { rfc3339, type Clock } from '../../lib/clock';
import { describeError, type Log } from '../../lib/log';
import { disruptedMessage, preemptedMessage } from './message';
import type { Preemption } from './preemption';
import type { PodInfo } from './pod-info';
import { DEFAULT_SCHEDULER_NAME } from './profile';

export interface PreemptorDeps {
  readonly client: ApiClient;
  readonly eventsFor: (pod: Pod) => EventRecorder;
  readonly clock: Clock;
  readonly log: Log;
}

/** Has pods end for others. Source: upstream's framework/preemption, PreemptPod. */
export class Preemptor {
  constructor(private readonly deps: PreemptorDeps) {}

  /** By the pod's own scheduler's name. Beside the scheduling of others. What fails is looked for anew at the pod's next attempt. */
  async evict(
    preemptor: PodInfo,
    { victims, nodeName }: Preemption,
    signal: AbortSignal,
  ): Promise<void> {
    for (const victim of victims) {
      if (victim.isTerminating) continue;
      try {
        await this.end(victim, preemptor, signal);
        const message = preemptedMessage(preemptor.uid, nodeName);
        this.deps.eventsFor(preemptor.pod).event(PODS, victim.pod, 'Normal', 'Preempted', message);
      } catch (error) {
        // It has gone by itself, or another has its name.
        if (hasReason(error, 'NotFound') || hasReason(error, 'Conflict')) continue;
        const { log } = this.deps;
        if (!signal.aborted)
          log.warn({ pod: victim.key, err: describeError(error) }, 'a pod was not preempted');
        return;
      }
    }
  }

  private async end({ pod }: PodInfo, preemptor: PodInfo, signal: AbortSignal): Promise<void> {
    const { client, clock } = this.deps;
    const { schedulerName = DEFAULT_SCHEDULER_NAME } = preemptor.pod.spec;
    const uid = uidOf(pod);
    const { generation } = pod.metadata;
    const condition = {
      ...disruption('PreemptionByScheduler', disruptedMessage(schedulerName)),
      lastTransitionTime: rfc3339(clock.now()),
      ...(generation === undefined ? {} : { observedGeneration: generation }),
    };
    const body = { metadata: { uid }, status: { conditions: [condition] } };
    await client.patch(PODS, nameOf(pod), 'strategic', body, { subresource: 'status' }, signal);
    await client.delete(PODS, nameOf(pod), { preconditions: { uid } }, signal);
  }
}
