import { defaultStoredPodTemplate } from '../defaults/workloads';
import { podWarnings } from '../pod-warnings';
import { POD_TEMPLATES } from '../resources';
import {
  validateStoredPodTemplate,
  validateStoredPodTemplateUpdate,
} from '../validation/stored-pod-template';
import { defineKind } from './kind';

export const POD_TEMPLATE_KIND = defineKind(POD_TEMPLATES, {
  applyDefaults: defaultStoredPodTemplate,
  validateCreate: validateStoredPodTemplate,
  validateUpdate: validateStoredPodTemplateUpdate,
  warnings: podWarnings,
});
