import { NOWHERE, placementsOf } from '../../../api/daemon-pods';
import { jsonEqual } from '../../../api/json-value';
import { DAEMON_SETS, NODES, PODS } from '../../../api/resources';
import { keyOf, uidOf, type DaemonSet, type Node, type Pod } from '../../../api/types';
import type { Informer } from '../../../client/informer';
import { Availability } from '../availability';
import type { ControllerDeps, Subscriptions } from '../controller';
import { OwnedController } from '../owned/owned-controller';
import { PodControl } from '../owned/pod-control';
import { Revisions, type History } from '../owned/revisions';
import { daemonPod, HASH_LABEL, targetOf } from './placement';
import {
  daemonSetStatus,
  isGone,
  planDaemons,
  type DaemonNode,
  type DaemonView,
  type Removal,
} from './plan';
import { RetryTimes } from './retry-times';

/** Keeps one pod of each DaemonSet on every node where one belongs. Source: daemon_controller.go. */
export class DaemonSetController extends OwnedController<DaemonSet, Pod> {
  private readonly nodes: Informer<Node>;
  private readonly revisions: Revisions<DaemonSet>;
  private readonly pods: PodControl<DaemonSet>;
  private readonly availability: Availability;
  /** Of pods that fail, by set and node. */
  private readonly failures: RetryTimes;
  /** Of pods that the API refuses, by set. */
  private readonly refusals: RetryTimes;

  constructor(deps: ControllerDeps) {
    super('daemon-set', deps, {
      owners: DAEMON_SETS,
      children: PODS,
      selectorOf: ({ spec }) => spec.selector,
    });
    this.nodes = deps.informers.of(NODES);
    this.revisions = new Revisions(DAEMON_SETS, HASH_LABEL, deps);
    this.pods = new PodControl(DAEMON_SETS, this.children, deps);
    this.availability = new Availability(deps.clock);
    this.failures = new RetryTimes(deps.clock, { initialMs: 1000, maxMs: 15 * 60_000 });
    this.refusals = new RetryTimes(deps.clock, { initialMs: 1000, maxMs: 60_000 });
  }

  protected override ownerGone(set: DaemonSet): void {
    this.pods.forget(set);
    this.availability.forget(uidOf(set));
    this.failures.forget(uidOf(set));
    this.refusals.forget(uidOf(set));
  }

  protected override childGone(pod: Pod): void {
    this.pods.gone(pod);
  }

  protected override get alsoNeeded() {
    return [this.nodes, this.revisions.informer];
  }

  protected override follow(subscriptions: Subscriptions): void {
    const enqueueAll = () => {
      for (const set of this.owners.list()) this.enqueue(set);
    };
    subscriptions.add(
      this.nodes.subscribe({
        name: this.name,
        onAdd: enqueueAll,
        onUpdate: (node, previous) => {
          if (!isOtherPlace(node, previous)) return;
          for (const set of this.owners.list()) if (differs(set, node, previous)) this.enqueue(set);
        },
        onDelete: enqueueAll,
      }),
    );
    subscriptions.add(this.revisions.followLost(this.name, (owner) => this.queue.add(owner)));
  }

  protected override async reconcile(set: DaemonSet, signal: AbortSignal): Promise<void> {
    // Its history may be gone already: what its pods are is hard to say then.
    if (set.metadata.deletionTimestamp !== undefined) return;
    const history = await this.revisions.settle(set, signal);
    await this.pods.settleDoubts(set, set.spec.selector, signal);
    await this.claims.claim(set, signal);
    const hash = history.present.metadata.labels?.[HASH_LABEL] ?? '';
    await this.act(this.viewOf(set, hash), signal);
    await this.tellStatus(set, hash, history.collisionCount, signal);
    await this.revisions.prune(set, history, this.inUse(set, history), signal);
  }

  private viewOf(set: DaemonSet, hash: string): DaemonView {
    const pods = this.index
      .ownedBy(set)
      .filter((pod) => this.claims.selects(set, pod) && !isGone(pod));
    const { uids, nextInMs } = this.availability.count(
      uidOf(set),
      pods,
      set.spec.minReadySeconds ?? 0,
      set.status.numberAvailable ?? 0,
    );
    this.enqueueAfter(set, nextInMs);
    return {
      set,
      hash,
      nodes: this.nodesOf(set, pods),
      isLeaving: (pod) => this.pods.isLeaving(pod),
      isAvailable: (pod) => uids.has(uidOf(pod)),
      mayRetry: (nodeName) => this.failures.restMs(failureKey(set, nodeName)) === 0,
    };
  }

