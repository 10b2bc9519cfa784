import { LAST_APPLIED } from '../annotations';
import { hasDefinition, type KindName } from '../schema/definitions';
import { member, objectFrom, type Json } from './json';
import { MergeRules } from './merge-rules';
import { PATCH, SET_ORDER } from './strategic-merge';
import { diffField } from './three-way';
import { isJsonObject, parseJson } from '../../lib/json';

/**
 * A patch of `kubectl apply` knows items by their merge key alone, and confuses those that share it, as
 * 53/TCP and 53/UDP share a port. It also says, in an annotation, all that its author wrote: where items
 * that share a key are concerned, the patch of their list is worked out anew from that.
 */
export const withWrittenLists = (kind: KindName, stored: unknown, patch: unknown): unknown => {
  const written = lastApplied(patch);
  if (!hasDefinition(kind) || written === undefined || !isJsonObject(stored)) return patch;
  const states: States = { last: lastApplied(stored) ?? {}, live: stored, written };
  return rewritten(patch as Json, states, MergeRules.forKind(kind));
};

/** One place in three documents: what was applied before, what is stored, what is applied now. */
interface States {
  readonly last: Json;
  readonly live: Json;
  readonly written: Json;
}

const rewritten = (patch: Json, states: States, rules: MergeRules): Json => {
  const confused = new Set(
    Object.keys(patch)
      .map(fieldOf)
      .filter((field) => isConfused(field, states, rules.field(field))),
  );
  const others = Object.entries(patch)
    .filter(([key]) => !confused.has(fieldOf(key)))
    .map(([key, value]) => [key, rewrittenValue(key, value, states, rules.field(key))] as const);
  const lists = [...confused].flatMap((field) =>
    diffField(field, states.last, states.live, states.written[field], rules.field(field)),
  );
  return objectFrom([...others, ...lists]);
};

const rewrittenValue = (key: string, value: unknown, states: States, rules: MergeRules) => {
  if (isJsonObject(value)) return rewritten(value, statesAt(states, key), rules);
  if (!Array.isArray(value) || !rules.mergesList || rules.mergeKey === undefined) return value;
  const [last, live, written] = [states.last, states.live, states.written].map((state) =>
    byIdentity(listAt(state, key), rules),
  ) as [Items, Items, Items];
  return value.map((item: unknown) => {
    if (!isJsonObject(item) || Object.hasOwn(item, PATCH)) return item;
    const identity = rules.identityOf(item);
    const at = (items: Items) => objectOr(items.get(identity));
    return rewritten(item, { last: at(last), live: at(live), written: at(written) }, rules.item);
  });
};

/** Does the list, before or after, hold items with one merge key that further keys tell apart? */
const isConfused = (field: string, states: States, rules: MergeRules): boolean => {
  if (!rules.mergesList || !rules.hasFurtherKeys) return false;
  if (!Array.isArray(member(states.written, field)) || !Array.isArray(member(states.live, field)))
    return false;
  return [states.last, states.live, states.written].some((state) => {
    const keys = listAt(state, field).map((item) => rules.mergeKeyOf(item));
    return new Set(keys).size < keys.length;
  });
};

const lastApplied = (document: unknown): Json | undefined => {
  const text = member(
    objectOr(member(objectOr(member(objectOr(document), 'metadata')), 'annotations')),
    LAST_APPLIED,
  );
  if (typeof text !== 'string') return undefined;
  try {
    const config = parseJson(text);
    return isJsonObject(config) ? config : undefined;
  } catch {
    return undefined;
  }
};

type Items = ReadonlyMap<string, unknown>;

const byIdentity = (items: readonly unknown[], rules: MergeRules): Items =>
  new Map(items.map((item) => [rules.identityOf(item), item]));

const statesAt = ({ last, live, written }: States, key: string): States => ({
  last: objectOr(member(last, key)),
  live: objectOr(member(live, key)),
  written: objectOr(member(written, key)),
});

const objectOr = (value: unknown): Json => (isJsonObject(value) ? value : {});

const listAt = (state: Json, field: string): readonly unknown[] => {
  const value = member(state, field);
  return Array.isArray(value) ? value : [];
};

const fieldOf = (key: string): string =>
  key.startsWith(SET_ORDER) ? key.slice(SET_ORDER.length) : key;
