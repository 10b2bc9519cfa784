import type { Decision } from '../decide';
import { unschedulableMessage } from '../message';
import type { PodInfo } from '../pod-info';
import { COSCHEDULING, type Gang } from './gangs';
import type { GroupPreemption } from './group-preemptor';
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
  gang: Gang,
  { placed, refused: [first] }: Pick<Together<{ readonly info: PodInfo }>, 'placed' | 'refused'>,
  preemption: GroupPreemption<unknown>,
): string => {
  const { key, neededCount } = gang;
  const head = `PodGroup ${key}: ${placed.length} of the ${neededCount} members that it lacks fit at once`;
  const why =
    first === undefined ? head : `${head}; ${first.member.info.key}: ${first.decision.message}`;
  return withPreemption(why, gang, preemption);
};

/** With what is done about it. */
export const withPreemption = (
  message: string,
  { key }: Gang,
  preemption: GroupPreemption<unknown>,
): string => {
  switch (preemption.kind) {
    case 'off':
      return message;
    case 'none':
      return `${message}, preemption: the end of no pods of less priority would let PodGroup ${key} be whole.`;
    case 'waiting':
      return `${message}, preemption: pods are ending so that PodGroup ${key} can be whole.`;
    case 'found': {
      const count = preemption.places.reduce((sum, { victims }) => sum + victims.length, 0);
      const pods = count === 1 ? '1 pod of less priority is' : `${count} pods of less priority are`;
      return `${message}, preemption: ${pods} evicted so that PodGroup ${key} can be whole.`;
    }
  }
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
