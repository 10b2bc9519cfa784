import { join } from 'node:path';

import { type Pod, uidOf } from '../../api/types';
import type { ContainerRuntime } from '../../runtime/container-runtime';
import { sandboxIdOf } from '../inventory/labels';
import { observePod } from '../inventory/observe';
import type { PodPaths } from '../inventory/pod-paths';
import type { VolumeManager } from '../volumes/volume-manager';
import type { StoragePlaces } from './storage-limits';

interface StoragePlacesDeps {
  readonly runtime: ContainerRuntime;
  readonly volumes: VolumeManager;
  readonly paths: PodPaths;
}

/** Where what a pod writes lies now. */
export const storagePlacesOf = (
  pod: Pod,
  { runtime, volumes, paths }: StoragePlacesDeps,
): StoragePlaces => {
  const observation = observePod(pod, runtime.containers(sandboxIdOf(uidOf(pod))));
  return {
    volumePath: (name) => volumes.diskPath(pod, name),
    containerPaths: (name) => {
      const run = observation.get(name)?.current;
      const layers = run?.exists === true ? [runtime.writableLayer(run.id)] : [];
      return [...layers, join(paths.logFolder(pod), name)];
    },
  };
};
