import { defaultDaemonSet } from '../defaults/workloads';
import { podWarnings } from '../pod-warnings';
import { DAEMON_SETS } from '../resources';
import { DAEMON_SET_RULES } from '../validation/daemon-set';
import { defineKind } from './kind';

export const DAEMON_SET_KIND = defineKind(DAEMON_SETS, {
  shortNames: ['ds'],
  categories: ['all'],
  subresources: ['status'],
  applyDefaults: defaultDaemonSet,
  ...DAEMON_SET_RULES,
  warnings: podWarnings,
});
