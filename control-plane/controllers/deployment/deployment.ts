import { hasReason } from '../../../api/errors';
import { controllerOf, controllerRef, isControlledBy, isOfKind } from '../../../api/owners';
import { isPodActive } from '../../../api/pods';
import { DEPLOYMENTS, PODS, REPLICA_SETS } from '../../../api/resources';
import { matchesLabelSelector } from '../../../api/selectors';
import { keyOf, nameOf, type Deployment, type Pod, type ReplicaSet } from '../../../api/types';
import type { DraftOf } from '../../../client/api-client';
import type { Informer } from '../../../client/informer';
import { WorkQueue } from '../../../client/work-queue';
import { rfc3339 } from '../../../lib/clock';
import { Stopwatches } from '../../../lib/stopwatches';
import { describeError } from '../../../lib/log';
import { subject, Subscriptions, type Controller, type ControllerDeps } from '../controller';
import { OwnedIndex } from '../owned-index';
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
import { jsonEqual } from '../../../api/json-value';

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
export class DeploymentController implements Controller {
  readonly name = 'deployment';
  private readonly queue: WorkQueue;
  private readonly deployments: Informer<Deployment>;
  private readonly replicaSets: Informer<ReplicaSet>;
  private readonly pods: Informer<Pod>;
  private readonly setIndex: OwnedIndex<ReplicaSet>;
  /** By uid: the last progress, and when that was on the monotonic clock. */
  private readonly progress = new Map<string, { stamp: string; startMs: number }>();

  constructor(private readonly deps: ControllerDeps) {
    this.queue = new WorkQueue(this.name, deps, {
      subjectOf: (key) => subject(DEPLOYMENTS, this.deployments.get(key)),
    });
    this.deployments = deps.informers.of(DEPLOYMENTS);
    this.replicaSets = deps.informers.of(REPLICA_SETS);
    this.pods = deps.informers.of(PODS);
    this.setIndex = new OwnedIndex(this.replicaSets);
  }

  async run(signal: AbortSignal): Promise<void> {
    const { name } = this;
    using subscriptions = new Subscriptions();
    const enqueue = (deployment: Deployment) => this.queue.add(keyOf(deployment));
    subscriptions.add(
      this.deployments.subscribe({
        name,
        onAdd: enqueue,
        onUpdate: enqueue,
        onDelete: ({ metadata }) => void this.progress.delete(metadata.uid ?? ''),
      }),
    );
    const enqueueOwner = (replicaSet: ReplicaSet) => this.enqueueOwner(replicaSet);
    subscriptions.add(
      this.replicaSets.subscribe({
        name,
        onAdd: enqueueOwner,
        onUpdate: enqueueOwner,
        onDelete: enqueueOwner,
      }),
    );
    // A Recreate rollout waits for the last old pod to be gone.
    const onDelete = (pod: Pod) => this.enqueueOwnerOfPod(pod);
    subscriptions.add(this.pods.subscribe({ name, onDelete }));
    await Promise.all(
      [this.deployments, this.replicaSets, this.pods].map((informer) => informer.whenSynced()),
    );
    await this.queue.run((key, workSignal) => this.reconcile(key, workSignal), WORKERS, signal);
  }

  private enqueueOwner(replicaSet: ReplicaSet): void {
    const owner = controllerOf(replicaSet);
    const { namespace = '' } = replicaSet.metadata;
    if (owner !== undefined && isOfKind(owner, DEPLOYMENTS))
      this.queue.add(`${namespace}/${owner.name}`);
    else if (owner === undefined) {
      for (const deployment of this.deployments.list()) {
        if (selects(deployment, replicaSet)) this.queue.add(keyOf(deployment));
      }
    }
  }

  private enqueueOwnerOfPod(pod: Pod): void {
    const { namespace = '' } = pod.metadata;
    const owner = controllerOf(pod);
    const replicaSet = owner && this.replicaSets.get(`${namespace}/${owner.name}`);
    if (replicaSet !== undefined) this.enqueueOwner(replicaSet);
  }

  async reconcile(key: string, signal: AbortSignal): Promise<void> {
    const deployment = this.deployments.get(key);
    if (deployment === undefined || deployment.metadata.deletionTimestamp !== undefined) return;
    const sets = byAge(await this.claim(deployment, signal));
    const newSet = sets.find((replicaSet) => isFromTemplate(replicaSet, deployment));
    const work = { deployment, newSet, oldSets: sets.filter((set) => set !== newSet) };
    await this.step(work, signal);
  }

