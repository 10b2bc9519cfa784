import type { Decision } from '../decide';
import type { PodInfo } from '../pod-info';
import type { Snapshot } from '../snapshot';
import { heldBack, heldMessage, undecided, withPreemption } from './gang-message';
import type { Gang } from './gangs';
import type { GroupPreemption } from './group-preemptor';
import { preemptionOf } from './make-room';
import { placeTogether, type Room, type Together, type Tried } from './place-together';

export interface DecideTogetherDeps<M> {
  readonly snapshot: Pick<Snapshot, 'nodeCount' | 'nominate' | 'endNomination'>;
  /** Where members have their places while the others are tried, with all that they take there. */
  readonly room: Room;
  /** By the member's profile, evicting nobody: a victim would be for nothing if the others did not fit. */
  readonly decide: (member: M) => Decision;
  /** Whether the member fits on the node as things are. */
  readonly fitsOn: (member: M, nodeName: string) => boolean;
  /** Whom to evict for the group, of which these are to have places. */
  readonly preempt: (
    members: readonly M[],
    gang: Gang,
    promised: ReadonlyMap<string, string>,
  ) => GroupPreemption<M>;
}

export interface TogetherDecision<M> {
  /** Those with a place keep it: it is taken. Otherwise nobody has one. */
  readonly isWhole: boolean;
  /** Of every member, those that fit first. Where the group is not whole none has a node. */
  readonly decisions: readonly Tried<M>[];
  /** How many would fit at once. */
  readonly fittingCount: number;
  /** That fit nowhere beside the others. */
  readonly refused: readonly M[];
  readonly preemption: GroupPreemption<M>;
}

/**
 * Places enough members at once or none, and looks for whom to evict for the group where they do not
 * fit; nobody is evicted here. Synchronous: nobody else sees a part of it.
 */
export const decideTogether = <M extends { readonly info: PodInfo }>(
  members: readonly M[],
  gang: Gang,
  deps: DecideTogetherDeps<M>,
): TogetherDecision<M> => {
  const { room, snapshot } = deps;
  const promised = liftNominations(members, snapshot);
  try {
    const together = placed(members, gang, promised, deps);
    const preemption: GroupPreemption<M> = together.isWhole
      ? { kind: 'off' }
      : deps.preempt(members, gang, promised);
    return {
      isWhole: together.isWhole,
      decisions: together.isWhole
        ? [...together.placed, ...together.refused]
        : heldDecisions(together, gang, preemption, snapshot.nodeCount),
      fittingCount: together.placed.length,
      refused: together.refused.map(({ member }) => member),
      preemption,
    };
  } catch (error) {
    for (const { info } of members) room.forget(info.uid);
    throw error;
  } finally {
    for (const { info } of members) {
      const nodeName = promised.get(info.uid);
      if (nodeName !== undefined) snapshot.nominate(info, nodeName);
    }
  }
};

/** Each where it is best; where they are in each other's way so, those that were promised a node there. */
const placed = <M extends { readonly info: PodInfo }>(
  members: readonly M[],
  { neededCount }: Gang,
  promised: ReadonlyMap<string, string>,
  { room, decide, fitsOn }: DecideTogetherDeps<M>,
): Together<M> => {
  const together = placeTogether(members, neededCount, room, decide);
  if (together.isWhole || promised.size === 0) return together;
  const asPromised = placeTogether(members, neededCount, room, (member) => {
    const nodeName = promised.get(member.info.uid);
    const decision = decide(member);
    return nodeName !== undefined && nodeName !== decision.nodeName && fitsOn(member, nodeName)
      ? promisedTo(nodeName, decision)
      : decision;
  });
  return asPromised.isWhole ? asPromised : together;
};

/** What decided was the promise, not a plugin. */
const promisedTo = (
  nodeName: string,
  { margin: _margin, decidedBy: _plugin, ...decision }: Decision,
): Decision => ({ ...decision, nodeName });

/** Or room that is kept for one of them would be in the way of the others. Returns where it was, by uid. */
const liftNominations = (
  members: readonly { readonly info: PodInfo }[],
  snapshot: Pick<Snapshot, 'endNomination'>,
): ReadonlyMap<string, string> => {
  const promised = new Map<string, string>();
  for (const { info } of members) {
    const nodeName = snapshot.endNomination(info.uid);
    if (nodeName !== undefined) promised.set(info.uid, nodeName);
  }
  return promised;
};

/** What is said of each while the group waits, and where those are to come for whom others end. */
const heldDecisions = <M extends { readonly info: PodInfo }>(
  { placed: fitting, refused, untried }: Together<M>,
  gang: Gang,
  preemption: GroupPreemption<M>,
  nodeCount: number,
): readonly Tried<M>[] => {
  const message = heldMessage(gang, { placed: fitting, refused }, preemption);
  const refusedBy = new Set(refused.flatMap(({ decision }) => [...decision.refusedBy]));
  const held = (member: M, decision: Decision, words: string): Tried<M> => ({
    member,
    decision: {
      ...heldBack(decision, words, refusedBy),
      ...promiseOf(member.info.uid, preemption),
    },
  });
  return [
    ...fitting.map(({ member, decision }) => held(member, decision, message)),
    ...refused.map(({ member, decision }) =>
      held(member, decision, withPreemption(decision.message, gang, preemption)),
    ),
    ...untried.map((member) => held(member, undecided(message, nodeCount), message)),
  ];
};

/** The node where the member is to have its place, and who ends for it there. */
const promiseOf = <M extends { readonly info: PodInfo }>(
  uid: string,
  found: GroupPreemption<M>,
): Pick<Decision, 'nominatedNodeName' | 'preemption'> => {
  const nodeName = found.kind === 'waiting' ? found.promised.get(uid) : undefined;
  if (nodeName !== undefined) return { nominatedNodeName: nodeName };
  const places = found.kind === 'found' ? found.places : [];
  const place = places.find(({ member }) => member.info.uid === uid);
  if (place === undefined) return {};
  const preemption = preemptionOf(place);
  return {
    nominatedNodeName: place.nodeName,
    ...(preemption === undefined ? {} : { preemption }),
  };
};
