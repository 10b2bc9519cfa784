import type { FilterPlugin, ScorePlugin } from '../plugins/plugin';
import type { PodInfo } from '../pod-info';
import type { TrackedView } from '../snapshot';

/** What a plugin goes by of the cluster, besides the node that it is asked about; `undefined`: of its domains. */
export const basisOf = (
  plugin: FilterPlugin | ScorePlugin,
  model: PodInfo,
  cluster: TrackedView,
): string | undefined => {
  if (plugin.scope !== 'domain') return '';
  try {
    return plugin.basis?.(model, cluster);
  } catch {
    // It will break in `prepare` as well, and what follows from that is said there.
    return undefined;
  }
};
