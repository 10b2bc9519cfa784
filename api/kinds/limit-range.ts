import { defaultLimitRange } from '../defaults/limit-range';
import { LIMIT_RANGES } from '../resources';
import { validateLimitRange, validateLimitRangeUpdate } from '../validation/limit-range';
import { defineKind } from './kind';

export const LIMIT_RANGE_KIND = defineKind(LIMIT_RANGES, {
  shortNames: ['limits'],
  applyDefaults: defaultLimitRange,
  validateCreate: validateLimitRange,
  validateUpdate: validateLimitRangeUpdate,
});
