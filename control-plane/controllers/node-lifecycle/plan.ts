import { readyCondition } from '../../../api/nodes';
import type { Node, NodeCondition, Pod, Taint } from '../../../api/types';
import type { Stopwatches } from '../../../lib/stopwatches';
import { formatTaint, tolerationSecondsFor } from '../../../api/taints';

export const UNREACHABLE = 'node.kubernetes.io/unreachable';
export const NOT_READY = 'node.kubernetes.io/not-ready';

/** The conditions of a node that has not been heard of: all Unknown. Undefined if they are so already. */
export const silentConditions = (node: Node, now: string): readonly NodeCondition[] | undefined => {
  const known = node.status.conditions ?? [];
  const next = HEARTBEAT_CONDITIONS.map((type) => {
    const condition = known.find((candidate) => candidate.type === type);
    if (condition?.status === 'Unknown') return condition;
    return {
      type,
      status: 'Unknown',
      reason: condition === undefined ? 'NodeStatusNeverUpdated' : 'NodeStatusUnknown',
      message:
        condition === undefined
          ? 'Kubelet never posted node status.'
          : 'Kubelet stopped posting node status.',
      ...(condition?.lastHeartbeatTime === undefined
        ? { lastHeartbeatTime: now }
        : { lastHeartbeatTime: condition.lastHeartbeatTime }),
      lastTransitionTime: now,
    };
  });
  if (next.every((condition) => known.includes(condition))) return undefined;
  const others = known.filter(({ type }) => !HEARTBEAT_CONDITIONS.includes(type));
  return [...next, ...others];
};

/** The taints that follow from a node's conditions, with all other taints kept. Undefined if unchanged. */
export const healthTaints = (node: Node, now: string): readonly Taint[] | undefined => {
  const wanted = wantedTaints(node);
  const taints = node.spec.taints ?? [];
  const isWanted = ({ key, effect }: Taint) =>
    wanted.some((taint) => taint.key === key && taint.effect === effect);
  const kept = taints.filter((taint) => !HEALTH_KEYS.includes(taint.key) || isWanted(taint));
  const missing = wanted.filter(
    ({ key, effect }) => !kept.some((taint) => taint.key === key && taint.effect === effect),
  );
  if (missing.length === 0 && kept.length === taints.length) return undefined;
  return [...kept, ...missing.map((taint) => ({ ...taint, timeAdded: now }))];
};

/** Source: upstream's nodeConditionToTaintKeyStatusMap; what a node is short of keeps pods off, and evicts none. */
const wantedTaints = (node: Node): readonly Taint[] => {
  const ready = readyCondition(node)?.status;
  const health = ready === 'True' ? [] : [ready === 'Unknown' ? UNREACHABLE : NOT_READY];
  const pressures = (node.status.conditions ?? []).flatMap(({ type, status }) =>
    status === 'True' ? (PRESSURE_TAINTS.get(type) ?? []) : [],
  );
  return [
    ...health.flatMap((key) => ['NoSchedule', 'NoExecute'].map((effect) => ({ key, effect }))),
    ...pressures.map((key) => ({ key, effect: 'NoSchedule' })),
  ];
};

const PRESSURE_TAINTS: ReadonlyMap<string, string> = new Map([
  ['MemoryPressure', 'node.kubernetes.io/memory-pressure'],
  ['DiskPressure', 'node.kubernetes.io/disk-pressure'],
  ['PIDPressure', 'node.kubernetes.io/pid-pressure'],
]);
const HEALTH_KEYS = [UNREACHABLE, NOT_READY, ...PRESSURE_TAINTS.values()];

/**
 * When a pod must leave its node because of NoExecute taints, in monotonic ms: `undefined` for never.
 * The time runs from the later of the taint and the pod's binding.
 */
export const evictionAtMs = (
  pod: Pod,
  taints: readonly Taint[],
  watches: Stopwatches,
): number | undefined => {
  const due = taints
    .filter(({ effect }) => effect === 'NoExecute')
    .map((taint) => dueUnder(pod, taint, watches))
    .filter((ms) => ms !== undefined);
  return due.length === 0 ? undefined : Math.min(...due);
};

const dueUnder = (pod: Pod, taint: Taint, watches: Stopwatches): number | undefined => {
  const seconds = tolerationSecondsFor(pod.spec.tolerations, [taint]);
  if (seconds === undefined) return undefined;
  if (seconds === 0) return -Infinity;
  const startMs = Math.max(
    startOfTaint(pod.spec.nodeName ?? '', taint, watches),
    watches.startOf(bindingWatch(pod), momentAfter(boundAt(pod))),
  );
  return startMs + seconds * 1000;
};

/** The keys under which the times of a pod's binding, and of a taint on its node, are kept. */
const bindingWatch = (pod: Pod): string => `pod ${pod.metadata.uid ?? ''} ${boundAt(pod) ?? ''}`;

const taintWatch = (nodeName: string, taint: Taint): string =>
  `taint ${nodeName} ${formatTaint(taint)} ${taint.timeAdded ?? ''}`;

/** When the taint came, in monotonic ms: fixed by the first call, whatever the wall clock does after. */
export const startOfTaint = (nodeName: string, taint: Taint, watches: Stopwatches): number =>
  watches.startOf(taintWatch(nodeName, taint), momentAfter(taint.timeAdded));

/** The keys that these pods under these taints still need. */
export const evictionWatches = (pod: Pod, taints: readonly Taint[]): readonly string[] => [
  bindingWatch(pod),
  ...taints.map((taint) => taintWatch(pod.spec.nodeName ?? '', taint)),
];

const boundAt = ({ metadata, status }: Pod): string | undefined => {
  const scheduled = status.conditions?.find(({ type }) => type === 'PodScheduled');
  return scheduled?.lastTransitionTime ?? metadata.creationTimestamp ?? undefined;
};

/** Times in the API lack their fraction of a second: nobody is to leave before the full time. */
const momentAfter = (time: string | undefined): number => {
  const ms = Date.parse(time ?? '');
  return time?.includes('.') === true ? ms : ms + 999;
};

const HEARTBEAT_CONDITIONS = ['Ready', 'MemoryPressure', 'DiskPressure', 'PIDPressure'];
