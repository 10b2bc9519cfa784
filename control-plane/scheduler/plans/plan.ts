import { controllerOf } from '../../../api/owners';
import type { PlacementPlanStatus, PlannedPlacement } from '../../../api/placement-plans';
import { keyOf, type Pod } from '../../../api/types';
import type { PlacementQuestion } from '../../../client/placements';
import { decide, type Decision } from '../decide';
import { isGated, podInfoOf, type PodInfo } from '../pod-info';
import { DEFAULT_SCHEDULER_NAME, type Profiles } from '../profile';
import type { Snapshot } from '../snapshot';
import { suggest } from '../suggest';
import { clearNodes, removeReplaced } from './displaced';
import { countMore } from './more';
import { changedUses, usesOf } from './node-uses';

export interface PlanSetting {
  /** The plan's own: it is changed. */
  readonly cluster: Snapshot;
  /** Pods that are pending now. */
  readonly waiting: readonly PodInfo[];
  /** Finds what is behind the claims of a pod. */
  readonly resolve: (info: PodInfo) => PodInfo;
  readonly seed: number;
  readonly profiles: Profiles;
}

/** One pod that wants a node. What scheduling reads of it is worked out at its turn: many have none. */
interface Wish {
  readonly pod: Pod;
  readonly owner?: string;
  readonly cause: PlannedPlacement['cause'];
  readonly from?: string;
}

/**
 * Tries pods in the order in which the scheduler would, each by `decide`, and assumes what comes out
 * for those behind it: victims leave, and those that somebody makes anew want a node in their turn.
 * Yields after each attempt, so that others get theirs. Bounded in attempts.
 */
export function* planPlacements(
  question: PlacementQuestion,
  setting: PlanSetting,
): Generator<void, PlacementPlanStatus> {
  const { cluster } = setting;
  const { replacedOwners = new Set(), addNodes = [], drain = [], without = [], more } = question;
  const before = usesOf(cluster);
  for (const node of addNodes) cluster.setNode(node);
  const replaced = removeReplaced(cluster, replacedOwners);
  const moved = clearNodes(cluster, { drain, without });
  const changesNodes = addNodes.length + drain.length + without.length > 0;
  const tried = yield* tryAll(
    [
      // Where no node changes, they have just been found to fit nowhere.
      ...(changesNodes ? setting.waiting : []).map(({ pod }) => wishOf(pod, 'Waiting')),
      ...moved.map(({ info, from }) => ({ ...wishOf(info.pod, 'Moved'), from })),
      ...question.pods.map(({ pod, owner }) => ({
        ...wishOf(pod, 'Planned'),
        ...(owner === undefined ? {} : { owner }),
      })),
    ],
    setting,
  );
  const nodes = changedUses(before, cluster, { addNodes, drain, without });
  const room = more === undefined ? undefined : yield* countMore(more, setting);
  return { ...tried, replaced, nodes, ...(room === undefined ? {} : { more: room }) };
}

/** By priority; among equals in the order given. */
function* tryAll(
  wishes: readonly Wish[],
  setting: PlanSetting,
): Generator<void, Pick<PlacementPlanStatus, 'placements' | 'omitted'>> {
  const waiting = wishes.toSorted((a, b) => priorityOf(b) - priorityOf(a));
  const placements: PlannedPlacement[] = [];
  const suggested = new Set<string>();
  for (let wish = waiting.shift(); wish !== undefined; wish = waiting.shift()) {
    if (placements.length >= ATTEMPTS_MAX) return { placements, omitted: waiting.length + 1 };
    const { placement, victims } = attempt(wish, setting, suggested);
    placements.push(placement);
    for (const { pod } of victims)
      insert(waiting, { ...wishOf(pod, 'Evicted'), from: placement.nodeName ?? '' });
    yield;
  }
  return { placements };
}

const insert = (waiting: Wish[], wish: Wish): void => {
  const place = waiting.findIndex((each) => priorityOf(each) < priorityOf(wish));
  waiting.splice(place < 0 ? waiting.length : place, 0, wish);
};

interface Attempted {
  readonly placement: PlannedPlacement;
  readonly victims: readonly PodInfo[];
}

