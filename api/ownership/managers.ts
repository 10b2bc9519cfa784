import { equalSets, isEmptySet, union, type FieldSet } from './field-set';
import { decodeFields, encodeFields, FieldsV1Error } from './fields-v1';
import { isJsonObject } from '../../lib/json';

/** Who is told apart from whom: the same name applying and updating is two managers. */
export interface ManagerName {
  readonly name: string;
  readonly operation: 'Apply' | 'Update';
  readonly apiVersion: string;
  /** `''` for the object itself. */
  readonly subresource: string;
}

/** One entry of `metadata.managedFields`. */
export interface Manager extends ManagerName {
  /** When it last changed a field. */
  readonly time?: string;
  readonly fields: FieldSet;
}

/** An applier is the same whatever version it applies in. */
export const isSameManager = (a: ManagerName, b: ManagerName): boolean => keyOf(a) === keyOf(b);

/** Equal for the same manager. A name may hold anything but a line's end. */
const keyOf = ({ name, operation, apiVersion, subresource }: ManagerName): string =>
  [operation, subresource, operation === 'Apply' ? '' : apiVersion, name].join('\n');

/**
 * The entries of `metadata.managedFields`; undefined where one of them is wrong, as in what clients
 * send.
 */
export const decodeManagers = (entries: unknown): readonly Manager[] | undefined => {
  if (entries === undefined || entries === null) return [];
  if (!Array.isArray(entries)) return undefined;
  try {
    return merged((entries as readonly unknown[]).map(decodeManager));
  } catch (error) {
    if (error instanceof FieldsV1Error) return undefined;
    throw error;
  }
};

/** One empty entry is how a client asks to forget all managers. */
export const isReset = (entries: unknown): boolean =>
  Array.isArray(entries) &&
  entries.length === 1 &&
  isJsonObject(entries[0]) &&
  Object.keys(entries[0]).length === 0;

/** In the order of upstream: appliers first, then by time and name. */
export const encodeManagers = (managers: readonly Manager[]): readonly object[] =>
  [...managers].sort(byOperationAndTime).map(encodeManager);

/** At most `MAX_UPDATERS` that update: what the oldest own is put together. */
export const capUpdaters = (managers: readonly Manager[]): readonly Manager[] => {
  const updaters = managers.filter(({ operation }) => operation === 'Update');
  const surplus = updaters.length - MAX_UPDATERS;
  if (surplus <= 0) return managers;
  const oldest = [...updaters].sort(byOperationAndTime).slice(0, surplus + 1);
  const rest = managers.filter((manager) => !oldest.includes(manager));
  const newest = oldest.at(-1);
  const ancient = oldest.map((manager) => ({
    ...manager,
    name: ANCIENT_CHANGES,
    subresource: '',
    apiVersion: newest?.apiVersion ?? manager.apiVersion,
  }));
  return [...rest, ...merged(ancient)];
};

const decodeManager = (entry: unknown): Manager => {
  if (!isJsonObject(entry)) throw new FieldsV1Error('a manager is an object');
  const { manager, operation, apiVersion, subresource = '', time, fieldsType, fieldsV1 } = entry;
  const isKnown = operation === 'Apply' || operation === 'Update';
  if (!isKnown || fieldsType !== 'FieldsV1' || typeof apiVersion !== 'string')
    throw new FieldsV1Error('a manager has an operation, an apiVersion and FieldsV1');
  return {
    name: typeof manager === 'string' ? manager : '',
    operation,
    apiVersion,
    subresource: typeof subresource === 'string' ? subresource : '',
    ...(typeof time === 'string' ? { time } : {}),
    fields: decodeFields(fieldsV1 ?? {}),
  };
};

const encodeManager = ({ name, operation, apiVersion, subresource, time, fields }: Manager) => ({
  apiVersion,
  fieldsType: 'FieldsV1',
  fieldsV1: encodeFields(fields),
  manager: name,
  operation,
  ...(subresource === '' ? {} : { subresource }),
  ...(time === undefined ? {} : { time }),
});

/** Entries of one manager become one; without fields it is none. */
const merged = (managers: readonly Manager[]): readonly Manager[] => {
  const result = new Map<string, Manager>();
  for (const manager of managers) {
    if (isEmptySet(manager.fields)) continue;
    const key = keyOf(manager);
    const same = result.get(key);
    result.set(
      key,
      same === undefined ? manager : { ...manager, fields: union(same.fields, manager.fields) },
    );
  }
  return [...result.values()];
};

/** Do both own the same, whenever they came by it? */
export const ownSame = (a: readonly Manager[], b: readonly Manager[]): boolean =>
  a.length === b.length && haveSame(a, new Map(b.map((manager) => [keyOf(manager), manager])));

const haveSame = (managers: readonly Manager[], others: ReadonlyMap<string, Manager>): boolean =>
  managers.every((manager) => {
    const other = others.get(keyOf(manager));
    return other !== undefined && equalSets(other.fields, manager.fields);
  });

const byOperationAndTime = (a: Manager, b: Manager): number =>
  compare(a.operation, b.operation) ||
  compare(a.time ?? '', b.time ?? '') ||
  compare(a.name, b.name) ||
  compare(a.apiVersion, b.apiVersion) ||
  compare(a.subresource, b.subresource);

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

/** Each write reads them all. Upstream has no bound but that of an object's bytes. */
export const MANAGERS_MAX = 500;
const MAX_UPDATERS = 10;
const ANCIENT_CHANGES = 'ancient-changes';
