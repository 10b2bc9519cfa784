import { podLevelList } from '../../../api/pod-level-resources';
import { withContainers } from '../../../api/pod-resources';
import { requestPhases, type ResourceAmounts } from '../../../api/pods';
import { approximateBytes, formatBytes, formatCpuMillis } from '../../../api/quantity';
import { isHugePages } from '../../../api/resource-names';
import type { PodSpec } from '../../../api/types';
import type { NodeInfo, NodeView } from '../node-info';
import { exactAllocatable, exactRequest, exactRequested } from '../exact-amounts';
import { withSpec, type PodInfo } from '../pod-info';
import {
  COST,
  removalRemedy,
  type FilterPlugin,
  type FilterTerm,
  type Finding,
  type Remedy,
} from './plugin';
import { ownAmount } from './resource-allocation';

/** Extended resources that somebody else sees to: by name, and by what stands before the slash. */
export interface IgnoredResources {
  readonly ignoredResources: readonly string[];
  readonly ignoredResourceGroups: readonly string[];
}

/** Keeps pods off nodes whose free amounts do not cover their requests, or that hold too many pods. */
export const nodeResourcesFit = ({
  ignoredResources,
  ignoredResourceGroups,
}: IgnoredResources): FilterPlugin => {
  const names = new Set(ignoredResources);
  const groups = new Set(ignoredResourceGroups);
  const isIgnored = (name: string) =>
    isExtended(name) && (names.has(name) || groups.has(name.split('/')[0] ?? ''));
  const isAnyIgnored = names.size + groups.size > 0;
  return {
    name: 'NodeResourcesFit',
    scope: 'node',
    wakeOn: ['PodRemoved', 'NodeAllocatableChanged'],
    prepare: (pod) => termOf(isAnyIgnored ? asking(pod, (name) => !isIgnored(name)) : pod),
  };
};

/** The pod as if it asked for none of the other resources but these. */
const asking = (pod: PodInfo, isAsked: (name: string) => boolean): PodInfo => {
  const { others } = pod.requests;
  const kept = Object.fromEntries(Object.entries(others).filter(([name]) => isAsked(name)));
  return { ...pod, requests: { ...pod.requests, others: kept } };
};

/** Upstream's IsExtendedResourceName: a name of somebody's domain, not Kubernetes' own. */
const isExtended = (name: string): boolean =>
  name.includes('/') && !(name.split('/')[0] ?? '').endsWith('kubernetes.io');

const termOf = (pod: PodInfo): FilterTerm => ({
  refuse(node) {
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

  explain: (node) => shortagesOf(pod, node).map((shortage) => findingOf(pod, node, shortage)),

  remedies(node) {
    const shortages = shortagesOf(pod, node);
    return [...removals(pod, shortages, node), ...smallerRequests(pod, shortages, node)];
  },
});

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
    const total = ownAmount(allocatable.others, name);
    if (wanted > 0 && wanted > total - node.requestedOther(name)) return false;
  }
  return true;
};

const shortagesOf = ({ requests }: PodInfo, node: NodeView): readonly Shortage[] => {
  const { allocatable: has } = node;
  const others = Object.entries(requests.others).map(([name, wanted]) => ({
    ...shortage(name, wanted, node.requestedOther(name), ownAmount(has.others, name)),
    amountOf: (pod: PodInfo) => pod.requests.others[name] ?? 0,
  }));
  return [
    {
      ...shortage('pods', 1, node.pods.size, node.podCountMax),
      reason: 'Too many pods',
      amountOf: () => 1,
    },
    {
      ...shortage('cpu', requests.cpuMillis, node.requestedCpuMillis, has.cpuMillis),
      amountOf: (pod: PodInfo) => pod.requests.cpuMillis,
    },
    {
      ...shortage('memory', requests.memoryBytes, node.requestedMemoryBytes, has.memoryBytes),
      amountOf: (pod: PodInfo) => pod.requests.memoryBytes,
    },
    {
      ...shortage(
        'ephemeral-storage',
        requests.ephemeralStorageBytes,
        node.requestedStorageBytes,
        has.ephemeralStorageBytes,
      ),
      amountOf: (pod: PodInfo) => pod.requests.ephemeralStorageBytes,
    },
    ...others,
  ].filter(({ wanted, free }) => wanted > 0 && wanted > free);
};

const shortage = (resource: string, wanted: number, used: number, total: number) => ({
  resource,
  reason: `Insufficient ${resource}`,
  wanted,
  free: total - used,
  total,
});

/** An amount as a person writes it: exact, but for long ones of bytes, which are rounded the safe way. */
const amount = (resource: string, value: bigint, round: (value: number) => number): string => {
  if (resource === 'cpu') return formatCpuMillis(value);
  const isAmountOfBytes = isBytes(resource) || isHugePages(resource);
  return isAmountOfBytes ? approximateBytes(value, round) : String(value);
};

interface ExactShortage {
  readonly wanted: bigint;
  readonly free: bigint;
  readonly total: bigint;
}

/** For words: what numbers that are compared say from 2^53 on is not what anybody wrote. */
const exactly = (pod: PodInfo, node: NodeView, { resource }: Shortage): ExactShortage => {
  const total = exactAllocatable(node, resource);
  return {
    ...{ wanted: exactRequest(pod, resource), total },
    free: total - exactRequested(node, resource),
  };
};

/** What a pod may ask for less of by itself: of huge pages its request is its limit. */
const isBytes = (resource: string): boolean =>
  resource === 'memory' || resource === 'ephemeral-storage';

