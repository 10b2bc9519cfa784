import { ApplyConflictError } from '../../../api/ownership/apply-conflict';
import { ListItemsError } from '../../../api/ownership/fields-of';
import { conflictsBeyondLastApplied, withLastApplied } from '../../../api/ownership/last-applied';
import {
  decodeManagers,
  encodeManagers,
  isReset,
  MANAGERS_MAX,
  ownSame,
  type Manager,
} from '../../../api/ownership/managers';
import {
  changesBetween,
  mergeConfiguration,
  ownersAfterApply,
  ownersAfterUpdate,
  type Actor,
  type Applied,
  type ChangesByVersion,
} from '../../../api/ownership/ownership';
import { structureOf } from '../../../api/ownership/structure';
import { ApiError } from '../../../api/errors';
import { invalidError, tooMany } from '../../../api/validation/field-error';
import { apiVersionOf } from '../../../api/resources';
import { decode } from '../../../api/schema/decode';
import type { ApiObject } from '../../../api/types';
import { rfc3339 } from '../../../lib/clock';
import { ConversionError } from '../conversion';
import { textAt, type Fields, type MutableObject } from '../kinds/mutable';
import type { ServedKind, Waiting } from '../kinds/served-kind';
import { waitingOf, type WriteContext } from './write-context';

/*
 * `metadata.managedFields` says who set which field. It is kept for what people and their tools
 * create. What the server's own components create has none, for they never apply; as soon as someone
 * applies to such an object, all that is there counts as set before.
 */

/** Records the owner of a new object, before the server adds to it. */
export const recordCreate = (
  { resource }: ServedKind,
  object: MutableObject,
  context: WriteContext,
  nowMs: number,
): void => {
  if (!context.tracksOwners) return;
  const actor = actorOf(resource, context, nowMs);
  store(object, ownersAfterUpdate(resource, emptyOf(resource), object, [], actor));
};

/** Records who changes an object that has owners. */
export const recordUpdate = async (
  kind: ServedKind,
  object: MutableObject,
  old: ApiObject,
  context: WriteContext,
  nowMs: number,
): Promise<void> => {
  const { resource } = kind;
  const managers = managersOf(object, old, context);
  if (managers.length === 0) {
    Reflect.deleteProperty(object.metadata, 'managedFields');
    return;
  }
  const elsewhere = await changesElsewhere(kind, old, object, managers, context, true);
  const actor = actorOf(resource, context, nowMs);
  store(object, ownersAfterUpdate(resource, old, object, managers, actor, elsewhere));
};

/**
 * The change in the versions of other managers, where only a conversion knows which fields those are;
 * undefined where all versions have the same. `isOptional`: a version that cannot be had is left out.
 */
const changesElsewhere = async (
  { versions, resource }: ServedKind,
  old: ApiObject,
  next: ApiObject,
  managers: readonly Manager[],
  context: WriteContext,
  isOptional: boolean,
): Promise<ChangesByVersion | undefined> => {
  if (versions === undefined) return undefined;
  const found = new Map<string, ReturnType<typeof changesBetween>>();
  const waiting = waitingOf(context);
  for (const apiVersion of new Set(managers.map((each) => each.apiVersion))) {
    const other = versions.get(apiVersion);
    if (apiVersion === apiVersionOf(resource) || other === undefined) continue;
    if (isOptional && other.conversion?.hasFailedLately === true) continue;
    try {
      const before = await convertedTo(other, old, waiting);
      const after = await convertedTo(other, next, waiting);
      found.set(apiVersion, changesBetween(other.resource, before, after));
    } catch (error) {
      if (!isOptional || !(error instanceof ConversionError)) throw error;
    }
  }
  return found;
};

/** In the version of the kind. */
const convertedTo = async (
  { conversion, convertedFrom }: ServedKind,
  object: ApiObject,
  waiting: Waiting,
): Promise<ApiObject> => {
  if (conversion !== undefined) return conversion.convert(object, waiting);
  return convertedFrom === undefined ? object : convertedFrom(object);
};

/** The object after its author applied `body`; `old` is undefined when there is none. */
export const applyOwned = async (
  kind: ServedKind,
  old: ApiObject | undefined,
  body: Fields,
  context: WriteContext,
  nowMs: number,
): Promise<Fields> => {
  const { resource } = kind;
  const { pace } = context;
  const config = configurationOf(kind, body, context);
  await pace?.pause();
  const live = (old ?? {}) as unknown as Fields;
  const before = managersBeforeApply(resource, live);
  await pace?.pause();
  const { object, managers } = await apply(kind, live, config, before, context, nowMs);
  checkManagerCount(kind, config, managers.length, before.length);
  await pace?.pause();
  const isKubectl = context.fieldManager === KUBECTL && context.subresource === '';
  const applied = isKubectl ? withLastApplied(object, config) : object;
  const metadata = applied['metadata'] as Fields;
  return { ...applied, metadata: { ...metadata, managedFields: encodeManagers(managers) } };
};

/** Each write of an object reads all of its managers. @throws Invalid for one more than it may have */
const checkManagerCount = (
  { resource }: ServedKind,
  config: Fields,
  count: number,
  countBefore: number,
): void => {
  if (count <= MANAGERS_MAX || count <= countBefore) return;
  const problem = tooMany('metadata.managedFields', count, MANAGERS_MAX);
  throw invalidError(resource, textAt(config['metadata'], 'name'), [problem]);
};

