import { jsonEqual } from '../../api/json-value';
import { isJsonObject } from '../../lib/json';

export interface Rebased {
  /** Mine and theirs; mine where both changed the same. */
  readonly merged: unknown;
  /** What both changed, and not to the same: `spec.replicas`. Lists count as a whole. */
  readonly conflicts: readonly string[];
}

/** Pure: what I made of `base`, made of what others have made of it since. */
export const rebase = (base: unknown, mine: unknown, theirs: unknown, path = ''): Rebased => {
  if (jsonEqual(base, mine) || jsonEqual(mine, theirs)) return { merged: theirs, conflicts: [] };
  if (jsonEqual(base, theirs)) return { merged: mine, conflicts: [] };
  if (!isJsonObject(mine) || !isJsonObject(theirs)) return { merged: mine, conflicts: [path] };
  const before = isJsonObject(base) ? base : {};
  const keys = [...new Set([...Object.keys(theirs), ...Object.keys(mine)])];
  const fields = keys.map(
    (key) =>
      [key, rebase(own(before, key), own(mine, key), own(theirs, key), join(path, key))] as const,
  );
  return {
    merged: Object.fromEntries(
      fields
        .filter(([, { merged }]) => merged !== undefined)
        .map(([key, { merged }]) => [key, merged]),
    ),
    conflicts: fields.flatMap(([, { conflicts }]) => conflicts),
  };
};

type Fields = Readonly<Record<string, unknown>>;

const own = (fields: Fields, key: string): unknown =>
  Object.hasOwn(fields, key) ? fields[key] : undefined;

const join = (path: string, key: string): string => (path === '' ? key : `${path}.${key}`);
