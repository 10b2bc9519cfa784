import { isTerminal } from '../../../api/pods';
import { PODS, STATEFUL_SETS } from '../../../api/resources';
import { nameOf, type Pod, type StatefulSet } from '../../../api/types';
import type { Informer } from '../../../client/informer';
import type { ControllerDeps } from '../controller';
import type { ClaimControl } from './claim-control';
import { identityLabels, isWithin, ordinalsOf } from './identity';
import type { Member } from './plan';

/** Keeps the labels and the claims of a set's pods, also of those that were adopted. */
export class IdentityControl {
  constructor(
    private readonly pods: Informer<Pod>,
    private readonly volumes: ClaimControl,
    private readonly deps: ControllerDeps,
  ) {}

  /** Returns what failed: a pod that lacks a claim keeps no other from being made or mended. */
  async keep(
    set: StatefulSet,
    members: readonly Member[],
    signal: AbortSignal,
  ): Promise<unknown[]> {
    const failures: unknown[] = [];
    for (const member of members) {
      try {
        await this.keepOne(set, member, signal);
      } catch (error) {
        signal.throwIfAborted();
        failures.push(error);
      }
    }
    return failures;
  }

  private async keepOne(
    set: StatefulSet,
    { pod, ordinal, isLeaving }: Member,
    signal: AbortSignal,
  ): Promise<void> {
    const isWanted = isWithin(ordinal, ordinalsOf(set));
    const isKept = isWanted && !isLeaving && !isTerminal(pod);
    if (isKept) await this.label(set, pod, ordinal, signal);
    await this.volumes.keepOwners(set, pod, ordinal, isWanted, signal);
    // It waits for a claim that somebody has deleted.
    if (isKept && pod.status.phase === 'Pending') await this.volumes.ensure(set, ordinal, signal);
  }

  private async label(
    set: StatefulSet,
    pod: Pod,
    ordinal: number,
    signal: AbortSignal,
  ): Promise<void> {
    const labels = identityLabels(set, ordinal);
    const isRight = Object.entries(labels).every(
      ([name, value]) => pod.metadata.labels?.[name] === value,
    );
    if (isRight) return;
    const { uid, resourceVersion, name } = pod.metadata;
    const body = { metadata: { uid, resourceVersion, labels } };
    const { client, events } = this.deps;
    this.pods.noteWritten(await client.patch(PODS, nameOf(pod), 'merge', body, {}, signal));
    const message = `Update Pod ${name} in StatefulSet ${set.metadata.name} successful`;
    events.event(STATEFUL_SETS, set, 'Normal', 'SuccessfulUpdate', message);
  }
}
