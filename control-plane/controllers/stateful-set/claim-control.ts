import { ApiError, hasReason } from '../../../api/errors';
import { PERSISTENT_VOLUME_CLAIMS, STATEFUL_SETS } from '../../../api/resources';
import { nameOf, type PersistentVolumeClaim, type Pod, type StatefulSet } from '../../../api/types';
import type { DraftOf } from '../../../client/api-client';
import type { Informer } from '../../../client/informer';
import { ToldError } from '../../../client/object-faults';
import { describeError } from '../../../lib/log';
import type { ControllerDeps } from '../controller';
import { claimDrafts, claimNames, claimOwners, hasManager, isStale } from './claims';
import { podName } from './identity';

/** Makes the claims of a set's pods, and sees to it that they go with whom the set's policy says. */
export class ClaimControl {
  readonly informer: Informer<PersistentVolumeClaim>;

  constructor(private readonly deps: ControllerDeps) {
    this.informer = deps.informers.of(PERSISTENT_VOLUME_CLAIMS);
  }

  /** Must the pod of this ordinal wait until a claim of the one before it is gone? */
  mustWait(set: StatefulSet, ordinal: number): boolean {
    return claimNames(set, ordinal).some((name) => {
      const claim = this.get(set, name);
      return claim !== undefined && isStale(set, podName(set, ordinal), claim);
    });
  }

  /** Makes those of the pod that are missing, and returns all. @throws when one cannot be made */
  async ensure(
    set: StatefulSet,
    ordinal: number,
    signal: AbortSignal,
  ): Promise<readonly PersistentVolumeClaim[]> {
    const claims: PersistentVolumeClaim[] = [];
    for (const draft of claimDrafts(set, ordinal)) {
      const known = this.get(set, draft.metadata.name ?? '');
      claims.push(known ?? (await this.create(set, ordinal, draft, signal)));
    }
    return claims;
  }

  /** The same before the pod is made. @throws also while one is being deleted */
  async prepare(set: StatefulSet, ordinal: number, signal: AbortSignal): Promise<void> {
    for (const { metadata } of await this.ensure(set, ordinal, signal))
      if (metadata.deletionTimestamp !== undefined)
        throw new ApiError('Conflict', `pvc ${metadata.name} is being deleted`);
  }

  /** Hands the claims of a pod to whom the policy says. `isWanted`: it is not beyond the set's size. */
  async keepOwners(
    set: StatefulSet,
    pod: Pod,
    ordinal: number,
    isWanted: boolean,
    signal: AbortSignal,
  ): Promise<void> {
    for (const name of claimNames(set, ordinal)) {
      const claim = this.get(set, name);
      const ownerReferences = claim && claimOwners(set, pod, isWanted, claim);
      if (claim === undefined || ownerReferences === undefined) continue;
      const strangers = ownerReferences.filter(
        (owner) => owner.uid !== set.metadata.uid && owner.uid !== pod.metadata.uid,
      );
      if (hasManager(set, strangers)) this.tellConflict(set, name);
      const { uid, resourceVersion } = claim.metadata;
      const body = { metadata: { uid, resourceVersion, ownerReferences } };
      const { client } = this.deps;
      const target = nameOf(claim);
      this.informer.noteWritten(
        await client.patch(PERSISTENT_VOLUME_CLAIMS, target, 'merge', body, {}, signal),
      );
    }
  }

  private get(set: StatefulSet, name: string): PersistentVolumeClaim | undefined {
    return this.informer.get(`${set.metadata.namespace ?? ''}/${name}`);
  }

  private async create(
    set: StatefulSet,
    ordinal: number,
    draft: DraftOf<PersistentVolumeClaim>,
    signal: AbortSignal,
  ): Promise<PersistentVolumeClaim> {
    const { client, events } = this.deps;
    const { namespace = '', name = '' } = draft.metadata;
    const whose = `Pod ${podName(set, ordinal)} in StatefulSet ${set.metadata.name}`;
    try {
      const claim = await client.create(PERSISTENT_VOLUME_CLAIMS, draft, {}, signal);
      this.informer.noteWritten(claim);
      const message = `Create Claim ${name} ${whose} success`;
      events.event(STATEFUL_SETS, set, 'Normal', 'SuccessfulCreate', message);
      return claim;
    } catch (error) {
      // Not seen yet, or somebody made it beforehand: it is used as it is.
      if (hasReason(error, 'AlreadyExists'))
        return client.get(PERSISTENT_VOLUME_CLAIMS, { namespace, name }, signal);
      if (!signal.aborted) {
        const message = `Create Claim ${name} for ${whose} failed error: ${describeError(error)}`;
        events.event(STATEFUL_SETS, set, 'Warning', 'FailedCreate', message);
      }
      throw new ToldError(`failed to create PVC ${name}: ${describeError(error)}`, {
        cause: error,
      });
    }
  }

  private tellConflict(set: StatefulSet, name: string): void {
    const message =
      `PersistentVolumeClaim ${name} has a conflicting OwnerReference that acts as a managing ` +
      'controller, the retention policy is ignored for this claim';
    this.deps.events.event(STATEFUL_SETS, set, 'Warning', 'ConflictingController', message);
  }
}
