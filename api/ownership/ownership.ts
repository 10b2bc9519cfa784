import type { Json } from '../patch/json';
import type { KindName } from '../schema/definitions';
import { ApplyConflictError, conflictsWith } from './apply-conflict';
import { compareFields, setFields, type Changes } from './compare-fields';
import { difference, isEmptySet, NO_FIELDS, setOf, union, type FieldSet } from './field-set';
import { fieldsOf } from './fields-of';
import { fieldStep } from './fields-v1';
import { capUpdaters, isSameManager, type Manager, type ManagerName } from './managers';
import { mergeApplied } from './merge-applied';
import { removeFields } from './remove-fields';
import { structureOf, type Structure } from './structure';
import { isJsonObject } from '../../lib/json';

/** Who makes a change, and when. */
export interface Actor {
  readonly manager: ManagerName;
  readonly now: string;
}

/**
 * What a change is in other versions of the kind, whose fields lie elsewhere. A version that is not
 * there cannot be told: who owns fields in it goes on owning them.
 */
export type ChangesByVersion = ReadonlyMap<string, Changes>;

/** What sets two states of an object apart in one version. */
export const changesBetween = (kind: KindName, before: unknown, after: unknown): Changes =>
  compareFields(structureOf(kind), before, after);

/**
 * Who owns what after `actor` has changed an object. `before` is undefined for a new one. Without
 * `elsewhere`, all versions have their fields in the same places.
 */
export const ownersAfterUpdate = (
  kind: KindName,
  before: unknown,
  after: unknown,
  managers: readonly Manager[],
  { manager, now }: Actor,
  elsewhere?: ChangesByVersion,
): readonly Manager[] => {
  const changes = changesBetween(kind, before, after);
  const changed = difference(setFields(changes), SYSTEM_FIELDS);
  const own = managers.find((each) => isSameManager(each, manager));
  const at = placesOf(changes, manager.apiVersion, elsewhere);
  const others = withoutFields(without(managers, manager), (each) => at(each).taken);
  const fields = union(difference(own?.fields ?? NO_FIELDS, changes.removed), changed);
  if (isEmptySet(fields)) return others;
  const isActive = !isEmptySet(changed);
  const time = isActive ? now : own?.time;
  return capUpdaters([...others, { ...manager, fields, ...(time === undefined ? {} : { time }) }]);
};

interface Place {
  /** All that has another value than before. */
  readonly set: FieldSet;
  /** What is taken from others. */
  readonly taken: FieldSet;
}

/** A change as a manager sees it that owns fields in some version. */
const placesOf = (
  changes: Changes,
  apiVersion: string,
  elsewhere: ChangesByVersion | undefined,
): ((manager: Manager) => Place) => {
  let here: Place | undefined;
  const others = new Map([...(elsewhere ?? [])].map(([version, each]) => [version, placeOf(each)]));
  return (manager) =>
    elsewhere === undefined || manager.apiVersion === apiVersion
      ? (here ??= placeOf(changes))
      : (others.get(manager.apiVersion) ?? NOWHERE);
};

const placeOf = (changes: Changes): Place => {
  const set = difference(setFields(changes), SYSTEM_FIELDS);
  return { set, taken: union(set, changes.removed) };
};

const NOWHERE: Place = { set: NO_FIELDS, taken: NO_FIELDS };

export interface Applied {
  readonly object: Json;
  readonly managers: readonly Manager[];
}

/** The live object with a configuration, before it is asked whether that takes from others. */
export interface Merged {
  readonly object: Json;
  readonly changes: Changes;
  /** Which fields the configuration names. */
  readonly applied: FieldSet;
  readonly others: readonly Manager[];
}

/**
 * The live object with what a configuration says, without what its manager said before and no longer
 * does, and who owns what then. `live` is empty for a new object. The configuration is as its author
 * wrote it, with the object's name: what it does not name is none of its manager's business.
 * @throws ApplyConflictError unless forced, ListItemsError
 */
export const applyConfiguration = (
  kind: KindName,
  live: Json,
  config: Json,
  managers: readonly Manager[],
  actor: Actor,
  isForced: boolean,
): Applied => {
  const merged = mergeConfiguration(kind, live, config, managers, actor.manager);
  return { object: merged.object, managers: ownersAfterApply(merged, actor, isForced) };
};

