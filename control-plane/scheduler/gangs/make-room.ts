import { isBudgetOver } from '../../../api/disruption-budgets';
import { refusalBeside } from '../beside-nominated';
import type { Decision } from '../decide';
import { filtersFor, firstRefusal } from '../filters';
import type { PodInfo } from '../pod-info';
import type { Preemption } from '../preemption';
import { withoutPreemption, type Profile } from '../profile';
import type { BudgetsIn, Snapshot } from '../snapshot';
import { inOrder, type Room } from './place-together';

/** Where a member would have its place, and who ends for it there. */
export interface MadePlace<M> {
  readonly member: M;
  readonly decision: Decision;
  readonly nodeName: string;
  readonly victims: readonly PodInfo[];
}

export interface RoomMaking<M> {
  /** A copy that is this plan's own: it is changed. */
  readonly cluster: Snapshot;
  readonly room: Room;
  /** Takes a pod away from the copy. */
  readonly evict: (victim: PodInfo) => void;
  /** With what is behind the member's claims. */
  readonly resolve: (member: M) => PodInfo;
  readonly profileOf: (member: M) => Profile;
  readonly decide: (info: PodInfo, profile: Profile) => Decision;
  /** Pods that none of the members may evict: those of their own group. */
  readonly spared: ReadonlySet<string>;
}

/**
 * Whom to evict so that as many members as are needed have a place at once; undefined when that cannot
 * be had, and then nobody is to be evicted. Those who fit as things are come first, so that few have to end.
 * Whoever can stay once all have their places does. Pure but for the copy.
 */
export const planRoom = <M extends { readonly info: PodInfo }>(
  members: readonly M[],
  neededCount: number,
  making: RoomMaking<M>,
): readonly MadePlace<M>[] | undefined => {
  const places: MadePlace<M>[] = [];
  const lacking: M[] = [];
  for (const member of inOrder(members)) {
    if (places.length === neededCount) break;
    const place = placeOf(member, making, undefined);
    if (place === undefined) lacking.push(member);
    else places.push(place);
  }
  const evictingCount = neededCount - places.length;
  if (evictingCount > EVICTING_MAX) return undefined;
  const candidates = Math.max(CANDIDATES_MIN, Math.floor(CANDIDATES_MAX / evictingCount));
  for (let member = lacking.shift(); member !== undefined; member = lacking.shift()) {
    if (places.length === neededCount || places.length + lacking.length + 1 < neededCount) break;
    const place = placeOf(member, making, candidates);
    if (place !== undefined) places.push(place);
  }
  return places.length < neededCount ? undefined : withoutNeedless(places, making);
};

/** Takes the place, and takes away who is in it. */
const placeOf = <M extends { readonly info: PodInfo }>(
  member: M,
  { room, evict, resolve, profileOf, decide, spared }: RoomMaking<M>,
  candidates: number | undefined,
): MadePlace<M> | undefined => {
  const profile = profileOf(member);
  const evicts = candidates !== undefined && profile.preemption !== undefined;
  const limits = { minCandidateNodesPercentage: 0, minCandidateNodesAbsolute: candidates ?? 0 };
  const decision = decide(
    resolve(member),
    evicts ? { ...profile, preemption: limits } : withoutPreemption(profile),
  );
  const { nodeName = decision.preemption?.nodeName } = decision;
  const victims = decision.preemption?.victims ?? [];
  if (nodeName === undefined || victims.some(({ uid }) => spared.has(uid))) return undefined;
  victims.forEach(evict);
  room.assume(member.info, nodeName);
  return { member, decision, nodeName, victims };
};

/** A member that came later may have made room that an earlier one had others end for. */
const withoutNeedless = <M extends { readonly info: PodInfo }>(
  places: readonly MadePlace<M>[],
  making: RoomMaking<M>,
): readonly MadePlace<M>[] => {
  const all = places.flatMap(({ victims, nodeName }) =>
    victims.map((victim) => ({ victim, nodeName })),
  );
  if (all.length * places.length > CHECKS_MAX) return places;
  const staying = new Set<string>();
  for (const { victim, nodeName } of all.sort((a, b) => b.victim.priority - a.victim.priority)) {
    making.cluster.assume(victim, nodeName);
    if (haveRoom(places, making)) staying.add(victim.uid);
    else making.cluster.removePod(victim.uid);
  }
  return places.map((place) => ({
    ...place,
    victims: place.victims.filter(({ uid }) => !staying.has(uid)),
  }));
};

/** Would each still get its place, one after another? All have them afterwards, whatever the answer. */
const haveRoom = <M extends { readonly info: PodInfo }>(
  places: readonly MadePlace<M>[],
  { cluster, room, resolve, profileOf }: RoomMaking<M>,
): boolean => {
  for (const { member } of places) room.forget(member.info.uid);
  let isRoomy = true;
  for (const { member, nodeName } of places) {
    isRoomy &&= fitsOn(resolve(member), nodeName, { cluster, profile: profileOf(member) });
    room.assume(member.info, nodeName);
  }
  return isRoomy;
};

/** Whether the pod fits on the node as things are, beside those for whom room is kept. */
export const fitsOn = (
  info: PodInfo,
  nodeName: string,
  { cluster, profile }: { readonly cluster: Snapshot; readonly profile: Profile },
): boolean => {
  const node = cluster.node(nodeName);
  return (
    node !== undefined &&
    firstRefusal(filtersFor(info, cluster, profile), node) === undefined &&
    refusalBeside(info, node, { cluster, profile }) === undefined
  );
};

/** What of it each still has to do: what is not named stays as it was. */
export const preemptionOf = <M>({
  decision,
  nodeName,
  victims,
}: MadePlace<M>): Preemption | undefined =>
  victims.length === 0
    ? undefined
    : {
        ...{ nodeName, victims },
        violations: Math.min(decision.preemption?.violations ?? 0, victims.length),
      };

/** Budgets as these pods, to which more may come, leave them. */
export const budgetsAfter =
  (budgetsIn: BudgetsIn, evicted: readonly PodInfo[]): BudgetsIn =>
  (namespace) =>
    budgetsIn(namespace).map((budget) => {
      const count = evicted.filter(({ pod }) => isBudgetOver(budget, pod)).length;
      const { status } = budget;
      return count === 0 || status === undefined
        ? budget
        : {
            ...budget,
            status: { ...status, disruptionsAllowed: status.disruptionsAllowed - count },
          };
    });

/** Members that have others end for them: each is searched for as a pod of its own is. */
const EVICTING_MAX = 256;
const CHECKS_MAX = 4096;
/** Nodes on which whom to evict is worked out, for all of them together, and for each at least. */
const CANDIDATES_MAX = 1000;
const CANDIDATES_MIN = 4;
