import { isPodReady, isTerminal, isTerminating } from '../../../api/pods';
import type { DaemonSet, Pod } from '../../../api/types';
import type { Placement } from '../../../api/daemon-pods';
import { HASH_LABEL } from './placement';

/** A node, what the set has to do with it, and its pods that are there or meant for it. */
export interface DaemonNode extends Placement {
  readonly name: string;
  readonly isThere: boolean;
  /** Those whose deletion was asked for, too, unless they have ended. */
  readonly pods: readonly Pod[];
}

export interface DaemonView {
  readonly set: DaemonSet;
  /** Of the present template. */
  readonly hash: string;
  /** Every node, and every name of one that pods are on; by name. */
  readonly nodes: readonly DaemonNode[];
  readonly isLeaving: (pod: Pod) => boolean;
  /** Ready for as long as the set asks for. */
  readonly isAvailable: (pod: Pod) => boolean;
  /** A pod that failed may be deleted now, and not only after a while. */
  readonly mayRetry: (nodeName: string) => boolean;
}

export interface DaemonPlan {
  /** Names of nodes that get a pod. */
  readonly create: readonly string[];
  readonly remove: readonly Removal[];
  /** Nodes on which a pod has failed that has to stay for now. */
  readonly held: readonly string[];
}

export interface Removal {
  readonly pod: Pod;
  readonly nodeName: string;
  readonly why: 'unwanted' | 'failed' | 'succeeded' | 'outdated';
}

/**
 * The next step: first that each node has what it should, and then, when nothing is to be done for
 * that, the update of pods of older templates.
 */
export const planDaemons = (view: DaemonView): DaemonPlan => {
  const plan = planNodes(view);
  const isSettled = plan.create.length === 0 && plan.remove.length === 0;
  if (!isSettled || view.set.spec.updateStrategy?.type !== 'RollingUpdate') return plan;
  const { maxSurge } = updateLimits(view);
  const update = maxSurge === 0 ? replaceOld(view) : surge(view, maxSurge);
  return { ...update, held: plan.held };
};

/** What each node lacks or has too much. Source: daemon_controller.go, podsShouldBeOnNode. */
export const planNodes = (view: DaemonView): DaemonPlan => {
  const plans = view.nodes.map((node) => planNode(view, node));
  return {
    create: plans.flatMap(({ create }) => create),
    remove: plans.flatMap(({ remove }) => remove),
    held: plans.flatMap(({ held }) => held),
  };
};

const NOTHING: DaemonPlan = { create: [], remove: [], held: [] };

const planNode = (view: DaemonView, node: DaemonNode): DaemonPlan => {
  const { name, pods, shouldRun, mayStay, isThere } = node;
  const present = pods.filter((pod) => !view.isLeaving(pod));
  if (!isThere) {
    // What is bound to it goes with it; what is not bound yet nobody else would clear away.
    const unbound = present.filter(({ spec }) => (spec.nodeName ?? '') === '');
    return { ...NOTHING, remove: removals(name, unbound, 'unwanted') };
  }
  if (shouldRun && pods.length === 0) return { ...NOTHING, create: [name] };
  if (!mayStay) return { ...NOTHING, remove: removals(name, present, 'unwanted') };
  const failed = present.filter(({ status }) => status.phase === 'Failed');
  const succeeded = present.filter(({ status }) => status.phase === 'Succeeded');
  const running = oldestFirst(present.filter((pod) => !isTerminal(pod)));
  const isHeld = failed.length > 0 && !view.mayRetry(name);
  const isEmpty = shouldRun && running.length === 0 && !isHeld;
  return {
    create: isEmpty && allowsSurge(view.set) ? [name] : [],
    remove: [
      ...(isHeld ? [] : removals(name, failed, 'failed')),
      ...removals(name, succeeded, 'succeeded'),
      ...removals(name, excessOf(view, running), 'unwanted'),
    ],
    held: isHeld ? [name] : [],
  };
};

