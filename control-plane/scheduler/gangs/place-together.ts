import type { Decision } from '../decide';
import type { PodInfo } from '../pod-info';

/** One member with what was decided of it while those before it had their places. */
export interface Tried<M> {
  readonly member: M;
  readonly decision: Decision;
}

export interface Together<M> {
  /** Enough have a place, and keep it. */
  readonly isWhole: boolean;
  readonly placed: readonly Tried<M>[];
  readonly refused: readonly Tried<M>[];
  /** It was clear before their turn that there would not be enough. */
  readonly untried: readonly M[];
}

export interface Room {
  assume(info: PodInfo, nodeName: string): void;
  forget(uid: string): void;
}

/** The more important first; among equals by name. */
export const inOrder = <M extends { readonly info: PodInfo }>(
  members: readonly M[],
): readonly M[] =>
  members.toSorted(
    ({ info: a }, { info: b }) => b.priority - a.priority || (a.key < b.key ? -1 : 1),
  );

/**
 * Places members one after another, each beside those before it, until it is clear whether enough fit;
 * if not, all places are given back. Synchronous: nobody else sees a part of it.
 */
export const placeTogether = <M extends { readonly info: PodInfo }>(
  members: readonly M[],
  neededCount: number,
  room: Room,
  decide: (member: M) => Decision,
): Together<M> => {
  const placed: Tried<M>[] = [];
  const refused: Tried<M>[] = [];
  const waiting = [...inOrder(members)];
  while (waiting.length > 0 && placed.length + waiting.length >= neededCount) {
    const member = waiting.shift();
    if (member === undefined) break;
    const decision = decide(member);
    if (decision.nodeName === undefined) refused.push({ member, decision });
    else {
      room.assume(member.info, decision.nodeName);
      placed.push({ member, decision });
    }
  }
  const isWhole = placed.length >= neededCount;
  if (!isWhole) for (const { member } of placed) room.forget(member.info.uid);
  return { isWhole, placed, refused, untried: waiting };
};
