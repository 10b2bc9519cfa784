import { podLevelList } from '../../api/pod-level-resources';
import { amountsOf, type ResourceAmounts } from '../../api/pods';
import type { Container, Pod } from '../../api/types';

/**
 * What a container may use: where it says nothing itself, as much as its pod says that all may. Source:
 * upstream's kuberuntime_container_linux.go and kubelet_resources.go.
 */
export const limitsOf = ({ spec }: Pod, { resources }: Container): ResourceAmounts => {
  const limits = amountsOf(resources?.limits);
  const { cpuMillis, memoryBytes, others } = amountsOf(podLevelList(spec, 'limits'));
  return {
    ...limits,
    cpuMillis: limits.cpuMillis || cpuMillis,
    memoryBytes: limits.memoryBytes || memoryBytes,
    // Of pods themselves, these are huge pages alone.
    others: { ...others, ...limits.others },
  };
};
