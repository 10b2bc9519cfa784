import { MAX_NODE_SCORE, type ScorePlugin } from './plugin';

/** Prefers nodes where the pod leaves CPU and memory used in like shares. */
export const balancedAllocation: ScorePlugin = {
  name: 'NodeResourcesBalancedAllocation',
  scope: 'node',

  prepare({ requests }) {
    // A pod that asks for nothing unbalances nothing.
    if (requests.cpuMillis === 0 && requests.memoryBytes === 0) return undefined;
    return {
      score(node) {
        const { cpuMillis, memoryBytes } = node.allocatable;
        if (cpuMillis === 0 || memoryBytes === 0) return MAX_NODE_SCORE;
        const cpu = shareOf(node.requestedCpuMillis + requests.cpuMillis, cpuMillis);
        const memory = shareOf(node.requestedMemoryBytes + requests.memoryBytes, memoryBytes);
        // Half the distance is the standard deviation of two shares.
        return Math.floor((1 - Math.abs(cpu - memory) / 2) * MAX_NODE_SCORE);
      },
    };
  },
};

const shareOf = (requested: number, allocatable: number): number =>
  Math.min(1, requested / allocatable);
