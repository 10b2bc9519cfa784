import type { PodIn } from '../pod-in';
import { annotationsOfPod } from './annotations';
import { unsupportedInPod as unsupportedFields } from './pods';

/*
 * What of an object Dhow accepts and cannot carry out yet, one sentence per field, for `Warning:`
 * headers. Nothing is dropped silently: the field is stored, and its author is told.
 */

/** Of a pod, or of the template of a workload. */
export const unsupportedInPod = (pod: PodIn): readonly string[] => [
  ...unsupportedFields(pod),
  ...annotationsOfPod(pod),
];

export { annotationsOfNamespace as unsupportedInNamespace } from './annotations';
export { unsupportedInAutoscaler } from './autoscaler';
export {
  unsupportedInLease,
  unsupportedInPodGroup,
  unsupportedInNode,
  unsupportedInSecret,
} from './kinds';
export {
  unsupportedInClaim,
  unsupportedInPersistentVolume,
  unsupportedInCsiDriver,
  unsupportedInStorageClass,
} from './storage';
