import {
  amountsOf,
  effectiveLimits,
  effectiveRequests,
  qosClassOf,
  type ResourceAmounts,
} from '../../api/pods';
import type { Container, Pod } from '../../api/types';
import type { CgroupResources } from '../../runtime/container-runtime';

const PERIOD_MICROS = 100_000;
const QUOTA_MIN_MICROS = 1_000;
const SHARES_MIN = 2;
const SHARES_MAX = 262_144;

/** Limits of a container's cgroup. */
export const containerResources = (
  pod: Pod,
  container: Container,
  nodeMemoryBytes: number,
): CgroupResources => {
  const requests = amountsOf(container.resources?.requests);
  const limits = amountsOf(container.resources?.limits);
  const oomScoreAdj = oomScoreAdjOf(pod, requests.memoryBytes, nodeMemoryBytes);
  return {
    ...cgroupOf(requests, limits),
    ...(oomScoreAdj === undefined ? {} : { oomScoreAdj }),
  };
};

/** Limits of the cgroup that holds the whole pod; a limit applies when every container has one. */
export const podResources = (pod: Pod, pidsLimit: number): CgroupResources => {
  const limits = effectiveLimits(pod.spec);
  const bounded = {
    ...limits,
    cpuMillis: everyContainerHas(pod, ({ cpuMillis }) => cpuMillis) ? limits.cpuMillis : 0,
    memoryBytes: podMemoryLimitBytes(pod),
  };
  return { ...cgroupOf(effectiveRequests(pod.spec), bounded), pidsLimit };
};

/** What all containers of a pod may have together; 0 when one of them may have any amount. */
export const podMemoryLimitBytes = (pod: Pod): number =>
  everyContainerHas(pod, ({ memoryBytes }) => memoryBytes)
    ? effectiveLimits(pod.spec).memoryBytes
    : 0;

const everyContainerHas = ({ spec }: Pod, pick: (limits: ResourceAmounts) => number): boolean =>
  [...spec.containers, ...(spec.initContainers ?? [])].every(
    ({ resources }) => pick(amountsOf(resources?.limits)) > 0,
  );

const cgroupOf = (requests: ResourceAmounts, limits: ResourceAmounts): CgroupResources => {
  const cpuMillis = requests.cpuMillis > 0 ? requests.cpuMillis : limits.cpuMillis;
  const shares = Math.floor((cpuMillis * 1024) / 1000);
  return {
    cpuShares: Math.min(SHARES_MAX, Math.max(SHARES_MIN, shares)),
    ...(limits.cpuMillis > 0
      ? {
          cpuQuotaMicros: Math.max(
            QUOTA_MIN_MICROS,
            Math.floor((limits.cpuMillis * PERIOD_MICROS) / 1000),
          ),
          cpuPeriodMicros: PERIOD_MICROS,
        }
      : {}),
    ...(limits.memoryBytes > 0 ? { memoryLimitBytes: limits.memoryBytes } : {}),
  };
};

/**
 * Who dies first when the machine runs out of memory. Undefined for Guaranteed pods: a negative
 * value needs a privilege that an agent in a container may not have, and the default already puts
 * them after all others.
 */
const oomScoreAdjOf = (
  pod: Pod,
  requestBytes: number,
  nodeMemoryBytes: number,
): number | undefined => {
  switch (qosClassOf(pod.spec)) {
    case 'Guaranteed':
      return undefined;
    case 'BestEffort':
      return 1000;
    case 'Burstable': {
      const adjusted = 1000 - Math.floor((1000 * requestBytes) / Math.max(1, nodeMemoryBytes));
      return Math.min(999, Math.max(2, adjusted));
    }
  }
};
