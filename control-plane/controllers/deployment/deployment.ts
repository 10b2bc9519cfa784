import { hasReason } from '../../../api/errors';
import { controllerOf, controllerRef, isControlledBy } from '../../../api/owners';
import { isPodActive } from '../../../api/pods';
import { DEPLOYMENTS, PODS, REPLICA_SETS } from '../../../api/resources';
import { keyOf, nameOf, type Deployment, type Pod, type ReplicaSet } from '../../../api/types';
import type { DraftOf } from '../../../client/api-client';
import type { Informer } from '../../../client/informer';
import { rfc3339 } from '../../../lib/clock';
import { Stopwatches } from '../../../lib/stopwatches';
import { describeError } from '../../../lib/log';
import type { ControllerDeps, Subscriptions } from '../controller';
import { OwnedController } from '../owned/owned-controller';
import {
  byAge,
  newSetSize,
  rollingLimits,
  scaleProportionally,
  shrinkOldSets,
  sizeOf,
  type Resize,
} from './rolling';
import {
  deploymentStatus,
  isComplete,
  progressLimitMs,
  progressStamp,
  type Observed,
} from './status';
import {
  annotationsForSet,
  DESIRED_REPLICAS,
  HASH_LABEL,
  MAX_REPLICAS,
  REVISION,
  isFromTemplate,
  revisionOf,
  templateHash,
} from './template';

/** What one reconcile works on. */
interface Work {
  readonly deployment: Deployment;
  /** Made from the present template. */
  readonly newSet: ReplicaSet | undefined;
  /** All others, oldest first. */
  readonly oldSets: readonly ReplicaSet[];
}

/**
 * Rolls a Deployment from its old ReplicaSets to the one of its present template, a step a
 * reconcile. Each step changes a ReplicaSet, whose own change brings the next.
 */
export class DeploymentController extends OwnedController<Deployment, ReplicaSet> {
  private readonly pods: Informer<Pod>;
  /** By uid: the last progress, and when that was on the monotonic clock. */
  private readonly progress = new Map<string, { stamp: string; startMs: number }>();

  constructor(deps: ControllerDeps) {
    super('deployment', deps, {
      owners: DEPLOYMENTS,
      children: REPLICA_SETS,
      selectorOf: ({ spec }) => spec.selector,
    });
    this.pods = deps.informers.of(PODS);
  }

  protected override ownerGone({ metadata }: Deployment): void {
    this.progress.delete(metadata.uid ?? '');
  }

  protected override get alsoNeeded(): readonly Informer<Pod>[] {
    return [this.pods];
  }

  protected override follow(subscriptions: Subscriptions): void {
    // A Recreate rollout waits for the last old pod to be gone.
    const onDelete = (pod: Pod) => this.enqueueOwnerOfPod(pod);
    subscriptions.add(this.pods.subscribe({ name: this.name, onDelete }));
  }

  private enqueueOwnerOfPod(pod: Pod): void {
    const { namespace = '' } = pod.metadata;
    const owner = controllerOf(pod);
    const replicaSet = owner && this.children.get(`${namespace}/${owner.name}`);
    if (replicaSet !== undefined) this.enqueueOwnerOf(replicaSet);
  }

  protected override async reconcile(deployment: Deployment, signal: AbortSignal): Promise<void> {
    if (deployment.metadata.deletionTimestamp !== undefined) return;
    const claimed = await this.claims.claim(deployment, signal);
    const sets = byAge(claimed.filter((set) => set.metadata.deletionTimestamp === undefined));
    const newSet = sets.find((replicaSet) => isFromTemplate(replicaSet, deployment));
    const work = { deployment, newSet, oldSets: sets.filter((set) => set !== newSet) };
    await this.step(work, signal);
  }

  private async step(work: Work, signal: AbortSignal): Promise<void> {
    const { deployment, newSet } = work;
    if (deployment.spec.paused === true || this.isScaling(work)) {
      if (newSet !== undefined) await this.numberRevision(work, newSet, signal);
      await this.resizeAll(work, this.scaled(work), signal);
      return this.tellStatus(work, {}, signal);
    }
    if (newSet === undefined) return this.createNewSet(work, signal);
    await this.numberRevision(work, newSet, signal);
    const resizes =
      deployment.spec.strategy?.type === 'Recreate'
        ? this.recreateStep(work, newSet)
        : this.rollingStep(work, newSet);
    await this.resizeAll(work, resizes, signal);
    await this.tellStatus(work, {}, signal);
    if (isComplete(deployment, deployment.status)) await this.cleanHistory(work, signal);
  }