  private nodesOf(set: DaemonSet, pods: readonly Pod[]): readonly DaemonNode[] {
    const byNode = new Map<string, Pod[]>();
    for (const pod of pods) {
      const target = targetOf(pod);
      const others = byNode.get(target ?? '');
      if (others !== undefined) others.push(pod);
      else if (target !== undefined) byNode.set(target, [pod]);
    }
    const placementOn = placementsOf(set);
    const there = [...this.nodes.list()].map((node) => {
      const { name } = node.metadata;
      const own = byNode.get(name) ?? [];
      byNode.delete(name);
      return { name, isThere: true, ...placementOn(node), pods: own };
    });
    const gone = [...byNode].map(([name, own]) => ({
      ...{ name, isThere: false, pods: own },
      ...NOWHERE,
    }));
    return [...there, ...gone].sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  private async act(view: DaemonView, signal: AbortSignal): Promise<void> {
    const { set } = view;
    const plan = planDaemons(view);
    for (const removal of plan.remove.slice(0, BURST)) await this.remove(set, removal, signal);
    for (const nodeName of plan.held)
      this.enqueueAfter(set, this.failures.restMs(failureKey(set, nodeName)));
    await this.create(view, plan.create, signal);
    if (Math.max(plan.create.length, plan.remove.length) > BURST) this.enqueue(set);
  }

  private async remove(
    set: DaemonSet,
    { pod, nodeName, why }: Removal,
    signal: AbortSignal,
  ): Promise<void> {
    const { events } = this.deps;
    if (why === 'failed') {
      this.failures.note(failureKey(set, nodeName));
      const message = `Found failed daemon pod ${keyOf(pod)} on node ${nodeName}, will try to kill it`;
      events.event(DAEMON_SETS, set, 'Warning', 'FailedDaemonPod', message);
    }
    if (why === 'succeeded') {
      const message = `Found succeeded daemon pod ${keyOf(pod)} on node ${nodeName}, will try to delete it`;
      events.event(DAEMON_SETS, set, 'Normal', 'SucceededDaemonPod', message);
    }
    await this.pods.remove(set, pod, signal);
  }

  /** In a first round of few: when the API refuses one, it will refuse the others. */
  private async create(
    { set, hash }: DaemonView,
    nodeNames: readonly string[],
    signal: AbortSignal,
  ): Promise<void> {
    if (nodeNames.length === 0) return;
    const uid = uidOf(set);
    const restMs = this.refusals.restMs(uid);
    if (restMs > 0) {
      this.enqueueAfter(set, restMs);
      return;
    }
    const drafts = nodeNames.slice(0, BURST).map((nodeName) => daemonPod(set, hash, nodeName));
    const { refusal } = await this.pods.createMany(set, drafts, signal);
    if (refusal === undefined) {
      this.refusals.forget(uid);
      return;
    }
    this.refusals.note(uid);
    this.enqueueAfter(set, this.refusals.restMs(uid));
  }

  private async tellStatus(
    set: DaemonSet,
    hash: string,
    collisionCount: number,
    signal: AbortSignal,
  ): Promise<void> {
    await this.writeStatus(set, daemonSetStatus(this.viewOf(set, hash), collisionCount), signal);
  }

  /** Revisions that hold the template of a pod that is still there, and the present one. */
  private inUse(set: DaemonSet, { revisions, present }: History): ReadonlySet<string> {
    const hashes = new Set(
      this.index.ownedBy(set).map(({ metadata }) => metadata.labels?.[HASH_LABEL]),
    );
    const used = revisions.filter(({ metadata }) => hashes.has(metadata.labels?.[HASH_LABEL]));
    return new Set([...used, present].map(({ metadata }) => metadata.name));
  }
}

/** Nothing else of a node says which sets it is for. */
const isOtherPlace = (node: Node, previous: Node): boolean =>
  !jsonEqual(node.metadata.labels ?? {}, previous.metadata.labels ?? {}) ||
  !jsonEqual(node.spec.taints ?? [], previous.spec.taints ?? []);

/** Has the node changed in a way that concerns the set? */
const differs = (set: DaemonSet, node: Node, previous: Node): boolean => {
  const placementOn = placementsOf(set);
  const [now, before] = [placementOn(node), placementOn(previous)];
  return now.shouldRun !== before.shouldRun || now.mayStay !== before.mayStay;
};

/** A new template begins anew. */
const failureKey = (set: DaemonSet, nodeName: string): string =>
  `${uidOf(set)}/${set.status.observedGeneration ?? 0}/${nodeName}`;

/** Source: daemon_controller.go, BurstReplicas. */
const BURST = 250;
