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

/** Who owns what after `actor` has changed an object. `before` is undefined for a new one. */
export const ownersAfterUpdate = (
  kind: KindName,
  before: unknown,
  after: unknown,
  managers: readonly Manager[],
  { manager, now }: Actor,
): readonly Manager[] => {
  const changes = compareFields(structureOf(kind), before, after);
  const changed = difference(setFields(changes), SYSTEM_FIELDS);
  const own = managers.find((each) => isSameManager(each, manager));
  const others = withoutFields(without(managers, manager), union(changed, changes.removed));
  const fields = union(difference(own?.fields ?? NO_FIELDS, changes.removed), changed);
  if (isEmptySet(fields)) return others;
  const isActive = !isEmptySet(changed);
  const time = isActive ? now : own?.time;
  return capUpdaters([...others, { ...manager, fields, ...(time === undefined ? {} : { time }) }]);
};

export interface Applied {
  readonly object: Json;
  readonly managers: readonly Manager[];
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
  { manager, now }: Actor,
  isForced: boolean,
): Applied => {
  const structure = structureOf(kind);
  const last = managers.find((each) => isSameManager(each, manager));
  const named = fieldsOf(structure, config);
  const applied = difference(named, SYSTEM_FIELDS);
  const others = without(managers, manager);
  const merged = mergeApplied(structure, live, config);
  const owned = [...others.map(({ fields }) => fields), named].reduce(union);
  const object = pruned(structure, merged, last?.fields ?? NO_FIELDS, owned);
  const changes = compareFields(structure, live, object);
  const remaining = takenFrom(others, changes, isForced);
  if (isEmptySet(applied)) return { object, managers: remaining };
  return { object, managers: [...remaining, { ...manager, fields: applied, time: now }] };
};

/** What the other managers keep. @throws ApplyConflictError unless forced */
const takenFrom = (
  others: readonly Manager[],
  changes: Changes,
  isForced: boolean,
): readonly Manager[] => {
  const changed = setFields(changes);
  const conflicts = conflictsWith(others, changed);
  if (conflicts.length > 0 && !isForced) throw new ApplyConflictError(conflicts);
  return withoutFields(others, union(changed, changes.removed));
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

const withoutFields = (managers: readonly Manager[], fields: FieldSet): readonly Manager[] =>
  managers
    .map((manager) => ({ ...manager, fields: difference(manager.fields, fields) }))
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
