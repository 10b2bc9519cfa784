import { matchesNodeAffinity } from '../../api/node-affinity';
import { countedSpec } from '../../api/pod-resources';
import {
  addAmounts,
  amountsOf,
  hostPortsClash,
  hostPortsOf,
  NO_RESOURCES,
  type ResourceAmounts,
} from '../../api/pods';
import { isHugePages } from '../../api/resource-names';
import { firstUntolerated } from '../../api/taints';
import type { Pod, Taint } from '../../api/types';
import { requestsOf } from '../pod-spec/requests';
import type { PodEnding } from './status';

/** Of a Node, what decides whether a pod may be on it. */
export interface AdmittingNode {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly taints: readonly Taint[];
}

export interface AdmissionInput {
  readonly pod: Pod;
  /** Those that take room on the node already. */
  readonly others: readonly Pod[];
  /** A Node's `status.allocatable`. */
  readonly allocatable: Readonly<Record<string, string>>;
  /** Undefined until the server has said: then only resources and ports count. */
  readonly node: AdmittingNode | undefined;
}

export interface Refusal extends PodEnding {
  /** It rests on labels or taints, which may be older here than the pod's placement. */
  readonly mayBeStale?: true;
}

/**
 * Why the pod cannot run here, by the rules that the scheduler uses too, with the kubelet's reasons,
 * messages and order (pkg/kubelet/lifecycle/predicate.go); undefined when it can. Pure.
 */
export const refuseToAdmit = (input: AdmissionInput): Refusal | undefined => {
  const refusal =
    otherSystem(input) ?? shortageOf(input) ?? otherNode(input) ?? takenPort(input) ?? taint(input);
  if (refusal === undefined) return undefined;
  return { ...refusal, message: `Pod was rejected: ${refusal.message}` };
};

const otherSystem = ({ pod }: AdmissionInput): Refusal | undefined => {
  const { os, nodeSelector } = pod.spec;
  if (nodeSelector?.['kubernetes.io/os'] !== undefined && nodeSelector[OS_LABEL] !== 'linux')
    return {
      reason: 'PodOSSelectorNodeLabelDoesNotMatch',
      message: "Failed to admit pod as the `kubernetes.io/os` label doesn't match node label",
    };
  if (os !== undefined && os.name !== 'linux')
    return {
      reason: 'PodOSNotSupported',
      message: "Failed to admit pod as the OS field doesn't match node OS",
    };
  return undefined;
};

/**
 * Resources that the node does not count, such as ones only a device plugin would know, are let pass; of
 * huge pages that it does not count it has none.
 */
export const shortageOf = ({
  pod,
  others,
  allocatable,
}: Pick<AdmissionInput, 'pod' | 'others' | 'allocatable'>): Refusal | undefined => {
  const free = countsOf(amountsOf(allocatable));
  const wanted = countsOf(requestsOf(pod.spec), 1);
  const used = countsOf(
    others.map((each) => requestsOf(countedSpec(each))).reduce(addAmounts, NO_RESOURCES),
    others.length,
  );
  for (const [resource, requested] of wanted) {
    const isCounted = allocatable[resource] !== undefined || isHugePages(resource);
    if (!isCounted || requested === 0) continue;
    const capacity = free.get(resource) ?? 0;
    const usedNow = used.get(resource) ?? 0;
    if (usedNow + requested <= capacity) continue;
    return {
      reason: `OutOf${resource}`,
      message:
        `Node didn't have enough resource: ${resource}, ` +
        `requested: ${requested}, used: ${usedNow}, capacity: ${capacity}`,
    };
  }
  return undefined;
};

/** By name, in the order that the kubelet looks at them. */
const countsOf = (
  { cpuMillis, memoryBytes, ephemeralStorageBytes, others }: ResourceAmounts,
  podCount?: number,
): ReadonlyMap<string, number> =>
  new Map([
    ...(podCount === undefined ? [] : [['pods', podCount] as const]),
    ['cpu', cpuMillis],
    ['memory', memoryBytes],
    ['ephemeral-storage', ephemeralStorageBytes],
    ...Object.entries(others),
  ]);

const otherNode = ({ pod, node }: AdmissionInput): Refusal | undefined => {
  if (node === undefined) return undefined;
  const { name, labels } = node;
  if (matchesNodeAffinity(pod.spec, { metadata: { name, labels } })) return undefined;
  const message = "node(s) didn't match Pod's node affinity/selector";
  return { ...predicate('NodeAffinity', message), mayBeStale: true };
};

const takenPort = ({ pod, others }: AdmissionInput): Refusal | undefined => {
  const taken = others.flatMap(({ spec }) => hostPortsOf(spec));
  const clashes = hostPortsOf(pod.spec).some((port) =>
    taken.some((other) => hostPortsClash(port, other)),
  );
  return clashes
    ? predicate('NodePorts', "node(s) didn't have free ports for the requested pod ports")
    : undefined;
};

/** Only what evicts counts here: a pod may be named onto a node that the scheduler would avoid. */
const taint = ({ pod, node }: AdmissionInput): Refusal | undefined => {
  if (firstUntolerated(pod.spec.tolerations, node?.taints ?? [], ['NoExecute']) === undefined)
    return undefined;
  const message = "node(s) had taints that the pod didn't tolerate";
  return { ...predicate('TaintToleration', message), mayBeStale: true };
};

const predicate = (reason: string, message: string): PodEnding => ({
  reason,
  message: `Predicate ${reason} failed: ${message}`,
});

const OS_LABEL = 'kubernetes.io/os';
