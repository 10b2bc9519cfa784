import { defaultAutoscaler } from '../defaults/autoscaler';
import { HORIZONTAL_POD_AUTOSCALERS } from '../resources';
import { unsupportedInAutoscaler } from '../unsupported';
import {
  validateAutoscaler,
  validateAutoscalerStatusUpdate,
  validateAutoscalerUpdate,
} from '../validation/autoscaler';
import { defineKind } from './kind';

export const HORIZONTAL_POD_AUTOSCALER_KIND = defineKind(HORIZONTAL_POD_AUTOSCALERS, {
  shortNames: ['hpa'],
  categories: ['all'],
  subresources: ['status'],
  applyDefaults: defaultAutoscaler,
  validateCreate: validateAutoscaler,
  validateUpdate: validateAutoscalerUpdate,
  validateStatusUpdate: validateAutoscalerStatusUpdate,
  warnings: unsupportedInAutoscaler,
});
