import { MAX_NODE_SCORE, type ScorePlugin } from './plugin';

/** Prefers nodes with more of their CPU and memory free: upstream's LeastAllocated strategy. */
export const leastAllocated: ScorePlugin = {
  name: 'NodeResourcesFit',
  scope: 'node',

  prepare: (pod) => ({
    score(node) {
      const { cpuMillis, memoryBytes } = node.allocatable;
      let sum = 0;
      let count = 0;
      if (cpuMillis > 0) {
        sum += freeShare(node.scoringCpuMillis + pod.scoringCpuMillis, cpuMillis);
        count++;
      }
      if (memoryBytes > 0) {
        sum += freeShare(node.scoringMemoryBytes + pod.scoringMemoryBytes, memoryBytes);
        count++;
      }
      return count === 0 ? 0 : Math.floor(sum / count);
    },
  }),
};

const freeShare = (requested: number, allocatable: number): number =>
  requested > allocatable
    ? 0
    : Math.floor(((allocatable - requested) * MAX_NODE_SCORE) / allocatable);