const removals = (
  nodeName: string,
  pods: readonly Pod[],
  why: Removal['why'],
): readonly Removal[] => pods.map((pod) => ({ pod, nodeName, why }));

/**
 * One pod a node; while it surges, the first of the new template beside the first of an old one, as
 * long as the old one is ready and the new one is not available.
 */
const excessOf = (view: DaemonView, running: readonly Pod[]): readonly Pod[] => {
  if (running.length <= 1) return [];
  if (!allowsSurge(view.set)) return running.slice(1);
  const isNew = (pod: Pod) => isUpdated(pod, view.hash);
  const fresh = running.find(isNew);
  const old = running.find((pod) => !isNew(pod));
  const others = running.filter((pod) => pod !== fresh && pod !== old);
  const isOldDone =
    fresh !== undefined && old !== undefined && (!isPodReady(old) || view.isAvailable(fresh));
  return isOldDone ? [...others, old] : others;
};

export const isUpdated = ({ metadata }: Pod, hash: string): boolean =>
  metadata.labels?.[HASH_LABEL] === hash;

/** Those that have a node first. Source: podByCreationTimestampAndPhase. */
export const oldestFirst = (pods: readonly Pod[]): Pod[] =>
  [...pods].sort(
    (a, b) =>
      Number((b.spec.nodeName ?? '') !== '') - Number((a.spec.nodeName ?? '') !== '') ||
      createdAt(a) - createdAt(b) ||
      (a.metadata.name < b.metadata.name ? -1 : 1),
  );

const createdAt = ({ metadata }: Pod): number => Date.parse(metadata.creationTimestamp ?? '') || 0;

/** How many nodes an update may leave without a pod that serves, or give a second one. */
export interface UpdateLimits {
  readonly maxUnavailable: number;
  readonly maxSurge: number;
}

/** Shares round up; both zero would stop all progress. Source: update.go, updatedDesiredNodeCounts. */
export const updateLimits = ({ set, nodes }: Pick<DaemonView, 'set' | 'nodes'>): UpdateLimits => {
  const desired = nodes.filter(({ shouldRun }) => shouldRun).length;
  const { maxUnavailable = 1, maxSurge = 0 } = set.spec.updateStrategy?.rollingUpdate ?? {};
  const limits = {
    maxUnavailable: share(maxUnavailable, desired),
    maxSurge: share(maxSurge, desired),
  };
  const isStuck = limits.maxUnavailable === 0 && limits.maxSurge === 0;
  return isStuck ? { ...limits, maxUnavailable: 1 } : limits;
};

const share = (value: number | string, whole: number): number =>
  typeof value === 'number' ? value : Math.ceil((Number.parseInt(value, 10) * whole) / 100);

/** Would one node of one get a second pod? */
const allowsSurge = ({ spec: { updateStrategy } }: DaemonSet): boolean =>
  updateStrategy?.type === 'RollingUpdate' &&
  share(updateStrategy.rollingUpdate?.maxSurge ?? 0, 1) > 0;

interface OnNode {
  readonly node: DaemonNode;
  readonly fresh: Pod | undefined;
  readonly old: Pod | undefined;
}

/** What of the set is on a node; undefined when there are several of a sort, which `planNodes` clears up. */
const onNode = (view: DaemonView, node: DaemonNode): OnNode | undefined => {
  const present = node.pods.filter((pod) => !view.isLeaving(pod));
  const [fresh, secondFresh] = present.filter((pod) => isUpdated(pod, view.hash));
  const [old, secondOld] = present.filter((pod) => !isUpdated(pod, view.hash));
  if (secondFresh !== undefined || secondOld !== undefined) return undefined;
  return { node, fresh, old };
};

/** Nodes that the set is or should be on. */
const concerned = ({ nodes }: DaemonView): readonly DaemonNode[] =>
  nodes.filter(({ shouldRun, pods }) => shouldRun || pods.length > 0);

/**
 * Old pods make way: at once those that serve nobody, and of the others as many as leave no more than
 * `maxUnavailable` nodes without one. Source: update.go, rollingUpdate.
 */
