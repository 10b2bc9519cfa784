import { defaultCsiDriver } from '../defaults/csi';
import { CSI_DRIVERS } from '../resources';
import { unsupportedInCsiDriver } from '../unsupported';
import { validateCsiDriver, validateCsiDriverUpdate } from '../validation/csi';
import { defineKind } from './kind';

export const CSI_DRIVER_KIND = defineKind(CSI_DRIVERS, {
  applyDefaults: defaultCsiDriver,
  validateCreate: validateCsiDriver,
  validateUpdate: validateCsiDriverUpdate,
  warnings: unsupportedInCsiDriver,
});
