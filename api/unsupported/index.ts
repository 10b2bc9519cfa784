import { podIn } from '../pod-in';
import type { ApiObject } from '../types';
import { unsupportedAnnotations } from './annotations';
import { unsupportedInKind } from './kinds';
import { unsupportedInPod } from './pods';

/**
 * What of an object Dhow accepts and cannot carry out yet, one sentence per field, for `Warning:`
 * headers. Nothing is dropped silently: the field is stored, and its author is told.
 */
export const unsupportedFields = (object: ApiObject): readonly string[] => {
  const pod = podIn(object);
  return [
    ...(pod === undefined ? [] : unsupportedInPod(pod)),
    ...unsupportedInKind(object),
    ...unsupportedAnnotations(object, pod),
  ];
};