const findingOf = (pod: PodInfo, node: NodeView, shortage: Shortage): Finding => {
  const { resource, reason } = shortage;
  if (resource === 'pods')
    return { reason, detail: `holds ${node.pods.size} of ${node.podCountMax} pods` };
  const { wanted, free, total } = exactly(pod, node, shortage);
  const down = (value: bigint) => amount(resource, value > 0n ? value : 0n, Math.floor);
  const up = (value: bigint) => amount(resource, value, Math.ceil);
  const needed = `${up(wanted)} needed${needsMostInInit(pod, resource) ? ' in init phase' : ''}`;
  if (total === 0n) return { reason, detail: `${resource}: ${needed}, the node has none` };
  const detail =
    wanted > total
      ? `${needed}, the whole node has ${down(total)}: lacks ${up(wanted - total)}`
      : `${needed}, ${down(free)} free: lacks ${up(wanted - (free > 0n ? free : 0n))}`;
  return { reason, detail: `${resource}: ${detail}${holdersOf(node, shortage)}` };
};

/** Who has most of what is lacking. */
const holdersOf = ({ pods }: NodeView, { resource, wanted, total, amountOf }: Shortage): string => {
  const holders = [...pods.values()].filter((pod) => amountOf(pod) > 0);
  if (wanted > total || holders.length === 0) return '';
  const shown = holders
    .sort((a, b) => amountOf(b) - amountOf(a) || (a.key < b.key ? -1 : 1))
    .slice(0, HOLDERS_SHOWN_MAX)
    .map((pod) => `${pod.key} (${amount(resource, exactRequest(pod, resource), Math.ceil)})`);
  const more = holders.length - shown.length;
  return `; held by ${shown.join(', ')}${more === 0 ? '' : ` and ${more} more`}`;
};

const needsMostInInit = ({ pod }: PodInfo, resource: string): boolean => {
  const { init, main } = requestPhases(pod.spec);
  if (resource === 'cpu') return init.cpuMillis > main.cpuMillis;
  return resource === 'memory' && init.memoryBytes > main.memoryBytes;
};

const removals = (
  pod: PodInfo,
  shortages: readonly Shortage[],
  node: NodeInfo,
): readonly Remedy[] => {
  if (shortages.some(({ wanted, total }) => wanted > total)) return [];
  const pods = smallestCover(shortages, [...node.pods.values()]);
  if (pods === undefined) return [];
  const lacking = shortages.map((shortage) => {
    const { resource } = shortage;
    if (resource === 'pods') return 'one pod';
    const { wanted, free } = exactly(pod, node, shortage);
    return `${amount(resource, wanted - free, Math.ceil)} ${resource}`;
  });
  return [
    removalRemedy(
      `free ${lacking.join(' and ')} on ${node.name}`,
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

/**
 * Only where the pod itself asks for all that is lacking, or one container's requests are the whole matter:
 * otherwise there is no single figure.
 */
const smallerRequests = (
  pod: PodInfo,
  shortages: readonly Shortage[],
  node: NodeView,
): readonly Remedy[] => {
  const { spec } = pod.pod;
  const withRequests = requestsSetter(
    spec,
    shortages.map(({ resource }) => resource),
  );
  if (withRequests === undefined) return [];
  const changes = shortages.map((shortage) => {
    const { resource } = shortage;
    const { wanted, free } = exactly(pod, node, shortage);
    const to = resource === 'cpu' ? formatCpuMillis(free) : formatBytes(wholeMebibytes(free));
    return { resource, from: amount(resource, wanted, Math.ceil), to, free };
  });
  const isPossible = changes.every(
    ({ resource, to, free }) =>
      (resource === 'cpu' || isBytes(resource)) && free > 0n && to !== '0',
  );
  if (!isPossible || changes.length === 0) return [];
  const requests = Object.fromEntries(changes.map(({ resource, to }) => [resource, to]));
  const words = changes.map(
    ({ resource, from, to }) => `the ${resource} request from ${from} to ${to}`,
  );
  return [
    {
      words: `lower ${words.join(' and ')}`,
      cost: COST.request + shareLost(shortages),
      target: 'pod',
      apply: ({ pod: before, node }) => ({
        pod: withSpec(before, withRequests(before.pod.spec, requests)),
        node,
      }),
    },
  ];
};

/** How much of the requests is given up, from 0 to 1 for each. */
const shareLost = (shortages: readonly Shortage[]): number =>
  shortages.reduce((sum, { wanted, free }) => sum + (wanted - free) / wanted, 0);

/** A figure that a person can type. */
const wholeMebibytes = (bytes: bigint): bigint =>
  bytes < 1024n * MEBIBYTE ? bytes : (bytes / MEBIBYTE) * MEBIBYTE;

type Texts = Readonly<Record<string, string>>;

/** How the pod comes to ask for other amounts of the resources, where one place says how much. */
const requestsSetter = (
  spec: PodSpec,
  names: readonly string[],
): ((spec: PodSpec, requests: Texts) => PodSpec) | undefined => {
  const own = podLevelList(spec, 'requests');
  const ownCount = names.filter((name) => own[name] !== undefined).length;
  if (ownCount > 0) return ownCount === names.length ? withRequests : undefined;
  const isAlone = spec.containers.length === 1 && (spec.initContainers ?? []).length === 0;
  return isAlone
    ? (before, requests) => withContainers(before, (container) => withRequests(container, requests))
    : undefined;
};

const withRequests = <T extends Pick<PodSpec, 'resources'>>(holder: T, requests: Texts): T => ({
  ...holder,
  resources: {
    ...holder.resources,
    requests: { ...holder.resources?.requests, ...requests },
  },
});

const MEBIBYTE = 1024n * 1024n;
const HOLDERS_SHOWN_MAX = 2;
const REMOVALS_MAX = 5;
