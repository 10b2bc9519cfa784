import { ApiError, hasReason } from '../../api/errors';
import { controllerOf, controllerRef, isOfKind } from '../../api/owners';
import { isPodActive, isTerminal } from '../../api/pods';
import { PODS, REPLICA_SETS } from '../../api/resources';
import { matchesLabelSelector } from '../../api/selectors';
import { keyOf, nameOf, type Pod, type ReplicaSet, uidOf } from '../../api/types';
import type { DraftOf } from '../../client/api-client';
import type { Informer } from '../../client/informer';
import { WorkQueue } from '../../client/work-queue';
import { rfc3339 } from '../../lib/clock';
import { describeError } from '../../lib/log';
import { Availability } from './availability';
import { subject, Subscriptions, type Controller, type ControllerDeps } from './controller';
import { CreationLimiter, type Trouble } from './creation-limiter';
import { OwnedIndex } from './owned-index';
import { planReplicas, waitOf, replicaSetStatus } from './replica-set-plan';
import { jsonEqual } from '../../api/json-value';

/** Keeps `spec.replicas` active pods per ReplicaSet. Level-triggered: reads state, not events. */
export class ReplicaSetController implements Controller {
  readonly name = 'replica-set';
  private readonly queue: WorkQueue;
  private readonly replicaSets: Informer<ReplicaSet>;
  private readonly pods: Informer<Pod>;
  private readonly podIndex: OwnedIndex<Pod>;
  /** Pods whose deletion we asked for and have not yet seen: they count no more. */
  private readonly deleting = new Set<string>();
  private readonly limiter: CreationLimiter;
  private readonly availability: Availability;

  constructor(private readonly deps: ControllerDeps) {
    this.limiter = new CreationLimiter(deps.clock);
    this.availability = new Availability(deps.clock);
    this.queue = new WorkQueue(this.name, deps, {
      subjectOf: (key) => subject(REPLICA_SETS, this.replicaSets.get(key)),
    });
    this.replicaSets = deps.informers.of(REPLICA_SETS);
    this.pods = deps.informers.of(PODS);
    this.podIndex = new OwnedIndex(this.pods);
  }

  async run(signal: AbortSignal): Promise<void> {
    const { name } = this;
    using subscriptions = new Subscriptions();
    const enqueue = (replicaSet: ReplicaSet) => this.queue.add(keyOf(replicaSet));
    subscriptions.add(
      this.replicaSets.subscribe({
        name,
        onAdd: enqueue,
        onUpdate: enqueue,
        onDelete: (replicaSet) => {
          this.limiter.forget(uidOf(replicaSet));
          this.availability.forget(uidOf(replicaSet));
        },
      }),
    );
    subscriptions.add(
      this.pods.subscribe({
        name,
        onAdd: (pod) => this.enqueueOwner(pod),
        onUpdate: (pod, previous) => {
          this.enqueueOwner(previous);
          this.enqueueOwner(pod);
        },
        onDelete: (pod) => {
          this.deleting.delete(pod.metadata.uid ?? '');
          this.enqueueOwner(pod);
        },
      }),
    );
    await Promise.all([this.replicaSets.whenSynced(), this.pods.whenSynced()]);
    await this.queue.run((key, workSignal) => this.reconcile(key, workSignal), WORKERS, signal);
  }

  private enqueueOwner(pod: Pod): void {
    const owner = controllerOf(pod);
    const { namespace = '' } = pod.metadata;
    if (owner !== undefined && isOfKind(owner, REPLICA_SETS))
      this.queue.add(`${namespace}/${owner.name}`);
    else if (owner === undefined) {
      // An orphan: whichever set selects it may adopt it.
      for (const replicaSet of this.replicaSets.list()) {
        if (selects(replicaSet, pod)) this.queue.add(keyOf(replicaSet));
      }
    }
  }

  async reconcile(key: string, signal: AbortSignal): Promise<void> {
    const replicaSet = this.replicaSets.get(key);
    // Deleted while queued; the garbage collector owns its pods now.
    if (replicaSet === undefined) return;
    const pods = await this.claim(replicaSet, signal);
    if (replicaSet.metadata.deletionTimestamp === undefined) {
      await this.scale(replicaSet, pods, signal);
    }
    const trouble =
      this.limiter.troubleOf(uidOf(replicaSet)) ?? waitOf(replicaSet.spec.replicas ?? 1, pods);
    await this.writeStatus(replicaSet, trouble, signal);
  }

