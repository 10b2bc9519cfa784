import { UsageError } from '../usage-error';

/** What to do to labels or annotations. */
export interface KeyValueChanges {
  readonly set: ReadonlyMap<string, string>;
  readonly removed: ReadonlySet<string>;
}

/** Reads `key=value` and `key-`. @throws UsageError */
export const parseKeyValues = (
  args: readonly string[],
  what: 'label' | 'annotation',
): KeyValueChanges => {
  if (args.length === 0) throw new UsageError(`at least one ${what} update is required`);
  const set = new Map<string, string>();
  const removed = new Set<string>();
  for (const arg of args) {
    const equals = arg.indexOf('=');
    if (equals > 0) set.set(arg.slice(0, equals), arg.slice(equals + 1));
    else if (equals < 0 && arg.length > 1 && arg.endsWith('-')) removed.add(arg.slice(0, -1));
    else throw new UsageError(`unknown ${what} spec: ${arg}`);
  }
  const both = [...set.keys()].find((key) => removed.has(key));
  if (both !== undefined) {
    throw new UsageError(`can not both modify and remove a ${what} in the same command`);
  }
  return { set, removed };
};

/** Of the keys that are to be set, those that have another value already. */
export const occupied = (
  current: Readonly<Record<string, string>>,
  { set }: KeyValueChanges,
): readonly (readonly [string, string])[] =>
  [...set].flatMap(([key, value]) => {
    const old = Object.hasOwn(current, key) ? current[key] : undefined;
    return old === undefined || old === value ? [] : [[key, old] as const];
  });

/** The members of a merge patch. Removed keys that are not there are left out. */
export const mergeOf = (
  current: Readonly<Record<string, string>>,
  { set, removed }: KeyValueChanges,
): Readonly<Record<string, string | null>> =>
  Object.fromEntries([
    ...[...set].filter(([key, value]) => current[key] !== value),
    ...[...removed].filter((key) => Object.hasOwn(current, key)).map((key) => [key, null] as const),
  ]);
