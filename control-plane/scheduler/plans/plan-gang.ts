import type { PlannedGroup, PlannedPlacement } from '../../../api/placement-plans';
import type { Pod } from '../../../api/types';
import type { Decision } from '../decide';
import { decideTogether, type TogetherDecision } from '../gangs/decide-together';
import { tooFewMessage, undecided } from '../gangs/gang-message';
import { SPARE_MAX } from '../gangs/gang-placer';
import type { Gang } from '../gangs/gangs';
import { preemptForGroup } from '../gangs/group-preemptor';
import { fitsOn, preemptionOf, type MadePlace } from '../gangs/make-room';
import { podInfoOf, type PodInfo } from '../pod-info';
import { withoutPreemption, type Profile, type Profiles } from '../profile';
import type { Snapshot } from '../snapshot';
import { countsOf, knownOf, scheduledAs, unplaced, type Wish } from './wish';

export interface GangPlanDeps {
  /** The plan's own: it is changed. */
  readonly cluster: Snapshot;
  readonly seed: number;
  readonly profiles: Profiles;
  /** Finds what is behind the claims of a pod. */
  readonly resolve: (info: PodInfo) => PodInfo;
  readonly decide: (info: PodInfo, profile: Profile) => Decision;
}

export interface PlannedTogether {
  readonly placements: readonly PlannedPlacement[];
  readonly victims: readonly { readonly info: PodInfo; readonly from: string }[];
  readonly group: PlannedGroup;
  /** More than are tried at once: those of a group that is whole get a turn of their own. */
  readonly rest: readonly Wish[];
}

interface Member {
  readonly wish: Wish;
  readonly pod: Pod;
  readonly info: PodInfo;
}

/**
 * Tries the members of a group that want a node as the scheduler would: all that are needed get one or
 * none does, and pods are evicted only for a group that is whole then. Those for whom others end are
 * placed when these have gone.
 */
export const planGang = (
  wishes: readonly Wish[],
  gang: Gang,
  deps: GangPlanDeps,
): PlannedTogether => {
  const count = Math.max(0, gang.neededCount) + SPARE_MAX;
  const members = wishes.slice(0, count).map(memberOf);
  const rest = wishes.slice(count);
  if (members.length < gang.neededCount)
    return tooFew([...members, ...rest.map(memberOf)], gang, deps);
  const first = together(members, gang, deps);
  const made = first.preemption.kind === 'found' ? first.preemption.places : [];
  const decided = made.length === 0 ? first : afterwards(members, gang, made, deps);
  const places = new Map(made.map((place) => [place.member.info.uid, place]));
  const placements = decided.decisions.map(({ member, decision }) =>
    placementOf(member, decision, decided.isWhole ? places.get(member.info.uid) : undefined),
  );
  const victims = made.flatMap(({ victims: gone, nodeName }) =>
    gone.map((info) => ({ info, from: nodeName })),
  );
  const group = groupOf(gang, decided);
  const { cluster } = deps;
  if (decided.isWhole) {
    for (const { info } of members) cluster.endNomination(info.uid);
    return { placements, victims, group, rest };
  }
  const message = decided.decisions.at(-1)?.decision.message ?? '';
  const untried = rest.map((wish) =>
    placementOf(memberOf(wish), undecided(message, cluster.nodeCount)),
  );
  return { placements: [...placements, ...untried], victims, group, rest: [] };
};

const memberOf = (wish: Wish): Member => {
  const pod = unplaced(wish);
  return { wish, pod, info: podInfoOf(pod) };
};

const together = (
  members: readonly Member[],
  gang: Gang,
  { cluster, seed, profiles, resolve, decide }: GangPlanDeps,
): TogetherDecision<Member> => {
  const profileOf = ({ pod }: Member): Profile => profiles.of(pod);
  const resolved = ({ info }: Member): PodInfo => resolve(info);
  return decideTogether(members, gang, {
    ...{ snapshot: cluster, room: cluster },
    decide: (member) => decide(resolved(member), withoutPreemption(profileOf(member))),
    fitsOn: (member, nodeName) =>
      fitsOn(resolved(member), nodeName, { cluster, profile: profileOf(member) }),
    preempt: (some, of, promised) =>
      preemptForGroup(some, of, promised, {
        ...{ snapshot: cluster, seed, profileOf, resolve: resolved },
        roomOn: (copy) => copy,
      }),
  });
};

/** The members once those have ended who are to end for them. */
const afterwards = (
  members: readonly Member[],
  gang: Gang,
  made: readonly MadePlace<Member>[],
  deps: GangPlanDeps,
): TogetherDecision<Member> => {
  const { cluster } = deps;
  for (const { member, nodeName, victims } of made) {
    for (const { uid } of victims) cluster.removePod(uid);
    cluster.nominate(member.info, nodeName);
  }
  return together(members, gang, deps);
};

/** Nodes are not even looked at. */
const tooFew = (
  members: readonly Member[],
  gang: Gang,
  { cluster: { nodeCount } }: GangPlanDeps,
): PlannedTogether => ({
  placements: members.map((member) =>
    placementOf(member, undecided(tooFewMessage(member.info, gang, nodeCount), nodeCount)),
  ),
  ...{ victims: [], rest: [] },
  group: {
    ...{ group: gang.key, minMember: gang.minMember, neededCount: gang.neededCount },
    ...{ isWhole: false, waitingCount: members.length, missing: [] },
  },
});

const groupOf = (
  { key, minMember, neededCount }: Gang,
  { isWhole, fittingCount, decisions, refused }: TogetherDecision<Member>,
): PlannedGroup => ({
  ...{ group: key, minMember, neededCount, isWhole, waitingCount: decisions.length, fittingCount },
  missing: isWhole ? [] : refused.map(({ info }) => info.key),
});

const placementOf = (
  { wish }: Member,
  decision: Decision,
  made?: MadePlace<Member>,
): PlannedPlacement => {
  const { nodeName } = decision;
  if (nodeName === undefined)
    return {
      ...{ ...knownOf(wish), ...countsOf(decision) },
      ...{ outcome: 'Unschedulable', message: decision.message },
    };
  const preemption = made === undefined ? undefined : preemptionOf(made);
  const lasting = preemption === undefined ? decision : { ...decision, preemption };
  return { ...knownOf(wish), ...scheduledAs(lasting, nodeName) };
};
