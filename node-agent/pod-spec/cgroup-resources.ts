import { pageBytesOf } from '../../api/huge-pages';
import { podLevelList } from '../../api/pod-level-resources';
import {
  amountsOf,
  containerRequests,
  effectiveLimits,
  isRestartableInit,
  type QosClass,
  type ResourceAmounts,
} from '../../api/pods';
import { NODE_CRITICAL_PRIORITY } from '../../api/priorities';
import type { Container, Pod } from '../../api/types';
import type { CgroupResources, SandboxGroup } from '../../runtime/container-runtime';
import type { CpuShare } from './cpu-share';
import { limitsOf } from './container-limits';
import { classOf, requestsOf } from './requests';

const PERIOD_MICROS = 100_000;
const QUOTA_MIN_MICROS = 1_000;
const SHARES_MIN = 2;
const SHARES_MAX = 262_144;
const GUARANTEED_OOM_SCORE = -997;

/** Limits of a container's cgroup. */
export const containerResources = (
  pod: Pod,
  container: Container,
  nodeMemoryBytes: number,
  share?: CpuShare,
): CgroupResources => {
  const requests = amountsOf(container.resources?.requests);
  const limits = limitsOf(pod, container);
  const oomScoreAdj = oomScoreAdjOf(pod, container, nodeMemoryBytes);
  // Who has processors to himself is held back by nothing else on them.
  const bounded = share?.isOwn === true ? { ...limits, cpuMillis: 0 } : limits;
  return {
    ...cgroupOf(requests, bounded),
    // Who has none in his pod is held back by the limit of that.
    ...(hasHugePages(pod) ? { hugePageBytes: hugePageBytesOf(limits) } : {}),
    oomScoreAdj,
    ...(share === undefined ? {} : { cpus: share.cpus }),
  };
};

/**
 * Limits of the cgroup that holds the whole pod; a limit applies when every container, or the pod itself,
 * has one. Processor time is not limited when `ownsCpus`: some are for one of its containers alone.
 */
export const podResources = (pod: Pod, pidsLimit: number, ownsCpus = false): CgroupResources => {
  const limits = effectiveLimits(pod.spec);
  const limitsCpu = !ownsCpus && isWholeLimited(pod, ({ cpuMillis }) => cpuMillis);
  const bounded = {
    ...limits,
    cpuMillis: limitsCpu ? limits.cpuMillis : 0,
    memoryBytes: podMemoryLimitBytes(pod),
  };
  const hugePageBytes = hugePageBytesOf(limits);
  return { ...cgroupOf(requestsOf(pod.spec), bounded), hugePageBytes, pidsLimit };
};

/** What all containers of a pod may have together; 0 when one of them may have any amount. */
export const podMemoryLimitBytes = (pod: Pod): number =>
  isWholeLimited(pod, ({ memoryBytes }) => memoryBytes) ? effectiveLimits(pod.spec).memoryBytes : 0;

const hasHugePages = ({ spec }: Pod): boolean =>
  Object.keys(hugePageBytesOf(effectiveLimits(spec))).length > 0;

/** By the size of one page. Nobody has any that he does not ask for. */
export const hugePageBytesOf = ({
  others,
}: Pick<ResourceAmounts, 'others'>): Readonly<Record<number, number>> =>
  Object.fromEntries(
    Object.entries(others).flatMap(([name, bytes]) => {
      const pageBytes = pageBytesOf(name);
      return pageBytes === undefined ? [] : [[pageBytes, bytes] as const];
    }),
  );

const isWholeLimited = ({ spec }: Pod, pick: (limits: ResourceAmounts) => number): boolean =>
  pick(amountsOf(podLevelList(spec, 'limits'))) > 0 ||
  [...spec.containers, ...(spec.initContainers ?? [])].every(
    ({ resources }) => pick(amountsOf(resources?.limits)) > 0,
  );

const sharesOf = (cpuMillis: number): number =>
  Math.min(SHARES_MAX, Math.max(SHARES_MIN, Math.floor((cpuMillis * 1024) / 1000)));

const cgroupOf = (requests: ResourceAmounts, limits: ResourceAmounts): CgroupResources => {
  const cpuMillis = requests.cpuMillis > 0 ? requests.cpuMillis : limits.cpuMillis;
  return {
    cpuShares: sharesOf(cpuMillis),
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

/** The cgroup of pods of a class of service; guaranteed ones are beside the groups of all others. */
export const groupOf = ({ spec }: Pod): SandboxGroup => GROUPS[classOf(spec)];

const GROUPS: Readonly<Record<QosClass, SandboxGroup>> = {
  Guaranteed: '',
  Burstable: 'burstable',
  BestEffort: 'besteffort',
};

/**
 * Pure: what the groups may have. Processors go to who asked for them, and what nobody asked for gets
 * what is left over. Source: upstream's qos_container_manager_linux.go and node_container_manager_linux.go.
 */
export const groupResources = (
  pods: readonly Pod[],
  allPods: { readonly cpuMillis: number; readonly memoryBytes: number },
): ReadonlyMap<SandboxGroup, CgroupResources> => {
  const asked = pods
    .filter((pod) => groupOf(pod) === 'burstable')
    .reduce((sum, { spec }) => sum + requestsOf(spec).cpuMillis, 0);
  const { cpuMillis, memoryBytes } = allPods;
  return new Map<SandboxGroup, CgroupResources>([
    ['', { cpuShares: sharesOf(cpuMillis), memoryLimitBytes: memoryBytes }],
    ['burstable', { cpuShares: sharesOf(asked) }],
    ['besteffort', { cpuShares: SHARES_MIN }],
  ]);
};

/**
 * Who dies first when the machine runs out of memory. A negative value needs a privilege that an agent in
 * a container may not have; without it such pods still come after all others. Source: upstream's
 * pkg/kubelet/qos/policy.go.
 */
const oomScoreAdjOf = (pod: Pod, container: Container, nodeMemoryBytes: number): number => {
  if ((pod.spec.priority ?? 0) >= NODE_CRITICAL_PRIORITY) return GUARANTEED_OOM_SCORE;
  switch (classOf(pod.spec)) {
    case 'Guaranteed':
      return GUARANTEED_OOM_SCORE;
    case 'BestEffort':
      return 1000;
    case 'Burstable': {
      const requestBytes = (each: Container) => amountsOf(each.resources?.requests).memoryBytes;
      // A sidecar does not die before those that it is there for.
      const bytes = isRestartableInit(container)
        ? Math.max(requestBytes(container), Math.min(...pod.spec.containers.map(requestBytes)))
        : requestBytes(container);
      const share = (1000 * (bytes + spareBytes(pod.spec))) / Math.max(1, nodeMemoryBytes);
      return Math.min(999, Math.max(1000 + GUARANTEED_OOM_SCORE, 1000 - Math.floor(share)));
    }
  }
};

/** For each container, of what the pod itself asks for beyond what its containers do. */
const spareBytes = (spec: Pod['spec']): number => {
  const own = amountsOf(podLevelList(spec, 'requests')).memoryBytes;
  if (own === 0) return 0;
  const count = spec.containers.length + (spec.initContainers ?? []).length;
  return Math.floor((own - containerRequests(spec).memoryBytes) / count);
};
