import type { Pod } from '../../api/types';
import { describeError, type Log } from '../../lib/log';
import { stringifyJson } from '../../lib/json';
import type { ContainerRuntime } from '../../runtime/container-runtime';
import { groupResources } from '../pod-spec/cgroup-resources';

interface QosGroupsDeps {
  readonly runtime: Pick<ContainerRuntime, 'limitGroup'>;
  readonly pods: () => readonly Pod[];
  /** What all pods may have together. */
  readonly allPods: { readonly cpuMillis: number; readonly memoryBytes: number };
  readonly log: Log;
}

/** Keeps the cgroups of the classes of service at what their pods have asked for. */
export class QosGroups {
  private readonly applied = new Map<string, string>();

  constructor(private readonly deps: QosGroupsDeps) {}

  /** To be called before a pod gets its cgroup, and now and then. */
  update(): void {
    const { runtime, pods, allPods, log } = this.deps;
    for (const [group, resources] of groupResources(pods(), allPods)) {
      const text = stringifyJson(resources);
      if (this.applied.get(group) === text) continue;
      try {
        runtime.limitGroup(group, resources);
        this.applied.set(group, text);
      } catch (error) {
        // Pods take more than the new limit allows: they keep the old one until some have ended.
        log.warn({ group, err: describeError(error) }, 'a group of pods cannot be limited');
      }
    }
  }
}