  private rollingStep({ deployment, oldSets }: Work, newSet: ReplicaSet): readonly Resize[] {
    const current = sizeOf([newSet]);
    const desired = deployment.spec.replicas ?? 1;
    const size = current > desired ? desired : newSetSize(deployment, current, oldSets);
    if (size !== current) return [{ replicaSet: newSet, replicas: size }];
    return shrinkOldSets(deployment, newSet, oldSets);
  }

  private recreateStep({ deployment, oldSets }: Work, newSet: ReplicaSet): readonly Resize[] {
    const live = oldSets.filter((set) => sizeOf([set]) > 0);
    if (live.length > 0) return live.map((replicaSet) => ({ replicaSet, replicas: 0 }));
    const desired = deployment.spec.replicas ?? 1;
    if (this.hasOldPods(oldSets) || sizeOf([newSet]) === desired) return [];
    return [{ replicaSet: newSet, replicas: desired }];
  }

  private hasOldPods(oldSets: readonly ReplicaSet[]): boolean {
    const byUid = new Map(oldSets.map((set) => [set.metadata.uid, set]));
    for (const pod of this.pods.list()) {
      const set = byUid.get(controllerOf(pod)?.uid);
      const isOld = set !== undefined && isControlledBy(pod, set);
      if (isOld && (isPodActive(pod) || pod.metadata.deletionTimestamp !== undefined)) return true;
    }
    return false;
  }

  /** The desired count changed while sets were at some size: scale before rolling on. */
  private isScaling({ deployment, newSet, oldSets }: Work): boolean {
    const desired = String(deployment.spec.replicas ?? 1);
    return [...(newSet === undefined ? [] : [newSet]), ...oldSets]
      .filter((set) => sizeOf([set]) > 0)
      .some(({ metadata }) => {
        const noted = metadata.annotations?.[DESIRED_REPLICAS];
        return noted !== undefined && noted !== desired;
      });
  }

  private scaled({ deployment, newSet, oldSets }: Work): readonly Resize[] {
    const desired = deployment.spec.replicas ?? 1;
    const all = [...oldSets, ...(newSet === undefined ? [] : [newSet])];
    const live = all.filter((set) => sizeOf([set]) > 0);
    const only = live.length <= 1 ? (live[0] ?? newSet) : undefined;
    if (only !== undefined) {
      return sizeOf([only]) === desired ? [] : [{ replicaSet: only, replicas: desired }];
    }
    if (live.length === 0 || deployment.spec.strategy?.type === 'Recreate') return [];
    const isSaturated =
      newSet !== undefined &&
      sizeOf([newSet]) === desired &&
      newSet.status.availableReplicas === desired;
    if (isSaturated) {
      return oldSets
        .filter((set) => sizeOf([set]) > 0)
        .map((replicaSet) => ({ replicaSet, replicas: 0 }));
    }
    return scaleProportionally(deployment, live, ({ metadata }) =>
      Number(metadata.annotations?.[MAX_REPLICAS] ?? 0),
    );
  }

  private async createNewSet(work: Work, signal: AbortSignal): Promise<void> {
    const { deployment, oldSets } = work;
    const draft = newSetDraft(deployment, oldSets, this.hasOldPods(oldSets));
    try {
      const created = await this.deps.client.create(REPLICA_SETS, draft, {}, signal);
      this.children.noteWritten(created);
      const size = sizeOf([created]);
      if (size > 0) this.tellScaled(deployment, created, 0, size);
      await this.tellStatus({ ...work, newSet: created }, { wasCreated: true }, signal);
    } catch (error) {
      if (hasReason(error, 'AlreadyExists')) return this.resolveCollision(work, draft, signal);
      const createError = describeError(error);
      await this.tellStatus(work, { createError }, signal);
      this.deps.events.event(
        DEPLOYMENTS,
        deployment,
        'Warning',
        'ReplicaSetCreateError',
        `Failed to create new replica set "${draft.metadata.name ?? ''}": ${createError}`,
      );
      throw error;
    }
  }

