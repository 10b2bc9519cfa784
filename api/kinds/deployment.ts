import { defaultDeployment } from '../defaults/workloads';
import { podWarnings } from '../pod-warnings';
import { DEPLOYMENTS } from '../resources';
import {
  validateDeployment,
  validateDeploymentStatusUpdate,
  validateDeploymentUpdate,
} from '../validation/workloads';
import { defineKind } from './kind';

export const DEPLOYMENT_KIND = defineKind(DEPLOYMENTS, {
  shortNames: ['deploy'],
  categories: ['all'],
  subresources: ['status', 'scale'],
  applyDefaults: defaultDeployment,
  validateCreate: validateDeployment,
  validateUpdate: validateDeploymentUpdate,
  validateStatusUpdate: validateDeploymentStatusUpdate,
  warnings: podWarnings,
});
