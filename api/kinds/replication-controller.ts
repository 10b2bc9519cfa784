import { defaultReplicationController } from '../defaults/workloads';
import { podWarnings } from '../pod-warnings';
import { REPLICATION_CONTROLLERS } from '../resources';
import { REPLICATION_CONTROLLER_RULES } from '../validation/replication-controller';
import { defineKind } from './kind';

export const REPLICATION_CONTROLLER_KIND = defineKind(REPLICATION_CONTROLLERS, {
  shortNames: ['rc'],
  categories: ['all'],
  subresources: ['status', 'scale'],
  fields: { 'status.replicas': ({ status }) => String(status.replicas) },
  applyDefaults: defaultReplicationController,
  ...REPLICATION_CONTROLLER_RULES,
  warnings: podWarnings,
});
