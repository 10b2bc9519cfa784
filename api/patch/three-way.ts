import { jsonEqual } from '../json-value';
import { hasDefinition, type KindName } from '../schema/definitions';
import { member, type Json } from './json';
import { MergeRules } from './merge-rules';
import { DELETE_PRIMITIVES, PATCH, RETAIN_KEYS, SET_ORDER } from './strategic-merge';
import { isJsonObject } from '../../lib/json';

/**
 * The strategic merge patch that brings `live` to `desired`: what the author wrote is set, what
 * the author wrote last time and no longer does is removed, what others added stays.
 * Undefined when there is nothing to do.
 */
export const threeWayPatch = (
  kind: KindName,
  lastApplied: Json | undefined,
  live: Json,
  desired: Json,
): Json | undefined => {
  const rules = hasDefinition(kind) ? MergeRules.forKind(kind) : MergeRules.unknown;
  const patch = diffObject(lastApplied ?? {}, live, desired, rules);
  return Object.keys(patch).length === 0 ? undefined : patch;
};

type Entries = readonly (readonly [string, unknown])[];

const diffObject = (last: Json, live: Json, desired: Json, rules: MergeRules): Json => {
  const entries: Entries = [
    ...Object.entries(desired).flatMap(([key, value]) =>
      diffField(key, last, live, value, rules.field(key)),
    ),
    ...Object.keys(last)
      .filter((key) => !Object.hasOwn(desired, key) && Object.hasOwn(live, key))
      .map((key) => [key, null] as const),
  ];
  if (entries.length === 0) return {};
  const kept = Object.keys(desired).filter((key) => desired[key] !== null);
  return Object.fromEntries(
    rules.retainsKeys && !rules.mergesList ? [...entries, [RETAIN_KEYS, kept] as const] : entries,
  );
};

/** The members of the patch that bring one field to what is desired. */
export const diffField = (
  key: string,
  lastParent: Json,
  liveParent: Json,
  value: unknown,
  rules: MergeRules,
): Entries => {
  const last = member(lastParent, key);
  const live = member(liveParent, key);
  if (value === null) {
    // Once applied, an explicit null is done: the server may since have filled in a default.
    return live === undefined || (Object.hasOwn(lastParent, key) && last === null)
      ? []
      : [[key, null]];
  }
  if (jsonEqual(live, value)) return [];
  if (isJsonObject(value) && isJsonObject(live)) {
    const nested = diffObject(isJsonObject(last) ? last : {}, live, value, rules);
    return Object.keys(nested).length === 0 ? [] : [[key, nested]];
  }
  if (Array.isArray(value) && Array.isArray(live) && rules.mergesList) {
    return diffList(key, Array.isArray(last) ? last : [], live, value, rules);
  }
  return [[key, value]];
};

const diffList = (
  key: string,
  last: readonly unknown[],
  live: readonly unknown[],
  desired: readonly unknown[],
  rules: MergeRules,
): Entries => {
  if (rules.mergeKey === undefined) return diffPrimitives(key, last, live, desired);
  // Copies of one key cannot be told apart in a merge: only the whole list can be sent.
  if (hasRepeats(live, rules) || hasRepeats(desired, rules)) {
    return [[key, [...desired, { [PATCH]: 'replace' }]]];
  }
  const liveByKey = new Map(live.map((item) => [rules.identityOf(item), item]));
  const lastByKey = new Map(last.map((item) => [rules.identityOf(item), item]));
  const wanted = new Set(desired.map((item) => rules.identityOf(item)));
  const changes = desired.flatMap((item) =>
    diffItem(item, liveByKey.get(rules.identityOf(item)), lastByKey, rules),
  );
  const removals = [...lastByKey]
    .filter(([identity]) => !wanted.has(identity) && liveByKey.has(identity))
    .map(([, item]) => ({ ...rules.keysOf(item as Json), [PATCH]: 'delete' }));
  const patch = [...changes, ...removals];
  if (patch.length === 0 && hasOrder(live, desired, rules)) return [];
  return [
    ...(patch.length === 0 ? [] : [[key, patch] as const]),
    [`${SET_ORDER}${key}`, desired.map((item) => rules.keysOf(item as Json))],
  ];
};

const diffItem = (
  item: unknown,
  live: unknown,
  lastByKey: ReadonlyMap<string, unknown>,
  rules: MergeRules,
): readonly unknown[] => {
  if (!isJsonObject(item) || !isJsonObject(live)) return [item];
  const last = lastByKey.get(rules.identityOf(item));
  const nested = diffObject(isJsonObject(last) ? last : {}, live, item, rules.item);
  if (Object.keys(nested).length === 0) return [];
  // A volume that changes its source must lose the old one.
  const retain = rules.retainsKeys ? { [RETAIN_KEYS]: Object.keys(item) } : {};
  return [{ ...rules.keysOf(item), ...nested, ...retain }];
};

const diffPrimitives = (
  key: string,
  last: readonly unknown[],
  live: readonly unknown[],
  desired: readonly unknown[],
): Entries => {
  const added = desired.filter((item) => !live.includes(item));
  const removed = last.filter((item) => !desired.includes(item) && live.includes(item));
  const common = live.filter((item) => desired.includes(item));
  const isOrdered = jsonEqual(
    common,
    desired.filter((item) => live.includes(item)),
  );
  if (added.length === 0 && removed.length === 0 && isOrdered) return [];
  return [
    ...(added.length === 0 ? [] : [[key, added] as const]),
    ...(removed.length === 0 ? [] : [[`${DELETE_PRIMITIVES}${key}`, removed] as const]),
    [`${SET_ORDER}${key}`, desired],
  ];
};

const hasRepeats = (list: readonly unknown[], rules: MergeRules): boolean =>
  new Set(list.map((item) => rules.identityOf(item))).size < list.length;

/** Do the desired items stand in the live list in the desired order? */
const hasOrder = (
  live: readonly unknown[],
  desired: readonly unknown[],
  rules: MergeRules,
): boolean => {
  const wanted = desired.map((item) => rules.identityOf(item));
  const found = live.map((item) => rules.identityOf(item)).filter((each) => wanted.includes(each));
  return jsonEqual(found, wanted);
};
