import { controllerOf } from '../../../api/owners';
import type {
  PlacementPlanStatus,
  PlannedGroup,
  PlannedPlacement,
} from '../../../api/placement-plans';
import { groupKeyOf } from '../../../api/pod-groups';
import { keyOf } from '../../../api/types';
import type { PlacementQuestion } from '../../../client/placements';
import { refusalsOn, type Decision } from '../decide';
import { IndexedEngine } from '../engine/indexed-engine';
import type { Gang } from '../gangs/gangs';
import { podInfoOf, type PodInfo } from '../pod-info';
import type { Profile, Profiles } from '../profile';
import type { Snapshot } from '../snapshot';
import { suggest } from '../suggest';
import { clearNodes, removeReplaced, type Displaced } from './displaced';
import { countMore } from './more';
import { changedUses, usesOf } from './node-uses';
import { planGang } from './plan-gang';
import { PlannedGangs, type KnownGroups } from './planned-gangs';
import {
  countsOf,
  isLost,
  knownOf,
  notTried,
  priorityOf,
  scheduledAs,
  unplaced,
  wishOf,
  type Wish,
} from './wish';

export interface PlanSetting {
  /** The plan's own: it is changed. */
  readonly cluster: Snapshot;
  /** Pods that are pending now. */
  readonly waiting: readonly PodInfo[];
  /** Finds what is behind the claims of a pod. */
  readonly resolve: (info: PodInfo) => PodInfo;
  readonly seed: number;
  readonly profiles: Profiles;
  /** Groups that are there, and who belongs to them. */
  readonly groups: KnownGroups;
}

/**
 * Tries pods in the order in which the scheduler would, those of a group together, and assumes what comes
 * out for those behind it: victims leave, and those that somebody makes anew want a node in their turn.
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
  const { groups = [] } = question;
  const grouped = groupsIn(question, moved);
  const waiting = setting.waiting.filter(
    ({ pod }) =>
      !replacedOwners.has(controllerOf(pod)?.uid ?? '') &&
      // Where neither nodes nor their group change, they have just been found to fit nowhere.
      (changesNodes || grouped.has(groupKeyOf(pod) ?? '')),
  );
  const engine = new IndexedEngine({ cluster });
  const tried = yield* tryAll(
    [
      ...waiting.map(({ pod }) => wishOf(pod, 'Waiting')),
      ...moved.map(({ info, from }) => ({ ...wishOf(info.pod, 'Moved'), from })),
      ...question.pods.map(({ pod, owner }) => ({
        ...wishOf(pod, 'Planned'),
        ...(owner === undefined ? {} : { owner }),
      })),
    ],
    {
      ...setting,
      gangs: new PlannedGangs({ cluster, known: setting.groups, groups, replacedOwners }),
      decide: (info, profile) => engine.decide(info, setting.seed, profile),
      ...{ suggested: new Set(), drained: new Set(drain) },
    },
  );
  const nodes = changedUses(before, cluster, { addNodes, drain, without });
  const room =
    more === undefined
      ? undefined
      : yield* countMore(more, { ...setting, drained: new Set(drain) });
  return { ...tried, replaced, nodes, ...(room === undefined ? {} : { more: room }) };
}

/** Keys of the groups that the plan adds to, or changes. */
const groupsIn = (
  { pods, groups = [] }: PlacementQuestion,
  moved: readonly Displaced[],
): ReadonlySet<string> =>
  new Set([
    ...groups.map(keyOf),
    ...[...pods.map(({ pod }) => pod), ...moved.map(({ info: { pod } }) => pod)].flatMap(
      (pod) => groupKeyOf(pod) ?? [],
    ),
  ]);

/** What of a plan stays the same from one attempt to the next. */
interface Planning extends PlanSetting {
  readonly gangs: PlannedGangs;
  readonly decide: (info: PodInfo, profile: Profile) => Decision;
  /** Nodes that take no more pods because the plan says so. */
  readonly drained: ReadonlySet<string>;
  /** Of whom has been told what would help. */
  readonly suggested: Set<string>;
}

interface Tried {
  readonly placements: PlannedPlacement[];
  readonly groups: PlannedGroup[];
}

/** By priority; among equals in the order given. The first of a group to be tried takes the others along. */
function* tryAll(
  wishes: readonly Wish[],
  planning: Planning,
): Generator<void, Tried & Pick<PlacementPlanStatus, 'omitted'>> {
  const { gangs } = planning;
  const waiting = wishes.toSorted((a, b) => priorityOf(b) - priorityOf(a));
  const tried: Tried = { placements: [], groups: [] };
  for (const wish of wishes) noteMember(wish, gangs);
  for (let wish = waiting.shift(); wish !== undefined; wish = waiting.shift()) {
    const gang = gangs.of(wish.pod);
    const isOfGang = gang !== undefined && gang.neededCount > 0 && mayBeTried(wish, planning);
    const others = isOfGang ? takeOthers(gang.key, waiting, planning) : [];
    const left = ATTEMPTS_MAX - tried.placements.length;
    if (others.length >= left) return { ...tried, omitted: waiting.length + others.length + 1 };
    const victims = isOfGang
      ? tryGang([wish, ...others], gang, { waiting, tried, planning })
      : tryOne(wish, tried, planning);
    for (const { info, from } of victims) {
      const evicted = { ...wishOf(info.pod, 'Evicted'), from };
      noteMember(evicted, gangs);
      insert(waiting, evicted);
    }
    yield;
  }
  return tried;
}

