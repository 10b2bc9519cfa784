import { requestPhases, type ResourceAmounts } from '../../../api/pods';
import { formatBytes, formatCpuMillis } from '../../../api/quantity';
import type { Container, PodSpec } from '../../../api/types';
import type { NodeInfo, NodeView } from '../node-info';
import { withSpec, type PodInfo } from '../pod-info';
import { COST, removalRemedy, type FilterPlugin, type Finding, type Remedy } from './plugin';

/** Keeps pods off nodes whose free amounts do not cover their requests, or that hold too many pods. */
export const nodeResourcesFit: FilterPlugin = {
  name: 'NodeResourcesFit',
  scope: 'node',
  wakeOn: ['PodRemoved', 'NodeAllocatableChanged'],

  filter(pod, node) {
    // The common case allocates nothing: this runs for every node of every attempt.
    if (node.pods.size < node.podCountMax && fitsAmounts(pod.requests, node)) return undefined;
    const lacking = shortagesOf(pod, node);
    const [first, ...rest] = lacking.map(({ reason }) => reason);
    if (first === undefined) return undefined;
    return {
      reasons: [first, ...rest],
      isPodBound: lacking.every(({ wanted, total }) => wanted <= total),
    };
  },

  explain: (pod, node) => shortagesOf(pod, node).map((shortage) => findingOf(pod, shortage)),

  remedies: (pod, node) => {
    const shortages = shortagesOf(pod, node);
    return [...removals(shortages, node), ...smallerRequests(pod, shortages)];
  },
};

/** One resource that does not suffice. */
interface Shortage {
  readonly resource: string;
  readonly reason: string;
  readonly wanted: number;
  readonly free: number;
  /** What the node could offer if it were empty. */
  readonly total: number;
  readonly amountOf: (pod: PodInfo) => number;
}

const fitsAmounts = (requests: ResourceAmounts, node: NodeView): boolean => {
  const { allocatable } = node;
  if (
    requests.cpuMillis > 0 &&
    requests.cpuMillis > allocatable.cpuMillis - node.requestedCpuMillis
  )
    return false;
  if (
    requests.memoryBytes > 0 &&
    requests.memoryBytes > allocatable.memoryBytes - node.requestedMemoryBytes
  )
    return false;
  if (
    requests.ephemeralStorageBytes > 0 &&
    requests.ephemeralStorageBytes > allocatable.ephemeralStorageBytes - node.requestedStorageBytes
  )
    return false;
  for (const name in requests.others) {
    const wanted = requests.others[name] ?? 0;
    const total = Object.hasOwn(allocatable.others, name) ? (allocatable.others[name] ?? 0) : 0;
    if (wanted > 0 && wanted > total - node.requestedOther(name)) return false;
  }
  return true;
};

const shortagesOf = (pod: PodInfo, node: NodeView): readonly Shortage[] => {
  const { requests } = pod;
  const { allocatable } = node;
  const shortages: Shortage[] = [];
  const check = (
    resource: string,
    wanted: number,
    used: number,
    total: number,
    amountOf: (pod: PodInfo) => number,
    reason = `Insufficient ${resource}`,
  ) => {
    const free = total - used;
    if (wanted > 0 && wanted > free) {
      shortages.push({ resource, reason, wanted, free, total, amountOf });
    }
  };
  check('pods', 1, node.pods.size, node.podCountMax, () => 1, 'Too many pods');
  check(
    'cpu',
    requests.cpuMillis,
    node.requestedCpuMillis,
    allocatable.cpuMillis,
    (each) => each.requests.cpuMillis,
  );
  check(
    'memory',
    requests.memoryBytes,
    node.requestedMemoryBytes,
    allocatable.memoryBytes,
    (each) => each.requests.memoryBytes,
  );
  check(
    'ephemeral-storage',
    requests.ephemeralStorageBytes,
    node.requestedStorageBytes,
    allocatable.ephemeralStorageBytes,
    (each) => each.requests.ephemeralStorageBytes,
  );
  for (const [name, wanted] of Object.entries(requests.others)) {
    const total = Object.hasOwn(allocatable.others, name) ? (allocatable.others[name] ?? 0) : 0;
    check(
      name,
      wanted,
      node.requestedOther(name),
      total,
      (each) => each.requests.others[name] ?? 0,
    );
  }
  return shortages;
};

