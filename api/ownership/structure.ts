import { definitionOf, resolveSchema, type KindName } from '../schema/definitions';
import type { Schema } from '../schema/schema';
import { isJsonObject } from '../../lib/json';

/** How one place in an object is owned. */
export type Structure =
  /** Owned as a whole: scalars, and lists and maps that change only together. */
  | { readonly kind: 'leaf' }
  /** Owned member by member. */
  | MapStructure
  /** Scalars, owned one by one. */
  | { readonly kind: 'set' }
  /** Items told apart by their keys, owned field by field. */
  | {
      readonly kind: 'keyed';
      readonly keys: readonly ListKey[];
      readonly item: Structure;
    }
  /** Nothing is known: objects are owned member by member, the rest as a whole. */
  | { readonly kind: 'any' };

export interface MapStructure {
  readonly kind: 'map';
  /** Is the name a field of a struct, rather than a key of a map? */
  readonly declares: (name: string) => boolean;
  readonly member: (name: string) => Structure;
}

export interface ListKey {
  readonly name: string;
  /** What it counts as where the item lacks it. */
  readonly fallback?: unknown;
}

/** The structure of a kind's objects. */
export const structureOf = (kind: KindName): Structure => ofSchema(definitionOf(kind).schema);

/** What stands for a value where nothing is known of it. */
export const deduced = (structure: Structure, value: unknown): Structure => {
  if (structure.kind !== 'any') return structure;
  return isJsonObject(value) ? ANY_MAP : LEAF;
};

const ofSchema = (schema: Schema): Structure => {
  let structure = known.get(schema);
  if (structure === undefined) known.set(schema, (structure = make(schema)));
  return structure;
};

const make = (schema: Schema): Structure => {
  const { schema: target } = resolveSchema(schema);
  if (isAtomic(schema) || isAtomic(target)) return LEAF;
  if (target.properties !== undefined) return ofStruct(target.properties);
  if (target['x-kubernetes-preserve-unknown-fields'] === true) return ANY;
  switch (target.type) {
    case 'array':
      return ofList(schema, target);
    case 'object':
      return target.additionalProperties === undefined
        ? ANY
        : ofMap(ofSchema(target.additionalProperties));
    default:
      return LEAF;
  }
};

const isAtomic = (schema: Schema): boolean => schema['x-kubernetes-map-type'] === 'atomic';

const ofStruct = (properties: Readonly<Record<string, Schema>>): Structure => {
  const members = new Map<string, Structure>();
  const memberOf = (name: string): Structure => {
    if (!Object.hasOwn(properties, name)) return ANY;
    const structure = ofSchema(properties[name] ?? {});
    members.set(name, structure);
    return structure;
  };
  return {
    kind: 'map',
    declares: (name) => Object.hasOwn(properties, name),
    member: (name) => members.get(name) ?? memberOf(name),
  };
};

const ofMap = (member: Structure): Structure => ({
  kind: 'map',
  declares: () => false,
  member: () => member,
});

/** A list without a rule of its own follows the rule of its strategic merge. */
const ofList = (schema: Schema, { items = {} }: Schema): Structure => {
  const type = schema['x-kubernetes-list-type'];
  const isMerged =
    type === undefined &&
    (schema['x-kubernetes-patch-strategy'] ?? '').split(',').includes('merge');
  const mergeKey = schema['x-kubernetes-patch-merge-key'];
  if (type === 'set' || (isMerged && mergeKey === undefined)) return SET;
  const keys =
    schema['x-kubernetes-list-map-keys'] ??
    (isMerged && mergeKey !== undefined ? [mergeKey] : undefined);
  if (type !== 'map' && !isMerged) return LEAF;
  return { kind: 'keyed', keys: (keys ?? []).map(listKey(items)), item: ofSchema(items) };
};

const listKey =
  (items: Schema) =>
  (name: string): ListKey => {
    const fallback = resolveSchema(items).schema.properties?.[name]?.default;
    // A default of nothing at all only says that the key is required.
    return fallback === undefined || fallback === '' || fallback === 0
      ? { name }
      : { name, fallback };
  };

const LEAF: Structure = { kind: 'leaf' };
const SET: Structure = { kind: 'set' };
const ANY: Structure = { kind: 'any' };
const ANY_MAP: Structure = { kind: 'map', declares: () => false, member: () => ANY };
/** One structure a schema: schemas reach themselves. */
const known = new WeakMap<Schema, Structure>();
