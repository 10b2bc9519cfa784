import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { ManualClock } from '../../lib/clock';
import { silentLog } from '../../lib/log';
import { systemRandom } from '../../lib/random';
import { TestCsiDriver } from '../../test/support/csi-driver';
import { PluginRegistry } from './plugin-registry';

let root: string;
let clock: ManualClock;
let registry: PluginRegistry;
let stop: () => Promise<void>;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'registry-'));
  const folder = join(root, 'registry');
  clock = new ManualClock();
  registry = new PluginRegistry({ folder, clock, random: systemRandom, log: silentLog });
  const end = new AbortController();
  const running = registry.run(end.signal);
  stop = async () => {
    end.abort();
    await running;
  };
});
afterEach(async () => {
  await stop();
  rmSync(root, { recursive: true, force: true });
});

const until = async (holds: () => boolean): Promise<void> => {
  for (let round = 0; !holds(); round++) {
    if (round > 500) throw new Error('it never came about');
    await new Promise((resolve) => setTimeout(resolve, 5));
    // Whoever was not told of the socket looks for it.
    await clock.advance(20);
  }
};

const topology = Object.fromEntries(
  Array.from({ length: 1_000 }, (_, index) => [`topology.test/zone-${index}`, 'here']),
);
it.each([
  ['a long name for it', { nodeId: 'n'.repeat(20_000) }],
  ['too many segments', { accessibleTopology: { segments: topology } }],
])('refuses a driver that has %s', async (_what, info) => {
  const place = { folder: join(root, 'driver'), registry: join(root, 'registry') };
  await using driver = await TestCsiDriver.start({ name: 'csi.test', ...place, info });
  await until(() => driver.registrations.length > 0);
  expect(driver.registrations[0]).toEqual({
    pluginRegistered: false,
    error: 'CSI driver csi.test says more of this node than the server can be told',
  });
  expect(registry.toReport()).toEqual([]);
});
