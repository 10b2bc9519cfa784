import { ApiError } from '../errors';
import { hasDefinition, type KindName } from '../schema/definitions';
import { member, objectFrom, without, type Json } from './json';
import { MergeRules } from './merge-rules';
import { stringifyJson, isJsonObject } from '../../lib/json';

/**
 * Kubernetes' own patch: lists merge by their keys, and directives (`$patch`, `$retainKeys`,
 * `$setElementOrder/...`, `$deleteFromPrimitiveList/...`) say what plain JSON cannot. Returns a new
 * document without directives.
 * @throws ApiError BadRequest
 */
export const applyStrategicMergePatch = (
  kind: KindName,
  document: unknown,
  patch: unknown,
): unknown => {
  if (!isJsonObject(patch))
    throw new ApiError('BadRequest', 'a strategic merge patch is an object');
  const rules = hasDefinition(kind) ? MergeRules.forKind(kind) : MergeRules.unknown;
  return mergeObject(isJsonObject(document) ? document : {}, patch, rules);
};

export const PATCH = '$patch';
export const RETAIN_KEYS = '$retainKeys';
export const SET_ORDER = '$setElementOrder/';
export const DELETE_PRIMITIVES = '$deleteFromPrimitiveList/';

const isDirective = (key: string): boolean =>
  key === PATCH ||
  key === RETAIN_KEYS ||
  key.startsWith(SET_ORDER) ||
  key.startsWith(DELETE_PRIMITIVES);

const mergeObject = (original: Json, patch: Json, rules: MergeRules): Json => {
  switch (member(patch, PATCH)) {
    case undefined:
    case 'merge':
      break;
    case 'replace':
      return mergeObject({}, without(patch, PATCH), rules);
    case 'delete':
      return {};
    default:
      throw new ApiError('BadRequest', `unknown patch type: ${stringifyJson(patch[PATCH])} in map`);
  }
  const merged = new Map(Object.entries(retained(original, patch)));
  for (const field of changedFields(patch)) {
    const value = mergeField(merged.get(field), field, patch, rules.field(field));
    if (value === undefined) merged.delete(field);
    else merged.set(field, value);
  }
  return objectFrom(merged);
};

/** Fields with a value or with a directive about their list. */
const changedFields = (patch: Json): ReadonlySet<string> =>
  new Set(
    Object.keys(patch)
      .filter((key) => key !== PATCH && key !== RETAIN_KEYS)
      .map((key) => (isDirective(key) ? key.slice(key.indexOf('/') + 1) : key)),
  );

const retained = (original: Json, patch: Json): Json => {
  const keys = member(patch, RETAIN_KEYS);
  if (keys === undefined) return original;
  const kept = new Set<unknown>(Array.isArray(keys) ? keys : []);
  const isWhole =
    Array.isArray(keys) &&
    Object.entries(patch).every(
      ([key, value]) => isDirective(key) || value === null || kept.has(key),
    );
  if (!isWhole) throw new ApiError('BadRequest', 'invalid patch format of $retainKeys');
  return objectFrom(Object.entries(original).filter(([key]) => kept.has(key)));
};

/** The new value of one field, or undefined where it goes. */
const mergeField = (original: unknown, field: string, patch: Json, rules: MergeRules): unknown => {
  const order = listAt(patch, `${SET_ORDER}${field}`);
  const removed = listAt(patch, `${DELETE_PRIMITIVES}${field}`);
  const hasValue = Object.hasOwn(patch, field);
  const value = hasValue ? patch[field] : undefined;
  if (hasValue && value === null) return undefined;
  if (Array.isArray(value) || (!hasValue && Array.isArray(original))) {
    const kept = remaining(original, removed);
    return rules.mergesList
      ? mergeList(kept, Array.isArray(value) ? value : [], rules, order)
      : replacedList(hasValue ? (value as readonly unknown[]) : kept, rules);
  }
  if (!hasValue) return original;
  return isJsonObject(value)
    ? mergeObject(isJsonObject(original) ? original : {}, value, rules)
    : value;
};

const listAt = (patch: Json, key: string): readonly unknown[] | undefined => {
  const value = member(patch, key);
  return Array.isArray(value) ? (value as readonly unknown[]) : undefined;
};

const remaining = (original: unknown, removed: readonly unknown[] = []): readonly unknown[] => {
  if (!Array.isArray(original)) return [];
  const gone = new Set(removed);
  return (original as readonly unknown[]).filter((item) => !gone.has(item));
};

