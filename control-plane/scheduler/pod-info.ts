import { podLevelList } from '../../api/pod-level-resources';
import { countedSpec, withContainers } from '../../api/pod-resources';
import {
  effectiveRequests,
  hostPortsOf,
  isTerminating,
  type HostPort,
  type ResourceAmounts,
} from '../../api/pods';
import { runtimeHandlerOf } from '../../api/runtime-handlers';
import type { Labels } from '../../api/selectors';
import { keyOf, type Pod, type PodSpec } from '../../api/types';
import { claimKeysOf } from '../../api/volumes';
import { imageKey } from './images';
import { hashText } from './hash';
import { podAffinityOf, type PodAffinityTerms } from './pod-affinity';
import type { PodVolumes } from './volumes/pod-volumes';

/** A pod with what scheduling reads worked out once. Immutable. */
export interface PodInfo {
  readonly pod: Pod;
  readonly uid: string;
  readonly namespace: string;
  /** `namespace/name` */
  readonly key: string;
  readonly labels: Labels;
  /** On its way out: it takes room, but is no company. */
  readonly isTerminating: boolean;
  readonly priority: number;
  readonly requests: ResourceAmounts;
  /** Requests with upstream's defaults where a container names none: what scores spread by. */
  readonly scoringCpuMillis: number;
  readonly scoringMemoryBytes: number;
  readonly hostPorts: readonly HostPort[];
  /** Normalised image names of all containers. */
  readonly images: readonly string[];
  /** What its RuntimeClass needs a node to have; `''`: nothing. */
  readonly runtimeHandler: string;
  /** `NAMESPACE/NAME` of the claims that it uses. */
  readonly claims: readonly string[];
  /** What it wishes of other pods; absent where it wishes nothing. */
  readonly affinity?: PodAffinityTerms;
  /** What is behind them now; absent where there are none, and of pods that have a node. */
  readonly volumes?: PodVolumes;
  /** Part of the tie break. */
  readonly hash: number;
}

export const podInfoOf = (pod: Pod): PodInfo => {
  const uid = pod.metadata.uid ?? keyOf(pod);
  const affinity = podAffinityOf(pod);
  const counted = countedSpec(pod);
  const scoring = effectiveRequests(withDefaultRequests(counted));
  const containers = [...(pod.spec.initContainers ?? []), ...pod.spec.containers];
  return {
    pod,
    uid,
    namespace: pod.metadata.namespace ?? '',
    key: keyOf(pod),
    labels: pod.metadata.labels ?? {},
    isTerminating: isTerminating(pod),
    priority: pod.spec.priority ?? 0,
    requests: effectiveRequests(counted),
    scoringCpuMillis: scoring.cpuMillis,
    scoringMemoryBytes: scoring.memoryBytes,
    hostPorts: hostPortsOf(pod.spec),
    images: containers.flatMap(({ image }) => (image === undefined ? [] : [imageKey(image)])),
    runtimeHandler: runtimeHandlerOf(pod),
    claims: claimKeysOf(pod),
    ...(affinity === undefined ? {} : { affinity }),
    hash: hashText(uid),
  };
};

/** The same pod with another spec: what a suggestion tries out. */
export const withSpec = ({ pod, volumes }: PodInfo, spec: PodSpec): PodInfo => ({
  ...podInfoOf({ ...pod, spec }),
  ...(volumes === undefined ? {} : { volumes }),
});

/** Not to be tried yet: somebody still has to lift a scheduling gate. */
export const isGated = ({ pod }: Pick<PodInfo, 'pod'>): boolean =>
  (pod.spec.schedulingGates ?? []).length > 0;

const withDefaultRequests = (spec: PodSpec): PodSpec => {
  const defaults = defaultsFor(spec);
  return withContainers(spec, (container) => ({
    ...container,
    resources: {
      ...container.resources,
      requests: { ...defaults, ...container.resources?.requests },
    },
  }));
};

/**
 * Upstream's getNonMissingContainerRequests: pods that ask for nothing must still spread. One that asks for
 * something itself lacks only what none of its containers asks for either.
 */
const defaultsFor = (spec: PodSpec): Readonly<Record<string, string>> => {
  const own = podLevelList(spec, 'requests');
  if (Object.keys(own).length === 0) return DEFAULT_REQUESTS;
  const asked = Object.assign(
    { ...own, ...spec.overhead },
    ...[...spec.containers, ...(spec.initContainers ?? [])].map((each) => each.resources?.requests),
  ) as Readonly<Record<string, string>>;
  return Object.fromEntries(
    Object.entries(DEFAULT_REQUESTS).filter(([name]) => asked[name] === undefined),
  );
};

const DEFAULT_REQUESTS = { cpu: '100m', memory: '200Mi' };
