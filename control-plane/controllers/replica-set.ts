import { isPodActive, isTerminal, isTerminating } from '../../api/pods';
import { PODS, REPLICA_SETS, REPLICATION_CONTROLLERS, type Resource } from '../../api/resources';
import { podSelectorOf } from '../../api/selectors';
import { type Pod, type ReplicaSet, type ReplicationController, uidOf } from '../../api/types';
import { rfc3339 } from '../../lib/clock';
import { Availability } from './availability';
import type { ControllerDeps } from './controller';
import { CreationLimiter, type Trouble } from './creation-limiter';
import { OwnedController } from './owned/owned-controller';
import { podFromTemplate, PodControl } from './owned/pod-control';
import { planReplicas, waitOf, replicaStatus, type Replicas } from './replica-set-plan';

/** Keeps `spec.replicas` active pods per owner: of both kinds that want just that, as upstream. */
abstract class ReplicaController<O extends Replicas> extends OwnedController<O, Pod> {
  private readonly pods: PodControl<O>;
  private readonly limiter: CreationLimiter;
  private readonly availability: Availability;

  constructor(name: string, deps: ControllerDeps, owners: Resource<O>) {
    super(name, deps, {
      owners,
      children: PODS,
      selectorOf: podSelectorOf,
      isWanted: isPodActive,
    });
    this.pods = new PodControl(owners, this.children, deps);
    this.limiter = new CreationLimiter(deps.clock);
    this.availability = new Availability(deps.clock);
  }

  protected override ownerGone(owner: O): void {
    this.limiter.forget(uidOf(owner));
    this.availability.forget(uidOf(owner));
    this.pods.forget(owner);
  }

  protected override childGone(pod: Pod): void {
    this.pods.gone(pod);
  }

  protected override async reconcile(owner: O, signal: AbortSignal): Promise<void> {
    await this.pods.settleDoubts(owner, podSelectorOf(owner), signal);
    const claimed = await this.claims.claim(owner, signal);
    const pods = claimed.filter((pod) => isPodActive(pod) && !this.pods.isLeaving(pod));
    if (owner.metadata.deletionTimestamp === undefined) {
      await this.scale(owner, pods, signal);
    }
    const trouble = this.limiter.troubleOf(uidOf(owner)) ?? waitOf(owner.spec.replicas ?? 1, pods);
    await this.tellStatus(owner, trouble, signal);
  }

  private async scale(owner: O, pods: readonly Pod[], signal: AbortSignal): Promise<void> {
    const uid = uidOf(owner);
    const size = owner.spec.replicas ?? 1;
    this.limiter.observe(uid, pods.map(uidOf), (pod) => this.endOf(owner, pod));
    const plan = planReplicas(size, pods);
    for (const pod of plan.remove) {
      this.limiter.released(uid, uidOf(pod));
      await this.pods.remove(owner, pod, signal);
    }
    const { count, retryInMs } = this.limiter.allowance(uid, plan.createCount, size);
    this.enqueueAfter(owner, retryInMs);
    if (count > 0) await this.create(owner, Math.min(count, BURST), signal);
    if (plan.createCount > BURST) this.enqueue(owner);
  }

  /** How a pod of the set ended, in a word; undefined for one that is gone. */
  private endOf(owner: O, uid: string): string | undefined {
    const pod = this.index.ownedBy(owner).find((each) => uidOf(each) === uid);
    if (pod === undefined || !isTerminal(pod)) return undefined;
    return pod.status.reason ?? pod.status.phase;
  }

  private async create(owner: O, count: number, signal: AbortSignal): Promise<void> {
    const draft = podFromTemplate(owner, owner.spec.template);
    const drafts = Array.from({ length: count }, () => draft);
    const { uids, refusal } = await this.pods.createMany(owner, drafts, signal);
    const uid = uidOf(owner);
    this.limiter.created(uid, uids, refusal);
    if (refusal === undefined) return;
    const { retryInMs } = this.limiter.allowance(uid, 1, 1);
    this.enqueueAfter(owner, retryInMs ?? 0);
  }

  /** What the status says of the pods that are on their way out. */
  protected ending(_owned: readonly Pod[]): Partial<ReplicaSet['status']> {
    return {};
  }

  private async tellStatus(
    owner: O,
    trouble: Trouble | undefined,
    signal: AbortSignal,
  ): Promise<void> {
    const owned = this.index.ownedBy(owner);
    const pods = owned.filter(isPodActive);
    const { available, nextInMs } = this.availability.count(
      uidOf(owner),
      pods,
      owner.spec.minReadySeconds ?? 0,
      owner.status.availableReplicas ?? 0,
    );
    this.enqueueAfter(owner, nextInMs);
    const now = rfc3339(this.deps.clock.now());
    const status = replicaStatus(owner, pods, available, trouble, now);
    await this.writeStatus(owner, { ...status, ...this.ending(owned) }, signal);
  }
}

export class ReplicaSetController extends ReplicaController<ReplicaSet> {
  constructor(deps: ControllerDeps) {
    super('replica-set', deps, REPLICA_SETS);
  }

  protected override ending(owned: readonly Pod[]): Partial<ReplicaSet['status']> {
    const isEnding = (pod: Pod) => isTerminating(pod) && !isTerminal(pod);
    return { terminatingReplicas: owned.filter(isEnding).length };
  }
}

export class ReplicationControllerController extends ReplicaController<ReplicationController> {
  constructor(deps: ControllerDeps) {
    super('replication-controller', deps, REPLICATION_CONTROLLERS);
  }
}

// Upstream's burst: one reconcile creates at most this many.
const BURST = 500;
