import { RUNTIME_CLASSES } from '../resources';
import { validateRuntimeClass, validateRuntimeClassUpdate } from '../validation/runtime-class';
import { defineKind } from './kind';

export const RUNTIME_CLASS_KIND = defineKind(RUNTIME_CLASSES, {
  validateCreate: validateRuntimeClass,
  validateUpdate: validateRuntimeClassUpdate,
});
