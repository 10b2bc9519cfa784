import { CSI_STORAGE_CAPACITIES } from '../resources';
import { validateCapacity, validateCapacityUpdate } from '../validation/csi';
import { defineKind } from './kind';

export const CSI_STORAGE_CAPACITY_KIND = defineKind(CSI_STORAGE_CAPACITIES, {
  validateCreate: validateCapacity,
  validateUpdate: validateCapacityUpdate,
});
