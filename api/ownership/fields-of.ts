import type { Json } from '../patch/json';
import { FieldSetBuilder, type FieldPath, type FieldSet } from './field-set';
import { fieldStep, textOfPath } from './fields-v1';
import { asList, missingKey, stepOfItem, structureOfItem, type ListStructure } from './list-items';
import { deduced, type MapStructure, type Structure } from './structure';
import { isJsonObject } from '../../lib/json';

/** A list whose items cannot be told apart: nobody can own them one by one. */
export class ListItemsError extends Error {
  override readonly name = 'ListItemsError';
}

/** Every field that a configuration gives a value. @throws ListItemsError */
export const fieldsOf = (structure: Structure, value: unknown): FieldSet => {
  const set = new FieldSetBuilder();
  collect(structure, value, [], set);
  return set;
};

const collect = (
  structure: Structure,
  value: unknown,
  path: FieldPath,
  into: FieldSetBuilder,
): void => {
  const shape = deduced(structure, value);
  switch (shape.kind) {
    case 'map':
      if (isJsonObject(value)) collectMembers(shape, value, path, into);
      return;
    case 'set':
    case 'keyed':
      collectItems(shape, asList(value), path, into);
      return;
    case 'leaf':
    case 'any':
      into.insert(path);
  }
};

const collectMembers = (
  map: MapStructure,
  value: Json,
  path: FieldPath,
  into: FieldSetBuilder,
): void => {
  for (const [name, member] of Object.entries(value)) {
    const at = [...path, fieldStep(name)];
    collect(map.member(name), member, at, into);
    const isBare = member === null || (isJsonObject(member) && Object.keys(member).length === 0);
    if (isBare || !map.declares(name)) into.insert(at);
  }
};

const collectItems = (
  list: ListStructure,
  items: readonly unknown[],
  path: FieldPath,
  into: FieldSetBuilder,
): void => {
  const seen = new Set<string>();
  items.forEach((item, index) => {
    const missing = missingKey(list, item);
    if (missing !== undefined)
      throw new ListItemsError(
        `${textOfPath(path)}: element ${index}: associative list with keys has an element that ` +
          `omits key field ${JSON.stringify(missing)} (and doesn't have default value)`,
      );
    const at = [...path, stepOfItem(list, item, index)];
    const step = at.at(-1) ?? '';
    if (seen.has(step))
      throw new ListItemsError(
        `${textOfPath(path)}: duplicate entries for key ${textOfPath([step])}`,
      );
    seen.add(step);
    collect(structureOfItem(list), item, at, into);
    into.insert(at);
  });
};
