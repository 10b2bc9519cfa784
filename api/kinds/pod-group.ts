import { POD_GROUPS } from '../resources';
import { unsupportedInPodGroup } from '../unsupported';
import { validatePodGroup, validatePodGroupUpdate } from '../validation/pod-group';
import { defineKind } from './kind';

export const POD_GROUP_KIND = defineKind(POD_GROUPS, {
  shortNames: ['pg', 'pgs'],
  subresources: ['status'],
  validateCreate: validatePodGroup,
  validateUpdate: validatePodGroupUpdate,
  validateStatusUpdate: () => [],
  warnings: unsupportedInPodGroup,
});
