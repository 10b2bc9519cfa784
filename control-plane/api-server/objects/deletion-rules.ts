import type { ApiObject } from '../../../api/types';
import { listAt } from '../kinds/mutable';

export type PropagationPolicy = 'Background' | 'Foreground' | 'Orphan';

export const FOREGROUND_FINALIZER = 'foregroundDeletion';
export const ORPHAN_FINALIZER = 'orphan';

/** Marked for deletion, its grace over, and nothing holds it. */
export const isRemovable = (object: ApiObject): boolean => {
  const { deletionTimestamp, deletionGracePeriodSeconds = 0 } = object.metadata;
  return deletionTimestamp !== undefined && deletionGracePeriodSeconds === 0 && !isHeld(object);
};

/** Finalizers of the object, or of a namespace's content, are still there. */
export const isHeld = (object: ApiObject): boolean =>
  (object.metadata.finalizers ?? []).length > 0 ||
  (object.kind === 'Namespace' && listAt(object, 'spec', 'finalizers').length > 0);

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