  /** The active pods that are this set's, after adopting orphans and releasing strangers. */
  private async claim(replicaSet: ReplicaSet, signal: AbortSignal): Promise<Pod[]> {
    const claimed: Pod[] = [];
    for (const pod of this.podIndex.candidates(replicaSet)) {
      const isOurs = controllerOf(pod)?.uid === replicaSet.metadata.uid;
      if (isOurs && !selects(replicaSet, pod)) await this.release(pod, replicaSet, signal);
      else if (isOurs) claimed.push(pod);
      else if (isAdoptable(replicaSet, pod))
        claimed.push(await this.adopt(pod, replicaSet, signal));
    }
    return claimed.filter((pod) => isPodActive(pod) && !this.deleting.has(pod.metadata.uid ?? ''));
  }

  private async adopt(pod: Pod, replicaSet: ReplicaSet, signal: AbortSignal): Promise<Pod> {
    const ownerReferences = [...(pod.metadata.ownerReferences ?? []), controllerRef(replicaSet)];
    return this.patchOwners(pod, ownerReferences, signal);
  }

  private async release(pod: Pod, replicaSet: ReplicaSet, signal: AbortSignal): Promise<void> {
    const ownerReferences = (pod.metadata.ownerReferences ?? []).filter(
      ({ uid }) => uid !== replicaSet.metadata.uid,
    );
    await this.patchOwners(pod, ownerReferences, signal);
  }

  private async patchOwners(
    pod: Pod,
    ownerReferences: Pod['metadata']['ownerReferences'],
    signal: AbortSignal,
  ): Promise<Pod> {
    const { uid, resourceVersion } = pod.metadata;
    const body = { metadata: { uid, resourceVersion, ownerReferences } };
    const patched = await this.deps.client.patch(PODS, nameOf(pod), 'merge', body, {}, signal);
    this.pods.noteWritten(patched);
    return patched;
  }

  private async scale(
    replicaSet: ReplicaSet,
    pods: readonly Pod[],
    signal: AbortSignal,
  ): Promise<void> {
    const owner = uidOf(replicaSet);
    const size = replicaSet.spec.replicas ?? 1;
    this.limiter.observe(owner, pods.map(uidOf), (uid) => this.endOf(replicaSet, uid));
    const plan = planReplicas(size, pods);
    for (const pod of plan.remove) await this.remove(pod, replicaSet, signal);
    const { count, retryInMs } = this.limiter.allowance(owner, plan.createCount, size);
    if (retryInMs !== undefined) this.queue.addAfter(keyOf(replicaSet), retryInMs);
    if (count > 0) await this.create(replicaSet, Math.min(count, BURST), signal);
    if (plan.createCount > BURST) this.queue.add(keyOf(replicaSet));
  }

  /** How a pod of the set ended, in a word; undefined for one that is gone. */
  private endOf(replicaSet: ReplicaSet, uid: string): string | undefined {
    const pod = this.podIndex.ownedBy(replicaSet).find((each) => uidOf(each) === uid);
    if (pod === undefined || !isTerminal(pod)) return undefined;
    return pod.status.reason ?? pod.status.phase;
  }

  /** Creates in batches of 4, 8, 16, ...: when creates are refused, few are tried in vain. */
  private async create(replicaSet: ReplicaSet, count: number, signal: AbortSignal): Promise<void> {
    const uids: string[] = [];
    let refusal: string | undefined;
    for (let done = 0, batch = FIRST_BATCH; done < count && refusal === undefined; batch *= 2) {
      const size = Math.min(batch, count - done);
      const results = await Promise.allSettled(
        Array.from({ length: size }, () => this.createOne(replicaSet, signal)),
      );
      for (const result of results) {
        if (result.status === 'rejected') refusal ??= refusalOf(result.reason, replicaSet);
        else if (result.value !== undefined) uids.push(uidOf(result.value));
      }
      done += size;
    }
    // Stopping is no refusal.
    signal.throwIfAborted();
    const owner = uidOf(replicaSet);
    this.limiter.created(owner, uids, refusal);
    if (refusal === undefined) return;
    const { retryInMs } = this.limiter.allowance(owner, 1, 1);
    this.queue.addAfter(keyOf(replicaSet), retryInMs ?? 0);
  }