/** An amount as a person writes it. */
const amount = (resource: string, value: number): string =>
  resource === 'cpu'
    ? formatCpuMillis(value)
    : resource === 'memory' || resource === 'ephemeral-storage'
      ? formatBytes(value)
      : String(value);

const findingOf = (pod: PodInfo, { resource, reason, wanted, free, total }: Shortage): Finding => {
  if (resource === 'pods') return { reason, detail: `holds ${total - free} of ${total} pods` };
  const show = (value: number) => amount(resource, Math.max(0, value));
  const inInit = needsMostInInit(pod, resource) ? ' in init phase' : '';
  const empty = wanted > total ? `, and ${show(total)} in all` : '';
  return {
    reason,
    detail:
      `${resource}: ${show(wanted)} needed${inInit}, ${show(free)} free` +
      `${empty}: lacks ${show(wanted - Math.max(0, free))}`,
  };
};

const needsMostInInit = ({ pod }: PodInfo, resource: string): boolean => {
  const { init, main } = requestPhases(pod.spec);
  if (resource === 'cpu') return init.cpuMillis > main.cpuMillis;
  return resource === 'memory' && init.memoryBytes > main.memoryBytes;
};

const removals = (shortages: readonly Shortage[], node: NodeInfo): readonly Remedy[] => {
  if (shortages.some(({ wanted, total }) => wanted > total)) return [];
  const pods = smallestCover(shortages, [...node.pods.values()]);
  if (pods === undefined) return [];
  const lacking = shortages.map(({ resource, wanted, free }) =>
    resource === 'pods' ? 'one pod' : `${amount(resource, wanted - free)} ${resource}`,
  );
  const names = pods.map(({ key }) => key).join(' and ');
  return [
    removalRemedy(
      `free ${lacking.join(' and ')} on ${node.name} (delete pod ${names})`,
      COST.deletePods + pods.length + Math.max(0, ...pods.map(({ priority }) => priority)),
      pods,
    ),
  ];
};

/** One pod that suffices, the smallest such; else a few, largest first. */
const smallestCover = (
  shortages: readonly Shortage[],
  pods: readonly PodInfo[],
): readonly PodInfo[] | undefined => {
  const covers = (chosen: readonly PodInfo[]) =>
    shortages.every(
      ({ wanted, free, amountOf }) =>
        chosen.reduce((sum, pod) => sum + amountOf(pod), free) >= wanted,
    );
  const weight = (pod: PodInfo) =>
    shortages.reduce((sum, { amountOf, wanted }) => sum + amountOf(pod) / wanted, 0);
  const ordered = [...pods].sort(
    (a, b) => a.priority - b.priority || weight(a) - weight(b) || (a.key < b.key ? -1 : 1),
  );
  const single = ordered.find((pod) => covers([pod]));
  if (single !== undefined) return [single];
  const chosen: PodInfo[] = [];
  for (const pod of ordered.sort((a, b) => weight(b) - weight(a)).slice(0, REMOVALS_MAX)) {
    chosen.push(pod);
    if (covers(chosen)) return chosen;
  }
  return undefined;
};

/** Only where one container's request is the whole matter: otherwise there is no single figure. */
const smallerRequests = (pod: PodInfo, shortages: readonly Shortage[]): readonly Remedy[] => {
  const { spec } = pod.pod;
  const [shortage, ...others] = shortages;
  if (shortage === undefined || others.length > 0) return [];
  const { resource, wanted, free } = shortage;
  if ((resource !== 'cpu' && resource !== 'memory') || free <= 0) return [];
  if (spec.containers.length !== 1 || (spec.initContainers ?? []).length > 0) return [];
  const to = amount(resource, free);
  return [
    {
      words: `lower the ${resource} request from ${amount(resource, wanted)} to ${to}`,
      cost: COST.request + (wanted - free) / wanted,
      target: 'pod',
      apply: ({ pod: before, node }) => ({
        pod: withSpec(before, withRequest(before.pod.spec, resource, to)),
        node,
      }),
    },
  ];
};

const withRequest = (spec: PodSpec, resource: string, value: string): PodSpec => ({
  ...spec,
  containers: spec.containers.map((container): Container => ({
    ...container,
    resources: {
      ...container.resources,
      requests: { ...container.resources?.requests, [resource]: value },
    },
  })),
});

const REMOVALS_MAX = 5;
