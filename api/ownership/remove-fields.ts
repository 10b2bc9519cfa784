import { objectFrom, type Json } from '../patch/json';
import { below, hasMember, isEmptySet, type FieldSet } from './field-set';
import { fieldStep } from './fields-v1';
import { stepOfItem, structureOfItem, type ListStructure } from './list-items';
import { deduced, type MapStructure, type Structure } from './structure';
import { isJsonObject } from '../../lib/json';

/** The value without the fields of the set. What is left empty goes too. */
export const removeFields = (structure: Structure, value: unknown, set: FieldSet): unknown => {
  if (isEmptySet(set)) return value;
  const shape = deduced(structure, value);
  if (shape.kind === 'map' && isJsonObject(value)) return membersLeft(shape, value, set);
  if ((shape.kind === 'set' || shape.kind === 'keyed') && Array.isArray(value))
    return itemsLeft(shape, value, set);
  return value;
};

const membersLeft = (map: MapStructure, value: Json, set: FieldSet): Json | undefined => {
  const left: (readonly [string, unknown])[] = [];
  for (const [name, member] of Object.entries(value)) {
    const step = fieldStep(name);
    if (hasMember(set, step)) continue;
    const rest = removeFields(map.member(name), member, below(set, step));
    if (rest !== undefined) left.push([name, rest]);
  }
  return left.length === 0 ? undefined : objectFrom(left);
};

const itemsLeft = (
  list: ListStructure,
  items: readonly unknown[],
  set: FieldSet,
): readonly unknown[] | undefined => {
  const left: unknown[] = [];
  items.forEach((item, index) => {
    const step = stepOfItem(list, item, index);
    if (hasMember(set, step)) return;
    const rest = removeFields(structureOfItem(list), item, below(set, step));
    if (rest !== undefined) left.push(rest);
  });
  return left.length === 0 ? undefined : left;
};
