import { arch } from 'node:process';

import { hugePagesOf } from '../../api/huge-pages';
import { KUBERNETES_VERSION } from '../../api/release';
import { formatBytes, formatCpuMillis } from '../../api/quantity';
import type { Node, NodeCondition } from '../../api/types';
import type { LocalImage } from '../../runtime/image-service';
import type { DeviceCounts } from '../devices/device-manager';
import type { HandlerInfo } from '../../runtime/container-runtime';
import { CONDITION_WORDS, type NodePressure } from '../eviction/thresholds';
import type { HostFacts } from './host';
import { pooledBytes, type HugePagePools } from './huge-pages';
import type { Reserved } from './reserved';

const MAX_LISTED_IMAGES = 50;

export interface NodeStatusInput {
  readonly facts: HostFacts;
  readonly nodeName: string;
  readonly nodeIps: readonly string[];
  readonly version: string;
  readonly hugePages: HugePagePools;
  /** What pods may not have. */
  readonly unallocatable: Reserved;
  readonly maxPods: number;
  readonly diskTotalBytes: number;
  readonly pressures: ReadonlySet<NodePressure>;
  readonly images: readonly LocalImage[];
  readonly devices: DeviceCounts;
  /** The first is the default. */
  readonly handlers: readonly HandlerInfo[];
  /** Attachable ones that pods have, or may still have. */
  readonly volumesInUse: readonly string[];
  /** Why pods cannot run here for now; undefined: they can. */
  readonly notReady: string | undefined;
}

/** Pure: `status` of this node. */
export const nodeStatusOf = (input: NodeStatusInput): Node['status'] => ({
  capacity: {
    ...resourceList(input, NOTHING),
    ...countsOfPages(input.hugePages),
    ...input.devices.capacity,
  },
  allocatable: allocatableOf(input),
  addresses: [
    ...input.nodeIps.map((address) => ({ type: 'InternalIP', address })),
    { type: 'Hostname', address: input.nodeName },
  ],
  conditions: conditionsOf(input),
  nodeInfo: {
    machineID: input.facts.machineId,
    systemUUID: input.facts.machineId,
    bootID: input.facts.bootId,
    kernelVersion: input.facts.kernelVersion,
    osImage: input.facts.osImage,
    containerRuntimeVersion: `dhow://${input.version}`,
    kubeletVersion: `${KUBERNETES_VERSION}-dhow.${input.version}`,
    kubeProxyVersion: '',
    operatingSystem: 'linux',
    architecture: ARCHITECTURE[arch] ?? arch,
  },
  ...(input.volumesInUse.length === 0 ? {} : { volumesInUse: [...input.volumesInUse] }),
  runtimeHandlers: runtimeHandlersOf(input.handlers),
  images: [...input.images]
    .sort((a, b) => b.sizeBytes - a.sizeBytes)
    .slice(0, MAX_LISTED_IMAGES)
    .map(({ repoDigests, references, sizeBytes }) => ({
      names: [...repoDigests, ...references].slice(0, 5),
      sizeBytes,
    })),
});

/** The one without a name is what pods without a class get. */
const runtimeHandlersOf = (
  handlers: readonly HandlerInfo[],
): NonNullable<Node['status']['runtimeHandlers']> =>
  [...handlers.slice(0, 1).map((info) => ({ ...info, name: '' })), ...handlers].map(
    ({ name, features: { recursiveReadOnlyMounts, userNamespaces } }) => ({
      name,
      features: { recursiveReadOnlyMounts, userNamespaces },
    }),
  );

/** What pods may take. */
export const allocatableOf = (
  input: ResourceInput & Pick<NodeStatusInput, 'unallocatable' | 'devices'>,
): Readonly<Record<string, string>> => ({
  ...resourceList(input, {
    ...input.unallocatable,
    // No other memory can be had from what is set apart.
    memoryBytes: input.unallocatable.memoryBytes + pooledBytes(input.hugePages),
  }),
  ...countsOfPages(input.hugePages),
  ...input.devices.allocatable,
});

export const defaultLabels = (nodeName: string): Readonly<Record<string, string>> => ({
  'kubernetes.io/hostname': nodeName,
  'kubernetes.io/os': 'linux',
  'kubernetes.io/arch': ARCHITECTURE[arch] ?? arch,
  'beta.kubernetes.io/os': 'linux',
  'beta.kubernetes.io/arch': ARCHITECTURE[arch] ?? arch,
});

const ARCHITECTURE: Partial<Record<string, string>> = { x64: 'amd64', arm64: 'arm64' };

type ResourceInput = Pick<NodeStatusInput, 'facts' | 'maxPods' | 'diskTotalBytes' | 'hugePages'>;

const resourceList = (
  { facts, maxPods, diskTotalBytes }: ResourceInput,
  reserved: Reserved,
): Readonly<Record<string, string>> => ({
  cpu: formatCpuMillis(Math.max(0, facts.cpuMillis - reserved.cpuMillis)),
  memory: formatBytes(Math.max(0, facts.memoryBytes - reserved.memoryBytes)),
  'ephemeral-storage': formatBytes(Math.max(0, diskTotalBytes - reserved.ephemeralStorageBytes)),
  pods: String(maxPods),
});

/** By resource name. */
const countsOfPages = (pools: HugePagePools): Readonly<Record<string, string>> =>
  Object.fromEntries(
    [...pools].map(([pageBytes, count]) => [
      hugePagesOf(pageBytes),
      formatBytes(pageBytes * count),
    ]),
  );

const conditionsOf = ({ pressures, notReady }: NodeStatusInput): readonly NodeCondition[] => [
  ...PRESSURES.map((type) => pressure(type, pressures.has(type))),
  notReady === undefined
    ? {
        type: 'Ready',
        status: 'True',
        reason: 'KubeletReady',
        message: 'kubelet is posting ready status',
      }
    : { type: 'Ready', status: 'False', reason: 'KubeletNotReady', message: notReady },
];

const PRESSURES: readonly NodePressure[] = ['MemoryPressure', 'DiskPressure', 'PIDPressure'];

/** What the kubelet has; while all is well, and while it is not. */
const MESSAGES: Readonly<Record<NodePressure, readonly [string, string]>> = {
  MemoryPressure: ['sufficient memory available', 'insufficient memory available'],
  DiskPressure: ['no disk pressure', 'disk pressure'],
  PIDPressure: ['sufficient PID available', 'insufficient PID available'],
};

const pressure = (type: NodePressure, isPressed: boolean): NodeCondition => ({
  type,
  status: isPressed ? 'True' : 'False',
  reason: `Kubelet${CONDITION_WORDS[type][isPressed ? 1 : 0]}`,
  message: `kubelet has ${MESSAGES[type][isPressed ? 1 : 0]}`,
});

const NOTHING: Reserved = { cpuMillis: 0, memoryBytes: 0, ephemeralStorageBytes: 0 };