/** A list that takes the place of another must still lose what only patches may hold. */
const replacedList = (list: readonly unknown[], rules: MergeRules): readonly unknown[] =>
  list.map((item) => (isJsonObject(item) ? mergeObject({}, item, rules.item) : item));

const mergeList = (
  original: readonly unknown[],
  patch: readonly unknown[],
  rules: MergeRules,
  order: readonly unknown[] | undefined,
): readonly unknown[] => {
  const isDirectiveItem = (item: unknown) => isJsonObject(item) && Object.hasOwn(item, PATCH);
  const directives = patch.filter(isDirectiveItem) as Json[];
  const items = patch.filter((item) => !isDirectiveItem(item));
  requireKeys([...items, ...(order ?? [])], rules);
  if (directives.some((item) => item[PATCH] === 'replace')) return replacedList(items, rules);
  const kept = withoutDeleted(original, directives, rules, order);
  const merged = mergeItems(kept, items, rules);
  return inOrder(merged, order ?? items, original, rules);
};

/** Items of lists of objects must carry the merge key. */
const requireKeys = (items: readonly unknown[], rules: MergeRules): void => {
  const { mergeKey } = rules;
  if (mergeKey === undefined) return;
  const bad = items.find((item) => !isJsonObject(item) || !Object.hasOwn(item, mergeKey));
  if (bad === undefined) return;
  throw new ApiError(
    'BadRequest',
    `map: ${stringifyJson(bad)} does not contain declared merge key: ${mergeKey}`,
  );
};

/**
 * An item that is deleted and yet has a place in the new order was there twice: one copy stays.
 */
const withoutDeleted = (
  original: readonly unknown[],
  directives: readonly Json[],
  rules: MergeRules,
  order: readonly unknown[] | undefined,
): readonly unknown[] => {
  const deleted = new Set(
    directives.filter((item) => item[PATCH] === 'delete').map((item) => rules.identityOf(item)),
  );
  const wanted = new Set((order ?? []).map((item) => rules.identityOf(item)));
  const seen = new Set<string>();
  return original.filter((item) => {
    const identity = rules.identityOf(item);
    if (!deleted.has(identity)) return true;
    const isFirst = !seen.has(identity);
    seen.add(identity);
    return wanted.has(identity) && isFirst;
  });
};

const mergeItems = (
  original: readonly unknown[],
  patch: readonly unknown[],
  rules: MergeRules,
): readonly unknown[] => {
  const merged = [...original];
  const places = new Map(indexByIdentity(original, rules));
  for (const item of patch) {
    const identity = rules.identityOf(item);
    const index = places.get(identity) ?? merged.length;
    const current = merged[index];
    merged[index] = isJsonObject(item)
      ? mergeObject(isJsonObject(current) ? current : {}, item, rules.item)
      : item;
    places.set(identity, index);
  }
  return merged;
};

/**
 * Upstream's order: the items of `order` in that order; between them the others, each before the
 * first ordered item that followed it in the stored list.
 */
const inOrder = (
  merged: readonly unknown[],
  order: readonly unknown[],
  stored: readonly unknown[],
  rules: MergeRules,
): readonly unknown[] => {
  const place = indexByIdentity(order, rules);
  const storedPlace = indexByIdentity(stored, rules);
  const placeOf = (item: unknown) => place.get(rules.identityOf(item));
  const ordered = merged
    .filter((item) => placeOf(item) !== undefined)
    .sort((a, b) => (placeOf(a) ?? 0) - (placeOf(b) ?? 0));
  const others = merged.filter((item) => placeOf(item) === undefined);
  const result: unknown[] = [];
  let [orderedNext, otherNext] = [0, 0];
  while (orderedNext < ordered.length && otherNext < others.length) {
    const otherAt = storedPlace.get(rules.identityOf(others[otherNext])) ?? Infinity;
    const orderedAt = storedPlace.get(rules.identityOf(ordered[orderedNext]));
    const isOtherNext = orderedAt !== undefined && otherAt < orderedAt;
    result.push(isOtherNext ? others[otherNext++] : ordered[orderedNext++]);
  }
  return [...result, ...ordered.slice(orderedNext), ...others.slice(otherNext)];
};

const indexByIdentity = (
  items: readonly unknown[],
  rules: MergeRules,
): ReadonlyMap<string, number> => {
  const index = new Map<string, number>();
  items.forEach((item, i) => {
    const identity = rules.identityOf(item);
    if (!index.has(identity)) index.set(identity, i);
  });
  return index;
};