const attempt = (wish: Wish, setting: PlanSetting, suggested: Set<string>): Attempted => {
  const { cluster, seed } = setting;
  const profile = setting.profiles.of(wish.pod);
  const known = { pod: keyOf(wish.pod), cause: wish.cause, ...whence(wish) };
  const nowhere = notTried(wish, setting);
  if (nowhere !== undefined) return { placement: { ...known, ...nowhere }, victims: [] };
  const own = podInfoOf(unplaced(wish));
  const named = own.pod.spec.nodeName ?? '';
  if (named !== '') {
    cluster.assume(own, named);
    return { placement: { ...known, outcome: 'Scheduled', nodeName: named }, victims: [] };
  }
  const info = setting.resolve(own);
  const decision = decide(info, cluster, seed, profile);
  const victims = decision.preemption?.victims ?? [];
  for (const { uid } of victims) cluster.removePod(uid);
  const nodeName = decision.nodeName ?? decision.preemption?.nodeName;
  if (nodeName !== undefined) {
    cluster.assume(own, nodeName);
    cluster.endNomination(info.uid);
    return { placement: { ...known, ...scheduled(decision, nodeName) }, victims };
  }
  const group = `${wish.owner ?? info.key} ${decision.message}`;
  // One of a group is enough: a suggestion costs more than the decision.
  const isNew = !suggested.has(group) && suggested.size < SUGGESTIONS_MAX;
  suggested.add(group);
  const suggestion = isNew ? suggest(info, cluster, { profile }) : undefined;
  return {
    placement: {
      ...known,
      ...counts(decision),
      outcome: 'Unschedulable',
      message: decision.message,
      ...(suggestion === undefined ? {} : { suggestion }),
    },
    victims,
  };
};

/** Why it would not be tried at all. */
const notTried = ({ pod, cause }: Wish, { profiles }: PlanSetting) => {
  const { spec } = pod;
  if ((cause === 'Moved' || cause === 'Evicted') && controllerOf(pod) === undefined)
    return { outcome: 'Lost', message: 'no controller makes it anew' } as const;
  const { schedulerName: named = DEFAULT_SCHEDULER_NAME } = spec;
  if (profiles.find(pod) === undefined)
    return {
      outcome: 'Held',
      message: `only the scheduler ${named}, which it names, would place it`,
    } as const;
  if (!isGated({ pod })) return undefined;
  const gates = (spec.schedulingGates ?? []).map(({ name }) => name);
  return { outcome: 'Held', message: `held back by ${gates.join(' and ')}` } as const;
};

const counts = ({ nodesConsidered, nodesFeasible, refusals }: Decision) => ({
  nodesConsidered,
  nodesFeasible,
  refusals,
});

const scheduled = (decision: Decision, nodeName: string) => {
  const { top, margin, decidedBy, preemption } = decision;
  const runnerUp = top[1]?.node;
  return {
    outcome: 'Scheduled',
    nodeName,
    ...counts(decision),
    ...(runnerUp === undefined ? {} : { runnerUp }),
    ...(margin === undefined ? {} : { margin }),
    ...(decidedBy === undefined ? {} : { decidedBy }),
    ...(preemption === undefined
      ? {}
      : {
          evicts: preemption.victims.map(({ key }) => key),
          budgetViolations: preemption.violations,
        }),
  } as const;
};

const wishOf = (pod: Pod, cause: Wish['cause']): Wish => ({ pod, ...ownerOf(pod), cause });

const priorityOf = ({ pod }: Wish): number => pod.spec.priority ?? 0;

/** One that is made anew has no node yet; of the others a node that it names itself counts. */
const unplaced = ({ pod, cause }: Wish): Pod => {
  if (cause === 'Planned') return pod;
  const { nodeName: _left, ...spec } = pod.spec;
  return { ...pod, spec };
};

const ownerOf = (pod: Pod) => {
  const owner = controllerOf(pod);
  return owner === undefined ? {} : { owner: `${owner.kind}/${owner.name}` };
};

const whence = ({ owner, from }: Wish) => ({
  ...(owner === undefined ? {} : { owner }),
  ...(from === undefined ? {} : { from }),
});

const ATTEMPTS_MAX = 2_000;
const SUGGESTIONS_MAX = 10;
