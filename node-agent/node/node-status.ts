import { arch } from 'node:process';

import { KUBERNETES_VERSION } from '../../api/release';
import { formatBytes, formatCpuMillis } from '../../api/quantity';
import type { Node, NodeCondition } from '../../api/types';
import type { LocalImage } from '../../runtime/image-service';
import { RUNTIME_HANDLERS } from '../pod-spec/runtime-handler';
import type { HostFacts } from './host';

const MAX_LISTED_IMAGES = 50;
const MEMORY_PRESSURE_BYTES = 100 * 1024 * 1024;
const DISK_PRESSURE_SHARE = 0.1;
const PIDS_PRESSURE_SHARE = 0.9;

export interface NodeStatusInput {
  readonly facts: HostFacts;
  readonly nodeName: string;
  readonly nodeIp: string;
  readonly version: string;
  readonly reservedCpuMillis: number;
  readonly reservedMemoryBytes: number;
  readonly maxPods: number;
  readonly diskTotalBytes: number;
  readonly diskFreeBytes: number;
  readonly memoryAvailableBytes: number;
  readonly processCount: number;
  readonly pidMax: number;
  readonly images: readonly LocalImage[];
  /** Why pods cannot run here for now; undefined: they can. */
  readonly notReady: string | undefined;
}

/** Pure: `status` of this node. */
export const nodeStatusOf = (input: NodeStatusInput): Node['status'] => ({
  capacity: resourceList(input, 0, 0),
  allocatable: allocatableOf(input),
  addresses: [
    { type: 'InternalIP', address: input.nodeIp },
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
  // The first is what pods without a class get.
  runtimeHandlers: ['', ...RUNTIME_HANDLERS].map((name) => ({ name })),
  images: [...input.images]
    .sort((a, b) => b.sizeBytes - a.sizeBytes)
    .slice(0, MAX_LISTED_IMAGES)
    .map(({ repoDigests, references, sizeBytes }) => ({
      names: [...repoDigests, ...references].slice(0, 5),
      sizeBytes,
    })),
});

/** What pods may take. */
export const allocatableOf = (
  input: ResourceInput & Pick<NodeStatusInput, 'reservedCpuMillis' | 'reservedMemoryBytes'>,
): Readonly<Record<string, string>> =>
  resourceList(input, input.reservedCpuMillis, input.reservedMemoryBytes);

export const defaultLabels = (nodeName: string): Readonly<Record<string, string>> => ({
  'kubernetes.io/hostname': nodeName,
  'kubernetes.io/os': 'linux',
  'kubernetes.io/arch': ARCHITECTURE[arch] ?? arch,
  'beta.kubernetes.io/os': 'linux',
  'beta.kubernetes.io/arch': ARCHITECTURE[arch] ?? arch,
});

const ARCHITECTURE: Partial<Record<string, string>> = { x64: 'amd64', arm64: 'arm64' };

type ResourceInput = Pick<NodeStatusInput, 'facts' | 'maxPods' | 'diskTotalBytes'>;

const resourceList = (
  { facts, maxPods, diskTotalBytes }: ResourceInput,
  reservedCpuMillis: number,
  reservedMemoryBytes: number,
): Readonly<Record<string, string>> => ({
  cpu: formatCpuMillis(Math.max(0, facts.cpuMillis - reservedCpuMillis)),
  memory: formatBytes(Math.max(0, facts.memoryBytes - reservedMemoryBytes)),
  'ephemeral-storage': formatBytes(diskTotalBytes),
  pods: String(maxPods),
});

const conditionsOf = (input: NodeStatusInput): readonly NodeCondition[] => {
  const { memoryAvailableBytes, diskFreeBytes, diskTotalBytes, processCount, pidMax } = input;
  const hasMemory = memoryAvailableBytes >= MEMORY_PRESSURE_BYTES;
  const hasDisk = diskFreeBytes >= diskTotalBytes * DISK_PRESSURE_SHARE;
  const hasPids = processCount < pidMax * PIDS_PRESSURE_SHARE;
  return [
    pressure('MemoryPressure', hasMemory, 'sufficient memory', 'insufficient memory', 'Memory'),
    pressure('DiskPressure', hasDisk, 'no disk pressure', 'disk pressure', 'Disk'),
    pressure('PIDPressure', hasPids, 'sufficient PID', 'insufficient PID', 'PID'),
    input.notReady === undefined
      ? {
          type: 'Ready',
          status: 'True',
          reason: 'KubeletReady',
          message: 'kubelet is posting ready status',
        }
      : { type: 'Ready', status: 'False', reason: 'KubeletNotReady', message: input.notReady },
  ];
};

const REASONS: Readonly<Record<string, readonly [string, string]>> = {
  Memory: ['KubeletHasSufficientMemory', 'KubeletHasInsufficientMemory'],
  Disk: ['KubeletHasNoDiskPressure', 'KubeletHasDiskPressure'],
  PID: ['KubeletHasSufficientPID', 'KubeletHasInsufficientPID'],
};

const pressure = (type: string, isFine: boolean, good: string, bad: string, resource: string) => ({
  type,
  status: isFine ? 'False' : 'True',
  reason: REASONS[resource]?.[isFine ? 0 : 1] ?? '',
  message: `kubelet has ${isFine ? good : bad} available`.replace('pressure available', 'pressure'),
});
