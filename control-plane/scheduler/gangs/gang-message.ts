import type { Decision } from '../decide';
import { unschedulableMessage } from '../message';
import type { PodInfo } from '../pod-info';
import { COSCHEDULING, type Gang } from './gangs';
import type { Together } from './place-together';

/** Of a member whose group lacks pods. Words of upstream's coscheduling plugin. */
export const tooFewMessage = (
  { key }: Pick<PodInfo, 'key'>,
  { members, minMember }: Gang,
  nodeCount: number,
): string => {
  const rejection =
    `pre-filter pod ${key} cannot find enough sibling pods, ` +
    `current pods number: ${members.length}, minMember of group: ${minMember}`;
  return unschedulableMessage(nodeCount, { reasons: new Map(), rejection }, { kind: 'off' });
};

/** Who of the group stands in the way of the others, and why. */
export const heldMessage = (
  { key, neededCount }: Gang,
  { placed, refused: [first] }: Together<{ readonly info: PodInfo }>,
): string => {
  const head = `PodGroup ${key}: ${placed.length} of the ${neededCount} members that it lacks fit at once`;
  return first === undefined
    ? head
    : `${head}; ${first.member.info.key}: ${first.decision.message}`;
};

/** What keeps the group from being whole, for people. */
export const lackOf = ({ key, members, minMember, neededCount }: Gang): string =>
  members.length < minMember
    ? `more pods of PodGroup ${key}: ${members.length} of the ${minMember} that it needs are there`
    : `room for ${neededCount} pods of PodGroup ${key} at once`;

/** Of a member whose nodes were not even looked at. */
export const undecided = (message: string, nodeCount: number): Decision => ({
  nodesConsidered: nodeCount,
  nodesFeasible: 0,
  reasons: nodeCount === 0 ? {} : { [NOT_TOGETHER]: nodeCount },
  refusals: nodeCount === 0 ? [] : [{ reasons: [NOT_TOGETHER], count: nodeCount }],
  top: [],
  message,
  refusedBy: new Set([COSCHEDULING]),
});

/** A decision that is not carried out, for want of others of the group. */
export const heldBack = (
  { nodeName: _place, margin: _margin, decidedBy: _plugin, ...decision }: Decision,
  message: string,
  refusedBy: ReadonlySet<string>,
): Decision => ({
  ...decision,
  message,
  refusedBy: new Set([...decision.refusedBy, ...refusedBy, COSCHEDULING]),
});

const NOT_TOGETHER = 'the pod group cannot be placed as a whole';