interface Victim {
  readonly info: PodInfo;
  readonly from: string;
}

const noteMember = (wish: Wish, gangs: PlannedGangs): void => {
  if (isLost(wish)) gangs.lose(wish.pod);
  else gangs.add(unplaced(wish));
};

/** A node that it names itself is not to be found for it. */
const mayBeTried = (wish: Wish, { profiles }: Planning): boolean =>
  notTried(wish, profiles) === undefined && (unplaced(wish).spec.nodeName ?? '') === '';

const takeOthers = (key: string, waiting: Wish[], planning: Planning): readonly Wish[] => {
  const isOther = (wish: Wish) => groupKeyOf(wish.pod) === key && mayBeTried(wish, planning);
  const others = waiting.filter(isOther);
  const rest = waiting.filter((wish) => !isOther(wish));
  waiting.splice(0, waiting.length, ...rest);
  return others;
};

const tryGang = (
  wishes: readonly Wish[],
  gang: Gang,
  { waiting, tried, planning }: { waiting: Wish[]; tried: Tried; planning: Planning },
): readonly Victim[] => {
  const { placements, victims, group, rest } = planGang(wishes, gang, planning);
  tried.placements.push(...placements);
  tried.groups.push(group);
  for (const wish of rest) insert(waiting, wish);
  return victims;
};

const insert = (waiting: Wish[], wish: Wish): void => {
  const place = waiting.findIndex((each) => priorityOf(each) < priorityOf(wish));
  waiting.splice(place < 0 ? waiting.length : place, 0, wish);
};

const tryOne = (wish: Wish, { placements }: Tried, planning: Planning): readonly Victim[] => {
  const { placement, victims } = attempt(wish, planning);
  placements.push(placement);
  return victims.map((info) => ({ info, from: placement.nodeName ?? '' }));
};

interface Attempted {
  readonly placement: PlannedPlacement;
  readonly victims: readonly PodInfo[];
}

const attempt = (wish: Wish, planning: Planning): Attempted => {
  const { cluster } = planning;
  const profile = planning.profiles.of(wish.pod);
  const known = knownOf(wish);
  const nowhere = notTried(wish, planning.profiles);
  if (nowhere !== undefined) return { placement: { ...known, ...nowhere }, victims: [] };
  const own = podInfoOf(unplaced(wish));
  const named = own.pod.spec.nodeName ?? '';
  if (named !== '') {
    cluster.assume(own, named);
    return { placement: { ...known, outcome: 'Scheduled', nodeName: named }, victims: [] };
  }
  const info = planning.resolve(own);
  const decision = planning.decide(info, profile);
  const victims = decision.preemption?.victims ?? [];
  for (const { uid } of victims) cluster.removePod(uid);
  const nodeName = decision.nodeName ?? decision.preemption?.nodeName;
  if (nodeName !== undefined) {
    cluster.assume(own, nodeName);
    cluster.endNomination(info.uid);
    return { placement: { ...known, ...scheduledAs(decision, nodeName) }, victims };
  }
  const suggestion = suggestionFor(wish, info, decision, planning);
  return {
    placement: {
      ...known,
      ...countsOf(decision),
      ...refusalsBesideDrained(info, planning),
      outcome: 'Unschedulable',
      message: decision.message,
      ...(suggestion === undefined ? {} : { suggestion }),
    },
    victims,
  };
};

/** Of a node that is to be drained nothing else matters, and a person knows why it takes no pods. */
const refusalsBesideDrained = (info: PodInfo, { cluster, profiles, drained }: Planning) => {
  if (drained.size === 0) return {};
  const others = cluster.nodes.filter(({ name }) => !drained.has(name));
  const place = { cluster, profile: profiles.of(info.pod) };
  const own = { reasons: ['node(s) to be drained'], count: cluster.nodeCount - others.length };
  return { refusals: [...refusalsOn(others, info, place), own] };
};

/** For one of those that are alike: it costs more than the decision. */
const suggestionFor = (
  { owner }: Wish,
  info: PodInfo,
  { message }: Decision,
  { suggested, cluster, profiles, drained: except }: Planning,
): string | undefined => {
  const alike = `${owner ?? info.key} ${message}`;
  const isNew = !suggested.has(alike) && suggested.size < SUGGESTIONS_MAX;
  suggested.add(alike);
  return isNew ? suggest(info, cluster, { profile: profiles.of(info.pod), except }) : undefined;
};

const ATTEMPTS_MAX = 2_000;
const SUGGESTIONS_MAX = 10;
