import type { NodeUse } from '../../api/decisions';
import { formatBytes, formatCpuMillis } from '../../api/quantity';
import { exactAllocatable, exactRequested } from './exact-amounts';
import type { NodeView } from './node-info';

export interface NodeAmounts {
  readonly pods: number;
  readonly cpuMillis: bigint;
  readonly memoryBytes: bigint;
}

export const takenOf = (node: NodeView): NodeAmounts => ({
  pods: node.pods.size,
  cpuMillis: exactRequested(node, 'cpu'),
  memoryBytes: exactRequested(node, 'memory'),
});

export const allocatableOf = (node: NodeView): NodeAmounts => ({
  pods: node.podCountMax,
  cpuMillis: exactAllocatable(node, 'cpu'),
  memoryBytes: exactAllocatable(node, 'memory'),
});

/** For people. */
export const useOf = ({ pods, cpuMillis, memoryBytes }: NodeAmounts = NOTHING): NodeUse => ({
  pods,
  cpu: formatCpuMillis(cpuMillis),
  memory: formatBytes(memoryBytes),
});

const NOTHING: NodeAmounts = { pods: 0, cpuMillis: 0n, memoryBytes: 0n };