  /** The name is taken: by our own set that the cache has not seen, or by another template's hash. */
  private async resolveCollision(
    { deployment }: Work,
    draft: DraftOf<ReplicaSet>,
    signal: AbortSignal,
  ): Promise<void> {
    const name = {
      namespace: deployment.metadata.namespace ?? '',
      name: draft.metadata.name ?? '',
    };
    const existing = await this.deps.client.get(REPLICA_SETS, name, signal);
    const isOurs = controllerOf(existing)?.uid === deployment.metadata.uid;
    if (isOurs && isFromTemplate(existing, deployment)) {
      this.children.noteWritten(existing);
      return;
    }
    const collisionCount = (deployment.status.collisionCount ?? 0) + 1;
    await this.writeStatus(deployment, { ...deployment.status, collisionCount }, signal);
  }

  /**
   * The newest template carries the highest revision; an old set that is used again moves up. With it
   * come the deployment's annotations, as they are now.
   */
  private async numberRevision(
    { deployment, oldSets }: Work,
    newSet: ReplicaSet,
    signal: AbortSignal,
  ): Promise<void> {
    const highestOld = Math.max(0, ...oldSets.map(revisionOf));
    const revision = Math.max(revisionOf(newSet), highestOld + 1);
    const annotations = { ...annotationsForSet(deployment), [REVISION]: String(revision) };
    await this.annotate(newSet, annotations, signal);
    if (deployment.metadata.annotations?.[REVISION] === String(revision)) return;
    const body = { metadata: { annotations: { [REVISION]: String(revision) } } };
    const name = nameOf(deployment);
    const patched = await this.deps.client.patch(DEPLOYMENTS, name, 'merge', body, {}, signal);
    this.owners.noteWritten(patched);
  }

  private async annotate(
    replicaSet: ReplicaSet,
    annotations: Readonly<Record<string, string>>,
    signal: AbortSignal,
  ): Promise<void> {
    const known = replicaSet.metadata.annotations ?? {};
    if (Object.entries(annotations).every(([name, value]) => known[name] === value)) return;
    const body = { metadata: { annotations } };
    const name = nameOf(replicaSet);
    this.children.noteWritten(
      await this.deps.client.patch(REPLICA_SETS, name, 'merge', body, {}, signal),
    );
  }

  private async resizeAll(
    { deployment, newSet, oldSets }: Work,
    resizes: readonly Resize[],
    signal: AbortSignal,
  ): Promise<void> {
    const notes = sizeNotes(deployment);
    const bySet = new Map(resizes.map(({ replicaSet, replicas }) => [replicaSet, replicas]));
    for (const set of [...oldSets, ...(newSet === undefined ? [] : [newSet])]) {
      const before = sizeOf([set]);
      const after = bySet.get(set) ?? before;
      const isNoted = Object.entries(notes).every(
        ([name, value]) => set.metadata.annotations?.[name] === value,
      );
      if (after === before && (isNoted || after === 0)) continue;
      const { resourceVersion } = set.metadata;
      const body = { metadata: { resourceVersion, annotations: notes }, spec: { replicas: after } };
      // Annotated by `numberRevision` a moment ago: the cache has the newer version.
      const fresh = this.children.get(keyOf(set))?.metadata.resourceVersion ?? resourceVersion;
      const guarded = { ...body, metadata: { ...body.metadata, resourceVersion: fresh } };
      const patched = await this.deps.client.patch(
        REPLICA_SETS,
        nameOf(set),
        'merge',
        guarded,
        {},
        signal,
      );
      this.children.noteWritten(patched);
      if (after !== before) this.tellScaled(deployment, set, before, after);
    }
  }

  private tellScaled(deployment: Deployment, set: ReplicaSet, before: number, after: number): void {
    const verb = after > before ? 'Scaled up' : 'Scaled down';
    const message = `${verb} replica set ${set.metadata.name} from ${before} to ${after}`;
    this.deps.events.event(DEPLOYMENTS, deployment, 'Normal', 'ScalingReplicaSet', message);
  }

