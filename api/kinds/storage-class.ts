import { defaultStorageClass } from '../defaults/storage';
import { STORAGE_CLASSES } from '../resources';
import { unsupportedInStorageClass } from '../unsupported';
import { validateStorageClass, validateStorageClassUpdate } from '../validation/storage';
import { defineKind } from './kind';

export const STORAGE_CLASS_KIND = defineKind(STORAGE_CLASSES, {
  shortNames: ['sc'],
  applyDefaults: defaultStorageClass,
  validateCreate: validateStorageClass,
  validateUpdate: validateStorageClassUpdate,
  warnings: unsupportedInStorageClass,
});
