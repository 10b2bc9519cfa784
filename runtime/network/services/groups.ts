import { joined, type Element } from './elements';
import { type Endpoint } from '../../service-network';

/**
 * A packet's mark says which group it goes to and how large that is, so that one chain for each size is
 * all that the kernel needs to choose: number of the group, then how it is chosen from.
 *
 *     31      30 ... 8        7 ... 0
 *     sticky  group's number  1..128: endpoints; 129..: parts, each a group of its own
 */
export const MAX_SLOTS = 128;
export const MAX_PARTS = 64;
export const STICKY = 0x8000_0000;
export const SIZE_MASK = 0x8000_00ff;
export const MAX_GROUP_NUMBER = 0x7f_ffff;
/** A kept choice: number of the endpoint, then the class of how long it is kept. */
export const MAX_CHOICE_NUMBER = 0xff_ffff;
export const MAX_KEEP_CLASS = 255;

export const groupMark = (number: number, size: number, isSticky: boolean): number =>
  ((isSticky ? STICKY : 0) | (number << 8) | size) >>> 0;
export const groupNumberOf = (mark: number): number => (mark >>> 8) & MAX_GROUP_NUMBER;
export const choiceMark = (number: number, keepClass: number): number =>
  ((number << 8) | keepClass) >>> 0;
export const choiceNumberOf = (mark: number): number => mark >>> 8;

/** Where its numbers come from: those it had, else new ones. */
export interface GroupNumbers {
  group(name: string): number;
  choice(endpoint: string): number;
  /** What was in the slots of a group of this mark; empty when there was none. */
  slots(mark: number): readonly string[];
}

export interface PlannedGroup {
  readonly mark: number;
  readonly elements: readonly Element[];
}

/**
 * The elements of one group. An endpoint that stays keeps its slot while the size does, so that one
 * replaced is one element. @param keepClass when clients stay with their endpoint
 */
export const planGroup = (
  name: string,
  endpoints: readonly Endpoint[],
  keepClass: number | undefined,
  numbers: GroupNumbers,
): PlannedGroup => {
  const targets = targetsOf(endpoints);
  if (targets.length <= MAX_SLOTS) return planSlots(name, targets, keepClass, numbers);
  const parts = splitEvenly(targets);
  const mark = groupMark(numbers.group(name), MAX_SLOTS + parts.length, keepClass !== undefined);
  const planned = parts.map((part, i) => planSlots(`${name}/${i}`, part, keepClass, numbers));
  return {
    mark,
    elements: planned.flatMap((part, slot) => [
      { table: 'part' as const, key: joined(mark, slot), data: String(part.mark) },
      ...part.elements,
    ]),
  };
};

const planSlots = (
  name: string,
  targets: readonly string[],
  keepClass: number | undefined,
  numbers: GroupNumbers,
): PlannedGroup => {
  const mark = groupMark(numbers.group(name), targets.length, keepClass !== undefined);
  const slots = keepSlots(targets, numbers.slots(mark));
  if (keepClass === undefined)
    return {
      mark,
      elements: slots.map((data, slot) => ({ table: 'endpoint', key: joined(mark, slot), data })),
    };
  return {
    mark,
    elements: slots.flatMap((data, slot) => {
      const choice = String(choiceMark(numbers.choice(`${name} ${data}`), keepClass));
      return [
        { table: 'choice' as const, key: joined(mark, slot), data: choice },
        { table: 'chosen' as const, key: choice, data },
      ];
    }),
  };
};

/** Pure: the same targets, those that were in a slot still in it. */
export const keepSlots = (
  targets: readonly string[],
  before: readonly string[],
): readonly string[] => {
  const left = new Set(targets);
  const slots = targets.map((_target, slot) => {
    const kept = before[slot];
    return kept !== undefined && left.delete(kept) ? kept : undefined;
  });
  const rest = [...left][Symbol.iterator]();
  return slots.map((kept) => kept ?? rest.next().value ?? '');
};

/** Each once, in an order of their own, as many as there is room for. */
const targetsOf = (endpoints: readonly Endpoint[]): readonly string[] =>
  [...new Set(endpoints.map(({ address, port }) => joined(address, port)))]
    .sort()
    .slice(0, MAX_SLOTS * MAX_PARTS);

/** Parts differ by one at most, and hold at least half of what they may: each endpoint's share is fair. */
const splitEvenly = (targets: readonly string[]): readonly (readonly string[])[] => {
  const count = Math.ceil(targets.length / MAX_SLOTS);
  return Array.from({ length: count }, (_none, i) =>
    targets.slice(
      Math.floor((i * targets.length) / count),
      Math.floor(((i + 1) * targets.length) / count),
    ),
  );
};