  private async tellStatus(
    { deployment, newSet, oldSets }: Work,
    outcome: Pick<Observed, 'createError' | 'wasCreated'>,
    signal: AbortSignal,
  ): Promise<void> {
    const latest = (set: ReplicaSet) => this.children.get(keyOf(set)) ?? set;
    const fresh = this.owners.get(keyOf(deployment)) ?? deployment;
    const current = newSet && latest(newSet);
    const status = deploymentStatus(fresh, {
      newSet: current,
      sets: [...oldSets.map(latest), ...(current === undefined ? [] : [current])],
      now: rfc3339(this.deps.clock.now()),
      stalledMs: this.stalledMs(fresh),
      ...outcome,
    });
    const next = { ...fresh, status };
    const limitMs = progressLimitMs(next);
    if (limitMs !== undefined) {
      const restMs = Math.max(0, limitMs - this.stalledMs(next));
      this.queue.addAfter(keyOf(deployment), restMs + 1000);
    }
    await this.writeStatus(fresh, status, signal);
  }

  /**
   * Since when there has been no progress. What an earlier process stamped counts from its stamp, once;
   * from then on the wall clock may be set as it may.
   */
  private stalledMs(deployment: Deployment): number {
    const uid = deployment.metadata.uid ?? '';
    const stamp = progressStamp(deployment);
    const known = this.progress.get(uid);
    if (known?.stamp === stamp) return this.deps.clock.monotonicMs() - known.startMs;
    const stampMs = known === undefined ? Date.parse(stamp) : this.deps.clock.now();
    const startMs = new Stopwatches(this.deps.clock).startOf(uid, stampMs);
    this.progress.set(uid, { stamp, startMs });
    return this.deps.clock.monotonicMs() - startMs;
  }

  /** Keeps the last `revisionHistoryLimit` empty old sets, for `rollout undo`. */
  private async cleanHistory({ deployment, oldSets }: Work, signal: AbortSignal): Promise<void> {
    const limit = deployment.spec.revisionHistoryLimit ?? 10;
    const empty = oldSets
      .filter(
        ({ metadata, spec, status }) =>
          metadata.deletionTimestamp === undefined && spec.replicas === 0 && status.replicas === 0,
      )
      .sort((a, b) => revisionOf(a) - revisionOf(b));
    for (const set of empty.slice(0, Math.max(0, empty.length - limit))) {
      await this.deps.client.delete(REPLICA_SETS, nameOf(set), {}, signal);
    }
  }
}

const sizeNotes = (deployment: Deployment): Readonly<Record<string, string>> => {
  const desired = deployment.spec.replicas ?? 1;
  return {
    [DESIRED_REPLICAS]: String(desired),
    [MAX_REPLICAS]: String(desired + rollingLimits(deployment).maxSurge),
  };
};

const newSetDraft = (
  deployment: Deployment,
  oldSets: readonly ReplicaSet[],
  hasOldPods: boolean,
): DraftOf<ReplicaSet> => {
  const { metadata, spec } = deployment;
  const hash = templateHash(spec.template, deployment.status.collisionCount ?? 0);
  const labels = { ...spec.template.metadata?.labels, [HASH_LABEL]: hash };
  const mustWait = spec.strategy?.type === 'Recreate' && (hasOldPods || sizeOf(oldSets) > 0);
  const revision = Math.max(0, ...oldSets.map(revisionOf)) + 1;
  return {
    apiVersion: 'apps/v1',
    kind: 'ReplicaSet',
    metadata: {
      name: `${metadata.name}-${hash}`,
      namespace: metadata.namespace ?? 'default',
      labels,
      annotations: {
        ...annotationsForSet(deployment),
        ...sizeNotes(deployment),
        [REVISION]: String(revision),
      },
      ownerReferences: [controllerRef(deployment)],
    },
    spec: {
      replicas: mustWait ? 0 : newSetSize(deployment, 0, oldSets),
      ...(spec.minReadySeconds === undefined ? {} : { minReadySeconds: spec.minReadySeconds }),
      selector: {
        ...spec.selector,
        matchLabels: { ...spec.selector.matchLabels, [HASH_LABEL]: hash },
      },
      template: { ...spec.template, metadata: { ...spec.template.metadata, labels } },
    },
  };
};
