import {
  addAmounts,
  amountsOf,
  effectiveRequests,
  hostPortsClash,
  hostPortsOf,
  NO_RESOURCES,
} from '../../api/pods';
import type { Pod } from '../../api/types';
import type { PodEnding } from './status';

/**
 * Why `pod` cannot run beside `others`, by the rules that the scheduler uses too; undefined when it
 * can. Pure. `allocatable` is a Node's `status.allocatable`.
 */
export const refuseToAdmit = (
  pod: Pod,
  others: readonly Pod[],
  allocatable: Readonly<Record<string, string>>,
): PodEnding | undefined => {
  const free = amountsOf(allocatable);
  const podsMax = free.others['pods'];
  if (podsMax !== undefined && others.length + 1 > podsMax)
    return shortage('pods', 1, others.length, podsMax);
  const wanted = effectiveRequests(pod.spec);
  const used = others.map(({ spec }) => effectiveRequests(spec)).reduce(addAmounts, NO_RESOURCES);
  if (wanted.cpuMillis > 0 && used.cpuMillis + wanted.cpuMillis > free.cpuMillis)
    return shortage('cpu', wanted.cpuMillis, used.cpuMillis, free.cpuMillis);
  if (wanted.memoryBytes > 0 && used.memoryBytes + wanted.memoryBytes > free.memoryBytes)
    return shortage('memory', wanted.memoryBytes, used.memoryBytes, free.memoryBytes);
  const ports = hostPortsOf(pod.spec);
  const taken = others.flatMap(({ spec }) => hostPortsOf(spec));
  if (ports.some((port) => taken.some((other) => hostPortsClash(port, other))))
    return {
      reason: 'NodePorts',
      message:
        'Pod was rejected: Predicate NodePorts failed: ' +
        "node(s) didn't have free ports for the requested pod ports",
    };
  return undefined;
};

const shortage = (
  resource: string,
  requested: number,
  used: number,
  capacity: number,
): PodEnding => ({
  reason: `OutOf${resource}`,
  message:
    `Pod was rejected: Node didn't have enough resource: ${resource}, ` +
    `requested: ${requested}, used: ${used}, capacity: ${capacity}`,
});
