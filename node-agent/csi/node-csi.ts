import { join } from 'node:path';

import type { Pod } from '../../api/types';
import type { Clock } from '../../lib/clock';
import type { Log } from '../../lib/log';
import type { Random } from '../../lib/random';
import type { EventSink } from '../outbox/event-outbox';
import type { ObjectSource } from '../pod-spec/environment';
import type { ClaimSource } from '../volumes/claimed-volume';
import type { CsiVolume } from '../volumes/csi-volume';
import type { Mounter } from '../volumes/mounter';
import type { ContentSource } from '../volumes/volume-content';
import { CsiVolumes } from './csi-volumes';
import { MountedVolumes } from './mounted-volumes';
import { PluginRegistry } from './plugin-registry';
import type { CsiObjects } from './requests';
import { VolumeGrower } from './volume-grower';

interface NodeCsiDeps {
  readonly config: { readonly stateDir: string; readonly nodeName: string };
  readonly facts: { readonly bootId: string };
  readonly mounter: Mounter;
  /** What the server has told of. */
  readonly objects: ObjectSource &
    CsiObjects &
    ClaimSource & { readonly token: ContentSource['tokens'] };
  readonly pods: () => readonly Pod[];
  readonly csiVolumesOf: (pod: Pod) => readonly CsiVolume[];
  readonly events: EventSink;
  readonly settings: { readonly housekeepingMs: number };
  /** There are other drivers now. */
  readonly onDrivers: () => void;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

/** The drivers of a node, and the volumes that they provide. */
export interface NodeCsi {
  readonly plugins: PluginRegistry;
  readonly volumes: CsiVolumes;
  readonly mounted: MountedVolumes;
  readonly grower: VolumeGrower;
}

export const createNodeCsi = (deps: NodeCsiDeps): NodeCsi => {
  const { config, facts, objects, onDrivers } = deps;
  const { stateDir, nodeName } = config;
  const plugins = new PluginRegistry({ ...deps, folder: join(stateDir, 'plugins_registry') });
  plugins.onDrivers(onDrivers);
  const volumes = new CsiVolumes({
    ...deps,
    ...{ stateDir, bootId: facts.bootId },
    driver: (name) => plugins.driver(name),
    source: { nodeName, objects, csi: objects, tokens: (key) => objects.token(key) },
  });
  const mounted = new MountedVolumes(volumes, { objects });
  const grower = new VolumeGrower({ ...deps, volumes: mounted, claims: objects, nodeName });
  return { plugins, volumes, mounted, grower };
};
