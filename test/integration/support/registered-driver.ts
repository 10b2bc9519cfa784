import { join } from 'node:path';

import { systemClock } from '../../../lib/clock';
import { silentLog } from '../../../lib/log';
import { systemRandom } from '../../../lib/random';
import type { Capability } from '../../../node-agent/csi/csi-driver';
import { PluginRegistry } from '../../../node-agent/csi/plugin-registry';
import { TestCsiDriver } from '../../support/csi-driver';

/** A driver that a node's registry knows, until it is ended. */
export interface RegisteredDriver {
  readonly driver: TestCsiDriver;
  readonly registry: PluginRegistry;
  end(): Promise<void>;
}

export const startRegisteredDriver = async (options: {
  readonly name: string;
  /** Of the driver itself. */
  readonly folder: string;
  /** Of the node. */
  readonly stateDir: string;
  readonly capabilities: readonly Capability[];
}): Promise<RegisteredDriver> => {
  const { name, folder, stateDir, capabilities } = options;
  const sockets = join(stateDir, 'plugins_registry');
  const driver = await TestCsiDriver.start({ name, folder, registry: sockets, capabilities });
  const deps = { clock: systemClock, random: systemRandom, log: silentLog };
  const registry = new PluginRegistry({ folder: sockets, ...deps });
  const isKnown = new Promise<void>((resolve) => {
    registry.onDrivers(() => {
      if (registry.toReport()?.length === 1) resolve();
    });
  });
  const stop = new AbortController();
  const running = registry.run(stop.signal);
  await isKnown;
  const end = async () => {
    stop.abort();
    await running;
    await driver[Symbol.asyncDispose]();
  };
  return { driver, registry, end };
};
