import { podIn } from '../pod-in';
import type { ApiObject } from '../types';
import { invalid, type FieldError } from './field-error';

/** Annotations of a pod, or of a template, that only some values mean anything in. */
export const validatePodAnnotations = (
  object: ApiObject,
  old?: ApiObject,
): readonly FieldError[] => {
  const { annotations = {}, metadataField = '' } = podIn(object) ?? {};
  const cost = annotations[DELETION_COST];
  // What is stored already is let be, as upstream does.
  const before = old === undefined ? undefined : podIn(old)?.annotations[DELETION_COST];
  return cost === undefined || cost === before || isCost(cost)
    ? []
    : [invalid(`${metadataField}.annotations[${DELETION_COST}]`, '', 'must be a 32bit integer')];
};

/** No plus sign and no leading zeros. */
const isCost = (text: string): boolean =>
  /^(?:0|[1-9]\d*|-\d+)$/.test(text) && Number(text) >= -(2 ** 31) && Number(text) < 2 ** 31;

const DELETION_COST = 'controller.kubernetes.io/pod-deletion-cost';
