import { defaultStatefulSet } from '../defaults/workloads';
import { podWarnings } from '../pod-warnings';
import { STATEFUL_SETS } from '../resources';
import {
  validateStatefulSet,
  validateStatefulSetStatusUpdate,
  validateStatefulSetUpdate,
} from '../validation/stateful-set';
import { defineKind } from './kind';

export const STATEFUL_SET_KIND = defineKind(STATEFUL_SETS, {
  shortNames: ['sts'],
  categories: ['all'],
  subresources: ['status', 'scale'],
  applyDefaults: defaultStatefulSet,
  validateCreate: validateStatefulSet,
  validateUpdate: validateStatefulSetUpdate,
  validateStatusUpdate: validateStatefulSetStatusUpdate,
  warnings: podWarnings,
});
