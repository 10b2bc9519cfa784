import { MAX_NODE_SCORE, type ScorePlugin } from './plugin';
import { exactAmountsOf } from './resource-allocation';

/** Prefers nodes where the pod leaves these resources, CPU and memory by default, used in like shares. */
export const balancedAllocation = (resources: readonly string[]): ScorePlugin => ({
  name: 'NodeResourcesBalancedAllocation',
  scope: 'node',

  prepare({ requests }) {
    const { cpuMillis, memoryBytes, ephemeralStorageBytes, others } = requests;
    const wanted: Readonly<Record<string, number>> = {
      ...others,
      ...{ cpu: cpuMillis, memory: memoryBytes, 'ephemeral-storage': ephemeralStorageBytes },
    };
    // A pod that asks for none of them unbalances nothing.
    if (resources.every((name) => !Object.hasOwn(wanted, name) || wanted[name] === 0))
      return undefined;
    const amounts = resources.map((name) => exactAmountsOf(name, requests));
    return {
      score(node) {
        const shares: number[] = [];
        for (const each of amounts) {
          const allocatable = each.allocatable(node);
          if (allocatable > 0) shares.push(Math.min(1, each.requested(node) / allocatable));
        }
        return Math.floor((1 - deviationOf(shares)) * MAX_NODE_SCORE);
      },
    };
  },
});

/** The standard deviation: of two shares it is half their distance, exactly. */
const deviationOf = (shares: readonly number[]): number => {
  const [first = 0, second = first, ...more] = shares;
  if (more.length === 0) return Math.abs(first - second) / 2;
  const mean = shares.reduce((sum, share) => sum + share, 0) / shares.length;
  return Math.sqrt(shares.reduce((sum, share) => sum + (share - mean) ** 2, 0) / shares.length);
};
