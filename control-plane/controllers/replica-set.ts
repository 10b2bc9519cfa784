import { isPodActive, isTerminal } from '../../api/pods';
import { PODS, REPLICA_SETS } from '../../api/resources';
import { type Pod, type ReplicaSet, uidOf } from '../../api/types';
import { rfc3339 } from '../../lib/clock';
import { Availability } from './availability';
import type { ControllerDeps } from './controller';
import { CreationLimiter, type Trouble } from './creation-limiter';
import { OwnedController } from './owned/owned-controller';
import { podFromTemplate, PodControl } from './owned/pod-control';
import { planReplicas, waitOf, replicaSetStatus } from './replica-set-plan';

/** Keeps `spec.replicas` active pods per ReplicaSet. */
export class ReplicaSetController extends OwnedController<ReplicaSet, Pod> {
  private readonly pods: PodControl<ReplicaSet>;
  private readonly limiter: CreationLimiter;
  private readonly availability: Availability;

  constructor(deps: ControllerDeps) {
    super('replica-set', deps, {
      owners: REPLICA_SETS,
      children: PODS,
      selectorOf: ({ spec }) => spec.selector,
      isWanted: isPodActive,
    });
    this.pods = new PodControl(REPLICA_SETS, this.children, deps);
    this.limiter = new CreationLimiter(deps.clock);
    this.availability = new Availability(deps.clock);
  }

  protected override ownerGone(replicaSet: ReplicaSet): void {
    this.limiter.forget(uidOf(replicaSet));
    this.availability.forget(uidOf(replicaSet));
  }

  protected override childGone(pod: Pod): void {
    this.pods.gone(pod);
  }

  protected override async reconcile(replicaSet: ReplicaSet, signal: AbortSignal): Promise<void> {
    const claimed = await this.claims.claim(replicaSet, signal);
    const pods = claimed.filter((pod) => isPodActive(pod) && !this.pods.isLeaving(pod));
    if (replicaSet.metadata.deletionTimestamp === undefined) {
      await this.scale(replicaSet, pods, signal);
    }
    const trouble =
      this.limiter.troubleOf(uidOf(replicaSet)) ?? waitOf(replicaSet.spec.replicas ?? 1, pods);
    await this.tellStatus(replicaSet, trouble, signal);
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
    for (const pod of plan.remove) {
      this.limiter.released(owner, uidOf(pod));
      await this.pods.remove(replicaSet, pod, signal);
    }
    const { count, retryInMs } = this.limiter.allowance(owner, plan.createCount, size);
    this.enqueueAfter(replicaSet, retryInMs);
    if (count > 0) await this.create(replicaSet, Math.min(count, BURST), signal);
    if (plan.createCount > BURST) this.enqueue(replicaSet);
  }

  /** How a pod of the set ended, in a word; undefined for one that is gone. */
  private endOf(replicaSet: ReplicaSet, uid: string): string | undefined {
    const pod = this.index.ownedBy(replicaSet).find((each) => uidOf(each) === uid);
    if (pod === undefined || !isTerminal(pod)) return undefined;
    return pod.status.reason ?? pod.status.phase;
  }

  private async create(replicaSet: ReplicaSet, count: number, signal: AbortSignal): Promise<void> {
    const draft = podFromTemplate(replicaSet, replicaSet.spec.template);
    const drafts = Array.from({ length: count }, () => draft);
    const { uids, refusal } = await this.pods.createMany(replicaSet, drafts, signal);
    const owner = uidOf(replicaSet);
    this.limiter.created(owner, uids, refusal);
    if (refusal === undefined) return;
    const { retryInMs } = this.limiter.allowance(owner, 1, 1);
    this.enqueueAfter(replicaSet, retryInMs ?? 0);
  }

  private async tellStatus(
    replicaSet: ReplicaSet,
    trouble: Trouble | undefined,
    signal: AbortSignal,
  ): Promise<void> {
    const pods = this.index.ownedBy(replicaSet).filter(isPodActive);
    const { available, nextInMs } = this.availability.count(
      uidOf(replicaSet),
      pods,
      replicaSet.spec.minReadySeconds ?? 0,
      replicaSet.status.availableReplicas ?? 0,
    );
    this.enqueueAfter(replicaSet, nextInMs);
    const now = rfc3339(this.deps.clock.now());
    const status = replicaSetStatus(replicaSet, pods, available, trouble, now);
    await this.writeStatus(replicaSet, status, signal);
  }
}

// Upstream's burst: one reconcile creates at most this many.
const BURST = 500;
