import type { AgentConfig } from '../config';
import type { NodeInfo } from '../containers/pod-deps';
import { parseThresholds } from '../eviction/thresholds';
import type { HostFacts } from './host';
import { pooledBytes, type HugePagePools } from './huge-pages';
import { unallocatableOf } from './reserved';

/** What pods are told of their node: how much of it is for them. */
export const nodeInfoOf = (
  config: AgentConfig,
  ips: readonly string[],
  facts: HostFacts,
  hugePages: HugePagePools,
): NodeInfo => {
  const { cpuMillis, memoryBytes } = facts;
  // Of the disk, pods are told nothing by default.
  const reserved = unallocatableOf(config, parseThresholds(config), {
    memoryBytes,
    diskBytes: 0,
  });
  return {
    ...{ name: config.nodeName, ips },
    cpuMillis: cpuMillis - reserved.cpuMillis,
    memoryBytes: Math.max(0, memoryBytes - reserved.memoryBytes - pooledBytes(hugePages)),
    capacityBytes: memoryBytes,
  };
};
