import type { Pod } from '../../api/types';
import type { ContainerRuntime } from '../../runtime/container-runtime';
import { bootedAtMs } from '../node/host';
import { DiskMeter, type DiskMeterDeps } from './disk-meter';
import { MetricsPages, type MetricsPagesDeps } from './metrics-pages';
import { UsageMeter, type UsageMeterDeps } from './usage-meter';
import { VolumeMeter, type VolumeMeterDeps } from './volume-meter';

interface NodeUsageDeps
  extends
    VolumeMeterDeps,
    DiskMeterDeps,
    Omit<MetricsPagesDeps, 'meter' | 'runtime'>,
    Pick<UsageMeterDeps, 'stateDir'> {
  readonly runtime: ContainerRuntime;
  /** Where the logs of a pod's container are. */
  readonly logFolderOf: (pod: Pod, container: string) => string;
}

/** Who reads what a node, its pods and their volumes use, and the pages that tell of it. */
export const createNodeUsage = (
  deps: NodeUsageDeps,
): { readonly usage: UsageMeter; readonly metrics: MetricsPages } => {
  const { nodeName, memoryBytes, runtime, podOf, logFolderOf } = deps;
  const node = { nodeName, bootedAtMs: bootedAtMs(), memoryBytes };
  const usage = new UsageMeter({
    ...deps,
    ...{ node, volumes: new VolumeMeter(deps), disks: new DiskMeter(deps) },
    filesOf: ({ id, podUid, name }) => {
      const pod = podOf(podUid);
      return pod && { layer: runtime.writableLayer(id), logs: logFolderOf(pod, name) };
    },
  });
  return { usage, metrics: new MetricsPages({ ...deps, meter: usage }) };
};
