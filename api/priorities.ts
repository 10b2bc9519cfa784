/** From here on, what the cluster and its nodes cannot do without. */
export const SYSTEM_CRITICAL_PRIORITY = 2_000_000_000;

/** Of the class system-node-critical. */
export const NODE_CRITICAL_PRIORITY = 2_000_001_000;

/** The classes that are always there. */
export const SYSTEM_PRIORITIES: ReadonlyMap<string, number> = new Map([
  ['system-cluster-critical', SYSTEM_CRITICAL_PRIORITY],
  ['system-node-critical', NODE_CRITICAL_PRIORITY],
]);