const replaceOld = (view: DaemonView): Omit<DaemonPlan, 'held'> => {
  const { maxUnavailable } = updateLimits(view);
  const broken: Removal[] = [];
  const candidates: Removal[] = [];
  let unavailable = 0;
  for (const node of concerned(view)) {
    const found = onNode(view, node);
    const isOutdated = found?.fresh === undefined && found?.old !== undefined;
    if (isOutdated) {
      const removal: Removal = { pod: found.old, nodeName: node.name, why: 'outdated' };
      (view.isAvailable(found.old) ? candidates : broken).push(removal);
    }
    const only =
      found?.old === undefined ? found?.fresh : found.fresh === undefined ? found.old : undefined;
    if (only === undefined || !view.isAvailable(only)) unavailable++;
  }
  const spare = Math.max(0, maxUnavailable - unavailable);
  return { create: [], remove: [...broken, ...candidates.slice(0, spare)] };
};

/**
 * New pods come first: at once beside those that serve nobody, and beside up to `maxSurge` others; an
 * old pod goes when the new one on its node is available. On nodes that the set is to leave, a pod
 * stays until enough others are available. Source: update.go, rollingUpdate.
 */
const surge = (view: DaemonView, maxSurge: number): Omit<DaemonPlan, 'held'> => {
  const create: string[] = [];
  const candidates: string[] = [];
  const remove: Removal[] = [];
  const leaving: Removal[] = [];
  let surging = 0;
  let available = 0;
  for (const node of concerned(view)) {
    const found = onNode(view, node);
    if (found === undefined) {
      surging++;
      continue;
    }
    const { fresh, old } = found;
    const serving = old ?? fresh;
    if (serving !== undefined && view.isAvailable(serving)) available++;
    if (old === undefined) continue;
    const removal: Removal = { pod: old, nodeName: node.name, why: 'outdated' };
    const isServing = view.isAvailable(old);
    if (fresh !== undefined) {
      if (view.isAvailable(fresh)) remove.push(removal);
      else surging++;
    } else if (!node.shouldRun) (isServing ? leaving : remove).push(removal);
    else (isServing ? candidates : create).push(node.name);
  }
  const desired = view.nodes.filter(({ shouldRun }) => shouldRun).length;
  return {
    create: [...create, ...candidates.slice(0, Math.max(0, maxSurge - surging))],
    remove: [...remove, ...leaving.slice(0, Math.max(0, available - desired))],
  };
};

/** The status that these pods amount to. Source: daemon_controller.go, updateDaemonSetStatus. */
export const daemonSetStatus = (
  { set, hash, nodes, isAvailable }: Omit<DaemonView, 'isLeaving' | 'mayRetry'>,
  collisionCount: number,
): DaemonSet['status'] => {
  const there = nodes.filter(({ isThere }) => isThere);
  const wanted = there.filter(({ shouldRun }) => shouldRun);
  const first = wanted.flatMap(({ pods }) => oldestFirst(pods).slice(0, 1));
  const updated = first.filter((pod) => isUpdated(pod, hash)).length;
  const available = first.filter((pod) => isPodReady(pod) && isAvailable(pod)).length;
  const unavailable = wanted.length - available;
  const { conditions } = set.status;
  return {
    currentNumberScheduled: first.length,
    numberMisscheduled: there.filter(({ shouldRun, pods }) => !shouldRun && pods.length > 0).length,
    desiredNumberScheduled: wanted.length,
    numberReady: first.filter(isPodReady).length,
    observedGeneration: set.metadata.generation ?? 0,
    ...(updated === 0 ? {} : { updatedNumberScheduled: updated }),
    ...(available === 0 ? {} : { numberAvailable: available }),
    ...(unavailable === 0 ? {} : { numberUnavailable: unavailable }),
    ...(collisionCount === 0 ? {} : { collisionCount }),
    ...(conditions === undefined ? {} : { conditions }),
  };
};

/** Of pods that have ended and go, nothing is left to wait for. */
export const isGone = (pod: Pod): boolean => isTerminating(pod) && isTerminal(pod);
