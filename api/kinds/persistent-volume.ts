import { defaultVolume } from '../defaults/storage';
import { PERSISTENT_VOLUMES } from '../resources';
import { unsupportedInPersistentVolume } from '../unsupported';
import {
  validateVolume,
  validateVolumeStatusUpdate,
  validateVolumeUpdate,
} from '../validation/storage';
import { defineKind } from './kind';

export const PERSISTENT_VOLUME_KIND = defineKind(PERSISTENT_VOLUMES, {
  shortNames: ['pv'],
  subresources: ['status'],
  applyDefaults: defaultVolume,
  validateCreate: validateVolume,
  validateUpdate: validateVolumeUpdate,
  validateStatusUpdate: validateVolumeStatusUpdate,
  warnings: unsupportedInPersistentVolume,
});
