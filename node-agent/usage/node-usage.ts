import type { ContainerRuntime } from '../../runtime/container-runtime';
import { bootedAtMs } from '../node/host';
import { MetricsPages, type MetricsPagesDeps } from './metrics-pages';
import { UsageMeter } from './usage-meter';
import { VolumeMeter, type VolumeMeterDeps } from './volume-meter';

interface NodeUsageDeps extends VolumeMeterDeps, Omit<MetricsPagesDeps, 'meter' | 'runtime'> {
  readonly runtime: ContainerRuntime;
}

/** Who reads what a node, its pods and their volumes use, and the pages that tell of it. */
export const createNodeUsage = (
  deps: NodeUsageDeps,
): { readonly usage: UsageMeter; readonly metrics: MetricsPages } => {
  const { nodeName, memoryBytes } = deps;
  const node = { nodeName, bootedAtMs: bootedAtMs(), memoryBytes };
  const usage = new UsageMeter({ ...deps, node, volumes: new VolumeMeter(deps) });
  return { usage, metrics: new MetricsPages({ ...deps, meter: usage }) };
};
