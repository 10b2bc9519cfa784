import { isNodeReady } from '../../../api/nodes';
import { isTerminal } from '../../../api/pods';
import { PODS, STATEFUL_SETS } from '../../../api/resources';
import {
  uidOf,
  type ApiObject,
  type ControllerRevision,
  type PersistentVolumeClaim,
  type Pod,
  type StatefulSet,
} from '../../../api/types';
import type { DraftOf } from '../../../client/api-client';
import type { Informer } from '../../../client/informer';
import { rfc3339 } from '../../../lib/clock';
import { Availability } from '../availability';
import type { ControllerDeps, Subscriptions } from '../controller';
import { CreationLimiter } from '../creation-limiter';
import { OwnedController } from '../owned/owned-controller';
import { waitOf } from '../replica-set-plan';
import { PodControl } from '../owned/pod-control';
import { Revisions, templateOf, type History } from '../owned/revisions';
import { ClaimControl } from './claim-control';
import { isClaimOf } from './claims';
import { ordinalOf, podDraft, revisionOf } from './identity';
import { IdentityControl } from './identity-control';
import { LostPods } from './lost-pods';
import { planStatefulSet, type Member, type Removal, type StatefulPlan } from './plan';
import { statefulSetStatus, type SetTrouble } from './status';
import { POD_WORDS, tellRecreated } from './words';

/** What one reconcile works on. */
interface Work {
  readonly set: StatefulSet;
  readonly history: History;
  /** What the set was last rolled out to in full. */
  readonly current: ControllerRevision;
  readonly members: readonly Member[];
  /** Uids of pods that have been ready for `minReadySeconds`. */
  readonly available: ReadonlySet<string>;
  /** When the next one will have been. */
  readonly nextInMs: number | undefined;
}

/**
 * Keeps a StatefulSet's pods: each of a name, a place in an order and claims of its own, and never two
 * of one name. That holds because the name is the pod's: nothing but its end in the store frees it,
 * and only its node, or a person who forces it, brings that about.
 */
export class StatefulSetController extends OwnedController<StatefulSet, Pod> {
  private readonly pods: PodControl<StatefulSet>;
  private readonly revisions: Revisions<StatefulSet>;
  private readonly volumes: ClaimControl;
  private readonly identities: IdentityControl;
  private readonly limiter: CreationLimiter;
  private readonly availability: Availability;
  private readonly lost: LostPods;

  constructor(deps: ControllerDeps) {
    super('stateful-set', deps, {
      owners: STATEFUL_SETS,
      children: PODS,
      selectorOf: ({ spec }) => spec.selector,
      mayOwn: (set, pod) => ordinalOf(set, pod) !== undefined,
    });
    this.pods = new PodControl(STATEFUL_SETS, this.children, deps, POD_WORDS);
    this.revisions = new Revisions(STATEFUL_SETS, HASH_LABEL, deps);
    this.volumes = new ClaimControl(deps);
    this.identities = new IdentityControl(this.children, this.volumes, deps);
    this.limiter = new CreationLimiter(deps.clock);
    this.availability = new Availability(deps.clock);
    this.lost = new LostPods(deps);
  }

  protected override ownerGone(set: StatefulSet): void {
    this.limiter.forget(uidOf(set));
    this.availability.forget(uidOf(set));
  }

  protected override childGone(pod: Pod): void {
    this.pods.gone(pod);
    this.lost.gone(pod);
  }

  protected override get alsoNeeded(): readonly Pick<Informer<ApiObject>, 'whenSynced'>[] {
    return [this.revisions.informer, this.volumes.informer, this.lost.nodes];
  }

  protected override follow(subscriptions: Subscriptions): void {
    const { name } = this;
    subscriptions.add(this.revisions.followLost(name, (key) => this.queue.add(key)));
    const onDelete = (claim: PersistentVolumeClaim) => this.enqueueOwnersOfClaim(claim);
    subscriptions.add(this.volumes.informer.subscribe({ name, onDelete }));
    subscriptions.add(
      this.lost.nodes.subscribe({
        name,
        onUpdate: (node, previous) => {
          if (isNodeReady(node) !== isNodeReady(previous)) this.enqueueOwnersOn(node.metadata.name);
        },
      }),
    );
  }

  private enqueueOwnersOfClaim({ metadata }: PersistentVolumeClaim): void {
    for (const set of this.owners.list()) {
      const isNear = set.metadata.namespace === metadata.namespace;
      if (isNear && isClaimOf(set, metadata.name)) this.enqueue(set);
    }
  }

  private enqueueOwnersOn(nodeName: string): void {
    for (const pod of this.children.list())
      if (pod.spec.nodeName === nodeName) this.enqueueOwnerOf(pod);
  }

  protected override async reconcile(set: StatefulSet, signal: AbortSignal): Promise<void> {
    if (set.metadata.deletionTimestamp !== undefined) return;
    const pods = await this.claims.claim(set, signal);
    const history = await this.revisions.settle(set, signal);
    const work = { set, history, current: currentOf(set, history), ...this.look(set, pods) };
    try {
      await this.step(work, signal);
    } finally {
      if (!signal.aborted) await this.tellStatus(work, signal);
    }
    const inUse = new Set(this.index.ownedBy(set).map(revisionOf));
    for (const { metadata } of [work.current, history.present]) inUse.add(metadata.name);
    await this.revisions.prune(set, history, inUse, signal);
  }