  /** Undefined when the namespace goes away, and takes the set with it. */
  private async createOne(replicaSet: ReplicaSet, signal: AbortSignal): Promise<Pod | undefined> {
    const { events, client } = this.deps;
    try {
      const pod = await client.create(PODS, podFromTemplate(replicaSet), {}, signal);
      this.pods.noteWritten(pod);
      const message = `Created pod: ${pod.metadata.name}`;
      events.event(REPLICA_SETS, replicaSet, 'Normal', 'SuccessfulCreate', message);
      return pod;
    } catch (error) {
      if (isNamespaceTerminating(error)) return undefined;
      if (!signal.aborted) {
        const message = `Error creating: ${refusalOf(error, replicaSet)}`;
        events.event(REPLICA_SETS, replicaSet, 'Warning', 'FailedCreate', message);
      }
      throw error;
    }
  }

  private async remove(pod: Pod, replicaSet: ReplicaSet, signal: AbortSignal): Promise<void> {
    const { uid = '', name } = pod.metadata;
    this.deleting.add(uid);
    this.limiter.released(uidOf(replicaSet), uid);
    try {
      await this.deps.client.delete(PODS, nameOf(pod), { preconditions: { uid } }, signal);
    } catch (error) {
      this.deleting.delete(uid);
      if (!hasReason(error, 'NotFound', 'Conflict')) throw error;
    }
    const message = `Deleted pod: ${name}`;
    this.deps.events.event(REPLICA_SETS, replicaSet, 'Normal', 'SuccessfulDelete', message);
  }

  private async writeStatus(
    replicaSet: ReplicaSet,
    trouble: Trouble | undefined,
    signal: AbortSignal,
  ): Promise<void> {
    const pods = this.podIndex.ownedBy(replicaSet).filter(isPodActive);
    const { available, nextInMs } = this.availability.count(
      uidOf(replicaSet),
      pods,
      replicaSet.spec.minReadySeconds ?? 0,
      replicaSet.status.availableReplicas ?? 0,
    );
    if (nextInMs !== undefined) this.queue.addAfter(keyOf(replicaSet), nextInMs);
    const now = rfc3339(this.deps.clock.now());
    const status = replicaSetStatus(replicaSet, pods, available, trouble, now);
    if (jsonEqual(status, replicaSet.status)) return;
    const updated = await this.deps.client.update(
      REPLICA_SETS,
      { ...replicaSet, status },
      { subresource: 'status' },
      signal,
    );
    this.replicaSets.noteWritten(updated);
  }
}

const selects = (replicaSet: ReplicaSet, pod: Pod): boolean =>
  replicaSet.metadata.namespace === pod.metadata.namespace &&
  matchesLabelSelector(replicaSet.spec.selector, pod.metadata.labels ?? {});

/** What the API said, with the prefix in place of a name that is another one each time. */
const refusalOf = (error: unknown, { metadata }: ReplicaSet): string => {
  const message = describeError(error);
  const name = error instanceof ApiError ? (error.details?.name ?? '') : '';
  const prefix = podPrefix(metadata.name);
  return name.startsWith(prefix) ? message.replaceAll(name, prefix) : message;
};

const isNamespaceTerminating = (error: unknown): boolean =>
  hasReason(error, 'Forbidden') &&
  error.details?.causes?.some(({ reason }) => reason === 'NamespaceTerminating') === true;

const podPrefix = (replicaSetName: string): string => `${replicaSetName}-`;

const isAdoptable = (replicaSet: ReplicaSet, pod: Pod): boolean =>
  controllerOf(pod) === undefined &&
  isPodActive(pod) &&
  replicaSet.metadata.deletionTimestamp === undefined &&
  selects(replicaSet, pod);

const podFromTemplate = (replicaSet: ReplicaSet): DraftOf<Pod> => {
  const { metadata, spec } = replicaSet;
  const { labels, annotations, finalizers } = spec.template?.metadata ?? {};
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      generateName: podPrefix(metadata.name),
      namespace: metadata.namespace ?? 'default',
      ...(labels === undefined ? {} : { labels }),
      ...(annotations === undefined ? {} : { annotations }),
      ...(finalizers === undefined ? {} : { finalizers }),
      ownerReferences: [controllerRef(replicaSet)],
    },
    spec: spec.template?.spec ?? { containers: [] },
  };
};

const WORKERS = 5;
// Upstream's burst: one reconcile creates at most this many.
const BURST = 500;
const FIRST_BATCH = 4;
