import { hasPodLevelResources } from '../../api/pod-level-resources';
import { amountsOf, isRestartableInit } from '../../api/pods';
import type { Container, Pod } from '../../api/types';
import { classOf } from '../pod-spec/requests';
import { without, type CpuList } from './cpu-list';
import { takeCpus } from './take-cpus';
import type { CpuTopology } from './topology';

/** Of one pod, the processors that are a container's own, by its name. */
export type PodCpus = Readonly<Record<string, CpuList>>;

export type CpuPlan =
  | { readonly fits: true; readonly cpus: PodCpus }
  | { readonly fits: false; readonly requestedCount: number; readonly availableCount: number };

/**
 * How many processors are to be the container's own: whole ones of a pod that is guaranteed all that it asks
 * for, and whose containers alone ask; 0: it shares. Source: guaranteedCPUs of policy_static.go
 */
export const ownCpuCount = (pod: Pod, { resources }: Container): number => {
  if (classOf(pod.spec) !== 'Guaranteed' || hasPodLevelResources(pod.spec)) return 0;
  const { cpuMillis } = amountsOf(resources?.requests);
  return cpuMillis % 1000 === 0 ? cpuMillis / 1000 : 0;
};

/**
 * Pure: what each container of a pod gets out of `free`. What an init container has had, those after it get
 * again: it has ended by then, unless it is one that runs on.
 */
export const planCpus = (topology: CpuTopology, free: CpuList, pod: Pod): CpuPlan => {
  const cpus: Record<string, CpuList> = {};
  let left = free;
  let again: CpuList = [];
  const { initContainers = [], containers } = pod.spec;
  for (const container of [...initContainers, ...containers]) {
    const count = ownCpuCount(pod, container);
    if (count === 0) continue;
    const reused = takeCpus(topology, again, Math.min(count, again.length)) ?? [];
    const fresh = takeCpus(topology, left, count - reused.length);
    if (fresh === undefined)
      return {
        fits: false,
        requestedCount: count,
        availableCount: left.length + again.length,
      };
    const own = [...reused, ...fresh].sort((a, b) => a - b);
    cpus[container.name] = own;
    left = without(left, fresh);
    const endsFirst = initContainers.includes(container) && !isRestartableInit(container);
    again = endsFirst
      ? [...new Set([...again, ...own])].sort((a, b) => a - b)
      : without(again, own);
  }
  return { fits: true, cpus };
};

/** Of the processors that one may reserve, those that are taken when none are named. */
export const reserveCpus = (topology: CpuTopology, cpuMillis: number): CpuList | undefined =>
  takeCpus(
    topology,
    topology.map(({ id }) => id),
    Math.ceil(cpuMillis / 1000),
  );
