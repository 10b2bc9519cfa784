import { defaultReplicaSet } from '../defaults/workloads';
import { podWarnings } from '../pod-warnings';
import { REPLICA_SETS } from '../resources';
import {
  validateReplicaSet,
  validateReplicaSetStatusUpdate,
  validateReplicaSetUpdate,
} from '../validation/workloads';
import { defineKind } from './kind';

export const REPLICA_SET_KIND = defineKind(REPLICA_SETS, {
  shortNames: ['rs'],
  categories: ['all'],
  subresources: ['status', 'scale'],
  fields: { 'status.replicas': ({ status }) => String(status.replicas) },
  applyDefaults: defaultReplicaSet,
  validateCreate: validateReplicaSet,
  validateUpdate: validateReplicaSetUpdate,
  validateStatusUpdate: validateReplicaSetStatusUpdate,
  warnings: podWarnings,
});