  private look(
    set: StatefulSet,
    pods: readonly Pod[],
  ): Pick<Work, 'members' | 'available' | 'nextInMs'> {
    const { minReadySeconds = 0 } = set.spec;
    const known = set.status.availableReplicas ?? 0;
    const counted = this.availability.count(uidOf(set), pods, minReadySeconds, known);
    const members = pods.flatMap((pod) => {
      const ordinal = ordinalOf(set, pod);
      const isLeaving = this.pods.isLeaving(pod);
      const isAvailable = counted.uids.has(uidOf(pod));
      return ordinal === undefined
        ? []
        : [{ pod, ordinal, revision: revisionOf(pod), isLeaving, isAvailable }];
    });
    return { members, available: counted.uids, nextInMs: counted.nextInMs };
  }

  private async step(work: Work, signal: AbortSignal): Promise<void> {
    const { set, history, current, members } = work;
    const active = members.filter(({ pod, isLeaving }) => !isLeaving && !isTerminal(pod));
    const byUid = new Map(members.map(({ pod }) => [uidOf(pod), pod]));
    this.limiter.observe(
      uidOf(set),
      active.map(({ pod }) => uidOf(pod)),
      (uid) => endOf(byUid.get(uid)),
    );
    const failures = await this.identities.keep(set, members, signal);
    const plan = planStatefulSet(set, members, {
      current: current.metadata.name,
      update: history.present.metadata.name,
    });
    for (const removal of plan.remove) await this.remove(set, removal, signal);
    failures.push(...(await this.create(work, plan.create, signal)));
    if (failures.length > 0) throw failures[0];
  }

  private async remove(
    set: StatefulSet,
    { member: { pod }, why }: Removal,
    signal: AbortSignal,
  ): Promise<void> {
    if (why === 'ended') tellRecreated(this.deps.events, set, pod);
    else this.limiter.released(uidOf(set), uidOf(pod));
    await this.pods.remove(set, pod, signal);
  }

  /** Returns what kept pods from being made. */
  private async create(
    work: Work,
    wanted: StatefulPlan['create'],
    signal: AbortSignal,
  ): Promise<readonly unknown[]> {
    const { set } = work;
    const owner = uidOf(set);
    const ready = wanted.filter(({ ordinal }) => !this.volumes.mustWait(set, ordinal));
    const { count, retryInMs } = this.limiter.allowance(owner, ready.length, sizeOf(set));
    this.enqueueAfter(set, retryInMs);
    const round = ready.slice(0, Math.min(count, BURST));
    if (count > BURST) this.enqueue(set);
    const failures: unknown[] = [];
    const drafts: DraftOf<Pod>[] = [];
    for (const each of round) {
      const draft = this.draftOf(work, each);
      try {
        await this.volumes.prepare(set, each.ordinal, signal);
        drafts.push(draft);
      } catch (error) {
        signal.throwIfAborted();
        this.pods.tellNotCreated(set, draft, error);
        failures.push(error);
        if (failures.length >= FAILURES_MAX) break;
      }
    }
    await this.createPods(set, drafts, signal);
    return failures;
  }

  private async createPods(
    set: StatefulSet,
    drafts: readonly DraftOf<Pod>[],
    signal: AbortSignal,
  ): Promise<void> {
    if (drafts.length === 0) return;
    const owner = uidOf(set);
    const { uids, refusal } = await this.pods.createMany(set, drafts, signal);
    this.limiter.created(owner, uids, refusal);
    if (refusal === undefined) return;
    this.enqueueAfter(set, this.limiter.allowance(owner, 1, 1).retryInMs ?? 0);
  }

  private draftOf(
    { set, history, current }: Work,
    { ordinal, revision }: StatefulPlan['create'][number],
  ): DraftOf<Pod> {
    const made = revision === current.metadata.name ? current : history.present;
    return podDraft(set, ordinal, templateOf(made) ?? set.spec.template, made.metadata.name);
  }

  /** Of what was found; what this step made is told by the next, which it brings. */
  private async tellStatus(work: Work, signal: AbortSignal): Promise<void> {
    const { set, history, current, available } = work;
    const pods = work.members.map(({ pod }) => pod);
    this.enqueueAfter(set, work.nextInMs);
    const status = statefulSetStatus(set, {
      ...{ pods, available },
      revisions: { current: current.metadata.name, update: history.present.metadata.name },
      collisionCount: history.collisionCount,
      trouble: this.troubleOf(set, pods),
      now: rfc3339(this.deps.clock.now()),
    });
    await this.writeStatus(set, status, signal);
  }

  private troubleOf(set: StatefulSet, pods: readonly Pod[]): SetTrouble | undefined {
    const isParallel = set.spec.podManagementPolicy === 'Parallel';
    return (
      this.lost.tell(set, pods) ??
      this.limiter.troubleOf(uidOf(set)) ??
      (isParallel ? waitOf(sizeOf(set), pods) : undefined)
    );
  }
}

/** The revision that the status names, if it is still there and holds a template. */
const currentOf = ({ status }: StatefulSet, { revisions, present }: History): ControllerRevision =>
  revisions.find(
    (each) => each.metadata.name === status.currentRevision && templateOf(each) !== undefined,
  ) ?? present;

const sizeOf = ({ spec }: StatefulSet): number => spec.replicas ?? 1;

/** How a pod ended, in a word; undefined for one that is gone. */
const endOf = (pod: Pod | undefined): string | undefined =>
  pod !== undefined && isTerminal(pod) ? (pod.status.reason ?? pod.status.phase) : undefined;

const HASH_LABEL = 'controller.kubernetes.io/hash';

// Upstream's MaxBatchSize.
const BURST = 500;
/** One claim that cannot be made is no reason to stop; several have one cause. */
const FAILURES_MAX = 4;
