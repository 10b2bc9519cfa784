import { defaultReplicaSet } from '../defaults/workloads';
import { podWarnings } from '../pod-warnings';
import { REPLICA_SETS } from '../resources';
import { REPLICA_SET_RULES } from '../validation/workloads';
import { defineKind } from './kind';

export const REPLICA_SET_KIND = defineKind(REPLICA_SETS, {
  shortNames: ['rs'],
  categories: ['all'],
  subresources: ['status', 'scale'],
  fields: { 'status.replicas': ({ status }) => String(status.replicas) },
  applyDefaults: defaultReplicaSet,
  ...REPLICA_SET_RULES,
  warnings: podWarnings,
});
