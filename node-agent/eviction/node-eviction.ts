import { join } from 'node:path';

import type { ContainerRuntime } from '../../runtime/container-runtime';
import type { AgentConfig } from '../config';
import { EvictionManager } from './eviction-manager';
import { NodeSignals } from './node-signals';
import { PodUses } from './pod-uses';
import { parseThresholds } from './thresholds';

type Given = ConstructorParameters<typeof EvictionManager>[0];
type UsesDeps = ConstructorParameters<typeof PodUses>[0];

interface NodeEvictionDeps
  extends
    Pick<Given, 'pods' | 'reclaimDisk' | 'events' | 'onChange' | 'clock' | 'log'>,
    Pick<UsesDeps, 'meter' | 'placesOf'> {
  readonly config: AgentConfig;
  readonly runtime: ContainerRuntime;
  readonly memoryBytes: number;
  /** What all pods together may have of it. */
  readonly podsMemoryBytes: number;
}

/** As the node's settings say when it is short of what. */
export const createEvictionManager = (deps: NodeEvictionDeps): EvictionManager => {
  const { config, runtime, memoryBytes, podsMemoryBytes } = deps;
  const { nodeName, stateDir: nodeDir } = config;
  const imageDir = join(nodeDir, 'images');
  return new EvictionManager({
    ...deps,
    thresholds: parseThresholds(config),
    transitionMs: config.evictionPressureTransitionMs,
    softGraceMaxMs: config.evictionMaxPodGraceSeconds * 1000,
    nodeName,
    signals: new NodeSignals({ runtime, memoryBytes, podsMemoryBytes, nodeDir, imageDir }),
    uses: new PodUses(deps),
  });
};
