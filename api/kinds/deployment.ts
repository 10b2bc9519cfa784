import { defaultDeployment } from '../defaults/workloads';
import { podWarnings } from '../pod-warnings';
import { DEPLOYMENTS } from '../resources';
import { DEPLOYMENT_RULES } from '../validation/workloads';
import { defineKind } from './kind';

export const DEPLOYMENT_KIND = defineKind(DEPLOYMENTS, {
  shortNames: ['deploy'],
  categories: ['all'],
  subresources: ['status', 'scale'],
  applyDefaults: defaultDeployment,
  ...DEPLOYMENT_RULES,
  warnings: podWarnings,
});
