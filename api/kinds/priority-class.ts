import { defaultPriorityClass } from '../defaults/access';
import { PRIORITY_CLASSES } from '../resources';
import { validatePriorityClass, validatePriorityClassUpdate } from '../validation/priority';
import { defineKind } from './kind';

export const PRIORITY_CLASS_KIND = defineKind(PRIORITY_CLASSES, {
  shortNames: ['pc'],
  applyDefaults: defaultPriorityClass,
  validateCreate: validatePriorityClass,
  validateUpdate: validatePriorityClassUpdate,
});
