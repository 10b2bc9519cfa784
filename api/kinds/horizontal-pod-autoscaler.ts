import { autoscalerV1Of, autoscalerV2Of } from '../autoscaler/versions';
import { defaultAutoscaler } from '../defaults/autoscaler';
import { assignJson } from '../json-value';
import { HORIZONTAL_POD_AUTOSCALERS, HORIZONTAL_POD_AUTOSCALERS_V1 } from '../resources';
import type { HorizontalPodAutoscalerV1 } from '../types';
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

/** The same autoscalers, by the rules of the version that they are stored in. */
export const HORIZONTAL_POD_AUTOSCALER_V1_KIND = defineKind(HORIZONTAL_POD_AUTOSCALERS_V1, {
  shortNames: ['hpa'],
  categories: ['all'],
  subresources: ['status'],
  // Also what annotations carry: each is as this server would write it, or not there.
  applyDefaults: (autoscaler: HorizontalPodAutoscalerV1) => {
    assignJson(autoscaler, autoscalerV1Of(autoscalerV2Of(autoscaler)));
  },
  validateCreate: (autoscaler) => validateAutoscaler(autoscalerV2Of(autoscaler)),
  validateUpdate: (autoscaler, old) =>
    validateAutoscalerUpdate(autoscalerV2Of(autoscaler), autoscalerV2Of(old)),
  validateStatusUpdate: (autoscaler, old) =>
    validateAutoscalerStatusUpdate(autoscalerV2Of(autoscaler), autoscalerV2Of(old)),
  warnings: (autoscaler) => unsupportedInAutoscaler(autoscalerV2Of(autoscaler)),
});
