import { member } from '../patch/json';
import { indexStep, keyStep, valueStep } from './fields-v1';
import type { ListKey, Structure } from './structure';
import { isJsonObject } from '../../lib/json';

export type ListStructure = Extract<Structure, { kind: 'set' | 'keyed' }>;

/** The item's step. An item without its keys is told by its place, which `hasKeys` refuses. */
export const stepOfItem = (list: ListStructure, item: unknown, index: number): string => {
  if (list.kind === 'set') return valueStep(item);
  const keys = list.keys.map((key) => [key.name, keyOf(key, item)] as const);
  return keys.every(([, value]) => value !== undefined) ? keyStep(keys) : indexStep(index);
};

/** The name of a key that the item ought to have. */
export const missingKey = (list: ListStructure, item: unknown): string | undefined =>
  list.kind === 'set' ? undefined : list.keys.find((key) => keyOf(key, item) === undefined)?.name;

export const structureOfItem = (list: ListStructure): Structure =>
  list.kind === 'set' ? { kind: 'leaf' } : list.item;

/** Items by step, in order. The same step twice keeps both items. */
export const itemsByStep = (
  list: ListStructure,
  items: readonly unknown[],
): ReadonlyMap<string, readonly unknown[]> => {
  const found = new Map<string, unknown[]>();
  items.forEach((item, index) => {
    const step = stepOfItem(list, item, index);
    const same = found.get(step);
    if (same === undefined) found.set(step, [item]);
    else same.push(item);
  });
  return found;
};

export const asList = (value: unknown): readonly unknown[] =>
  Array.isArray(value) ? (value as readonly unknown[]) : [];

const keyOf = ({ name, fallback }: ListKey, item: unknown): unknown =>
  (isJsonObject(item) ? member(item, name) : undefined) ?? fallback;