/** Do two states differ in nothing but the times of their managers? */
export const sameOwners = (a: ApiObject, b: ApiObject): boolean => {
  const [left, right] = [
    decodeManagers(a.metadata.managedFields),
    decodeManagers(b.metadata.managedFields),
  ];
  return left !== undefined && right !== undefined && ownSame(left, right);
};

const apply = async (
  kind: ServedKind,
  live: Fields,
  config: Fields,
  managers: readonly Manager[],
  context: WriteContext,
  nowMs: number,
): Promise<Applied> => {
  const { resource } = kind;
  const { isForced } = context;
  const actor = actorOf(resource, context, nowMs, 'Apply');
  const merged = mergedOf(kind, live, config, managers, actor);
  const states = [live, merged.object] as unknown as readonly [ApiObject, ApiObject];
  const elsewhere = await changesElsewhere(kind, ...states, merged.others, context, isForced);
  const owners = (hasForce: boolean): Applied => ({
    object: merged.object,
    managers: ownersAfterApply(merged, actor, hasForce, elsewhere),
  });
  try {
    return owners(isForced);
  } catch (error) {
    if (!(error instanceof ApplyConflictError) || context.fieldManager !== KUBECTL) throw error;
    const conflicts = conflictsBeyondLastApplied(structureOf(resource), live, error);
    if (conflicts.length > 0) throw new ApplyConflictError(conflicts);
    return owners(true);
  }
};

const mergedOf = (
  { resource, versions }: ServedKind,
  live: Fields,
  config: Fields,
  managers: readonly Manager[],
  { manager }: Actor,
) => {
  try {
    return mergeConfiguration(resource, live, config, managers, manager, versions === undefined);
  } catch (error) {
    if (error instanceof ListItemsError) throw untypable(resource, config, error);
    throw error;
  }
};

/** An object without managers was there before anyone applied to it. */
const managersBeforeApply = (
  resource: ServedKind['resource'],
  live: Fields,
): readonly Manager[] => {
  const { managedFields, ...metadata } = (live['metadata'] ?? {}) as Fields;
  const managers = decodeManagers(managedFields) ?? [];
  const isNew = live['metadata'] === undefined;
  if (managers.length > 0 || isNew) return managers;
  const manager = {
    name: BEFORE_FIRST_APPLY,
    operation: 'Update' as const,
    apiVersion: apiVersionOf(resource),
    subresource: '',
  };
  const now = textAt(metadata, 'creationTimestamp');
  return ownersAfterUpdate(resource, emptyOf(resource), { ...live, metadata }, [], {
    manager,
    now,
  });
};

/** What the author wrote, as far as this request may set it. */
const configurationOf = (
  { resource, strategy }: ServedKind,
  body: Fields,
  { fieldValidation, warnings, subresource }: WriteContext,
): Fields => {
  const decoded = decode(resource, body, { fieldValidation, isPartial: true });
  warnings.push(...decoded.warnings);
  const { status, ...config } = decoded.object as unknown as MutableObject;
  if (config.metadata.managedFields !== undefined)
    throw new ApiError('BadRequest', 'metadata.managedFields must be nil');
  if (!strategy.hasStatus) return decoded.object as unknown as Fields;
  if (subresource !== 'status') return config;
  const { apiVersion, kind, metadata } = config;
  return { apiVersion, kind, metadata, ...(status === undefined ? {} : { status }) };
};

const untypable = (
  resource: ServedKind['resource'],
  config: Fields,
  { message }: ListItemsError,
): ApiError => {
  const { namespace, name } = config['metadata'] as { namespace?: string; name: string };
  const place = namespace === undefined ? name : `${namespace}/${name}`;
  const version = resource.group === '' ? `/${resource.version}` : apiVersionOf(resource);
  return new ApiError(
    'BadRequest',
    `failed to create typed patch object (${place}; ${version}, Kind=${resource.kind}): ${message}`,
  );
};

/** The managers that a client sends count, if they are sound and it is to set them here. */
const managersOf = (
  object: MutableObject,
  old: ApiObject,
  { subresource }: WriteContext,
): readonly Manager[] => {
  const live = decodeManagers(old.metadata.managedFields) ?? [];
  if (subresource !== '') return live;
  const { managedFields } = object.metadata;
  if (isReset(managedFields)) return [];
  const isTooMany = Array.isArray(managedFields) && managedFields.length > MANAGERS_MAX;
  const sent = isTooMany ? undefined : decodeManagers(managedFields);
  return sent === undefined || sent.length === 0 ? live : sent;
};

const store = (object: MutableObject, managers: readonly Manager[]): void => {
  if (managers.length === 0) Reflect.deleteProperty(object.metadata, 'managedFields');
  else Object.assign(object.metadata, { managedFields: encodeManagers(managers) });
};

const actorOf = (
  resource: ServedKind['resource'],
  { fieldManager, subresource }: WriteContext,
  nowMs: number,
  operation: 'Apply' | 'Update' = 'Update',
): Actor => ({
  manager: {
    name: fieldManager === '' ? 'unknown' : fieldManager,
    operation,
    apiVersion: apiVersionOf(resource),
    subresource,
  },
  now: rfc3339(nowMs),
});

/** The fields of a struct that are always written: they belong to nobody. */
const emptyOf = (resource: ServedKind['resource']): ApiObject => {
  let empty = emptyObjects.get(resource);
  if (empty === undefined) emptyObjects.set(resource, (empty = decode(resource, {}).object));
  return empty;
};

const emptyObjects = new WeakMap<ServedKind['resource'], ApiObject>();
const KUBECTL = 'kubectl';
const BEFORE_FIRST_APPLY = 'before-first-apply';