/**
 * The first half of `applyConfiguration`. What its manager applied in another version is let go of only
 * where all versions have their fields in the same places. @throws ListItemsError
 */
export const mergeConfiguration = (
  kind: KindName,
  live: Json,
  config: Json,
  managers: readonly Manager[],
  manager: ManagerName,
  hasSamePlaces = true,
): Merged => {
  const structure = structureOf(kind);
  const before = managers.find((each) => isSameManager(each, manager));
  const last = hasSamePlaces || before?.apiVersion === manager.apiVersion ? before : undefined;
  const named = fieldsOf(structure, config);
  const applied = difference(named, SYSTEM_FIELDS);
  const others = without(managers, manager);
  const merged = mergeApplied(structure, live, config);
  const owned = [...others.map(({ fields }) => fields), named].reduce(union);
  const object = pruned(structure, merged, last?.fields ?? NO_FIELDS, owned);
  return { object, changes: compareFields(structure, live, object), applied, others };
};

/** The second half. @throws ApplyConflictError unless forced */
export const ownersAfterApply = (
  { changes, applied, others }: Merged,
  { manager, now }: Actor,
  isForced: boolean,
  elsewhere?: ChangesByVersion,
): readonly Manager[] => {
  const at = placesOf(changes, manager.apiVersion, elsewhere);
  const conflicts = conflictsWith(others, (each) => at(each).set);
  if (conflicts.length > 0 && !isForced) throw new ApplyConflictError(conflicts);
  const remaining = withoutFields(others, (each) => at(each).taken);
  if (isEmptySet(applied)) return remaining;
  return [...remaining, { ...manager, fields: applied, time: now }];
};

/** The merged object without fields that the manager owned last time and that nobody owns now. */
const pruned = (structure: Structure, merged: unknown, last: FieldSet, owned: FieldSet): Json => {
  const abandoned = abandonedFields(structure, last, owned);
  const left = removeFields(structure, merged, abandoned);
  return isJsonObject(left) ? left : {};
};

/**
 * A field goes with its owner unless someone owns it or a field below it. Items of lists go whole:
 * an item stays only where someone owns the item itself.
 */
const abandonedFields = (structure: Structure, last: FieldSet, owned: FieldSet): FieldSet =>
  difference(withStructs(structure, last), withStructs(structure, owned));

/** The set, and every field of a struct on the way to a field of the set. */
const withStructs = (structure: Structure, set: FieldSet): FieldSet => {
  if (structure.kind === 'leaf' || structure.kind === 'any') return set;
  const members = new Set(set.members);
  const children = new Map<string, FieldSet>();
  for (const [step, child] of set.children) {
    const name = step.slice(2);
    const isField = structure.kind === 'map' && step === fieldStep(name);
    if (isField && structure.declares(name)) members.add(step);
    children.set(step, withStructs(memberAt(structure, step), child));
  }
  return { members, children };
};

const memberAt = (structure: Structure, step: string): Structure => {
  if (structure.kind === 'map') return structure.member(step.slice(2));
  return structure.kind === 'keyed' ? structure.item : { kind: 'any' };
};

const without = (managers: readonly Manager[], manager: ManagerName): readonly Manager[] =>
  managers.filter((each) => !isSameManager(each, manager));

const withoutFields = (
  managers: readonly Manager[],
  fieldsOf: (manager: Manager) => FieldSet,
): readonly Manager[] =>
  managers
    .map((manager) => ({ ...manager, fields: difference(manager.fields, fieldsOf(manager)) }))
    .filter(({ fields: left }) => !isEmptySet(left));

/** Fields that say which object it is, or that the server alone sets: nobody owns them. */
const SYSTEM_FIELDS: FieldSet = setOf([
  ['f:apiVersion'],
  ['f:kind'],
  ['f:metadata'],
  ...[
    'creationTimestamp',
    'generation',
    'managedFields',
    'name',
    'namespace',
    'resourceVersion',
    'selfLink',
    'uid',
  ].map((name) => ['f:metadata', fieldStep(name)]),
]);
