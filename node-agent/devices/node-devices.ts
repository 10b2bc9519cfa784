import { join } from 'node:path';

import type { Clock } from '../../lib/clock';
import type { Log } from '../../lib/log';
import type { AgentConfig } from '../config';
import { CdiSpecs, cdiSource } from './cdi-source';
import { DeviceManager } from './device-manager';
import { DeviceStore } from './device-store';
import { PluginServer } from './plugin-server';

interface NodeDevicesDeps {
  readonly config: Pick<AgentConfig, 'stateDir' | 'devices' | 'cdiSpecDirs'>;
  readonly hasGivenUp: (podUid: string) => boolean;
  /** What the node has to offer has changed. */
  readonly onChange: () => void;
  readonly clock: Clock;
  readonly log: Log;
}

/** The devices of a node, and who offers them. */
export interface NodeDevices {
  readonly manager: DeviceManager;
  readonly plugins: PluginServer;
}

export const createNodeDevices = (deps: NodeDevicesDeps): NodeDevices => {
  const { config, log } = deps;
  const { stateDir, devices, cdiSpecDirs } = config;
  const specs = new CdiSpecs(cdiSpecDirs, log);
  const store = new DeviceStore(join(stateDir, 'devices'), log);
  const manager = new DeviceManager({ ...deps, store, specs });
  for (const [resource, names] of Object.entries(devices))
    manager.offer(resource, cdiSource(names, specs));
  const folder = join(stateDir, 'device-plugins');
  return { manager, plugins: new PluginServer({ ...deps, folder, manager }) };
};