  private async step(work: Work, signal: AbortSignal): Promise<void> {
    const { deployment, newSet } = work;
    if (deployment.spec.paused === true || this.isScaling(work)) {
      if (newSet !== undefined) await this.numberRevision(work, newSet, signal);
      await this.resizeAll(work, this.scaled(work), signal);
      return this.writeStatus(work, {}, signal);
    }
    if (newSet === undefined) return this.createNewSet(work, signal);
    await this.numberRevision(work, newSet, signal);
    const resizes =
      deployment.spec.strategy?.type === 'Recreate'
        ? this.recreateStep(work, newSet)
        : this.rollingStep(work, newSet);
    await this.resizeAll(work, resizes, signal);
    await this.writeStatus(work, {}, signal);
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
      this.replicaSets.noteWritten(created);
      const size = sizeOf([created]);
      if (size > 0) this.tellScaled(deployment, created, 0, size);
      await this.writeStatus({ ...work, newSet: created }, { wasCreated: true }, signal);
    } catch (error) {
      if (hasReason(error, 'AlreadyExists')) return this.resolveCollision(work, draft, signal);
      const createError = describeError(error);
      await this.writeStatus(work, { createError }, signal);
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
      this.replicaSets.noteWritten(existing);
      return;
    }
    const collisionCount = (deployment.status.collisionCount ?? 0) + 1;
    await this.update({ ...deployment, status: { ...deployment.status, collisionCount } }, signal);
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
    this.deployments.noteWritten(patched);
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
    this.replicaSets.noteWritten(
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
      const fresh = this.replicaSets.get(keyOf(set))?.metadata.resourceVersion ?? resourceVersion;
      const guarded = { ...body, metadata: { ...body.metadata, resourceVersion: fresh } };
      const patched = await this.deps.client.patch(
        REPLICA_SETS,
        nameOf(set),
        'merge',
        guarded,
        {},
        signal,
      );
      this.replicaSets.noteWritten(patched);
      if (after !== before) this.tellScaled(deployment, set, before, after);
    }
  }

  private tellScaled(deployment: Deployment, set: ReplicaSet, before: number, after: number): void {
    const verb = after > before ? 'Scaled up' : 'Scaled down';
    const message = `${verb} replica set ${set.metadata.name} from ${before} to ${after}`;
    this.deps.events.event(DEPLOYMENTS, deployment, 'Normal', 'ScalingReplicaSet', message);
  }

  private async writeStatus(
    { deployment, newSet, oldSets }: Work,
    outcome: Pick<Observed, 'createError' | 'wasCreated'>,
    signal: AbortSignal,
  ): Promise<void> {
    const latest = (set: ReplicaSet) => this.replicaSets.get(keyOf(set)) ?? set;
    const fresh = this.deployments.get(keyOf(deployment)) ?? deployment;
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
    if (!jsonEqual(status, fresh.status)) await this.update({ ...fresh, status }, signal);
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

  private async update(deployment: Deployment, signal: AbortSignal): Promise<void> {
    const options = { subresource: 'status' } as const;
    const updated = await this.deps.client.update(DEPLOYMENTS, deployment, options, signal);
    this.deployments.noteWritten(updated);
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

  /** The sets that are this deployment's, after adopting orphans that it selects. */
  private async claim(deployment: Deployment, signal: AbortSignal): Promise<ReplicaSet[]> {
    const claimed: ReplicaSet[] = [];
    for (const set of this.setIndex.candidates(deployment)) {
      if (set.metadata.deletionTimestamp !== undefined) continue;
      if (controllerOf(set)?.uid === deployment.metadata.uid) claimed.push(set);
      else if (controllerOf(set) === undefined && selects(deployment, set)) {
        const ownerReferences = [
          ...(set.metadata.ownerReferences ?? []),
          controllerRef(deployment),
        ];
        const { uid, resourceVersion } = set.metadata;
        const body = { metadata: { uid, resourceVersion, ownerReferences } };
        const name = nameOf(set);
        const adopted = await this.deps.client.patch(REPLICA_SETS, name, 'merge', body, {}, signal);
        this.replicaSets.noteWritten(adopted);
        claimed.push(adopted);
      }
    }
    return claimed;
  }
}

const selects = (deployment: Deployment, replicaSet: ReplicaSet): boolean =>
  deployment.metadata.namespace === replicaSet.metadata.namespace &&
  matchesLabelSelector(deployment.spec.selector, replicaSet.metadata.labels ?? {});

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

const WORKERS = 5;
