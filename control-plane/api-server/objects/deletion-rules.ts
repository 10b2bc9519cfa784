import type { ApiObject } from '../../../api/types';
import { forbidden, invalidError } from '../../../api/validation/field-error';
import type { ServedKind } from '../kinds/served-kind';

export type PropagationPolicy = 'Background' | 'Foreground' | 'Orphan';

export const FOREGROUND_FINALIZER = 'foregroundDeletion';
export const ORPHAN_FINALIZER = 'orphan';

/** Marked for deletion, its grace over, and nothing holds it. */
export const isRemovable = (kind: ServedKind, object: ApiObject): boolean => {
  const { deletionTimestamp, deletionGracePeriodSeconds = 0 } = object.metadata;
  return (
    deletionTimestamp !== undefined && deletionGracePeriodSeconds === 0 && !isHeld(kind, object)
  );
};

/** Finalizers of the object, or what else its kind waits for, are still there. */
export const isHeld = ({ strategy }: ServedKind, object: ApiObject): boolean =>
  (object.metadata.finalizers ?? []).length > 0 || strategy.isHeld?.(object) === true;

/** The finalizers by which the garbage collector learns what to do with dependents. */
export const finalizersFor = (
  present: readonly string[],
  policy: PropagationPolicy | undefined,
): readonly string[] => {
  if (policy === undefined) return present;
  const rest = present.filter(
    (finalizer) => finalizer !== FOREGROUND_FINALIZER && finalizer !== ORPHAN_FINALIZER,
  );
  if (policy === 'Foreground') return [...rest, FOREGROUND_FINALIZER];
  return policy === 'Orphan' ? [...rest, ORPHAN_FINALIZER] : rest;
};

/** What becomes of dependents when nobody says it; undefined: what was asked for before, or they go. */
export const defaultPolicy = (
  { strategy }: ServedKind,
  { metadata }: ApiObject,
): PropagationPolicy | undefined =>
  strategy.orphansByDefault === true &&
  metadata.deletionTimestamp === undefined &&
  metadata.finalizers?.includes(FOREGROUND_FINALIZER) !== true
    ? 'Orphan'
    : undefined;

/** What is to go is held by nothing that comes later. @throws Invalid */
export const checkFinalizers = (
  { resource }: ServedKind,
  object: ApiObject,
  old: ApiObject,
): void => {
  if (old.metadata.deletionTimestamp === undefined) return;
  const before = new Set(old.metadata.finalizers ?? []);
  const added = (object.metadata.finalizers ?? []).filter((finalizer) => !before.has(finalizer));
  if (added.length === 0) return;
  const why =
    'no new finalizers can be added if the object is being deleted, found new finalizers ' +
    `[]string{${added.map((name) => JSON.stringify(name)).join(', ')}}`;
  throw invalidError(resource, object.metadata.name, [forbidden('metadata.finalizers', why)]);
};
