import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { ManualClock } from '../../lib/clock';
import { silentLog } from '../../lib/log';
import { TestDevicePlugin } from '../../test/support/device-plugin';
import { PluginServer } from './plugin-server';

const RESOURCE = 'example.com/gadget';

let folder: string;
let offered: string[];
const stop = { now: () => Promise.resolve() };
const plugins: TestDevicePlugin[] = [];

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'plugins-'));
  offered = [];
  const server = new PluginServer({
    ...{ folder, clock: new ManualClock(), log: silentLog, onChange: () => undefined },
    manager: { offer: (resource) => offered.push(resource) },
  });
  const end = new AbortController();
  const running = server.run(end.signal);
  stop.now = async () => {
    end.abort();
    await running;
  };
  await until(() => existsSync(join(folder, 'kubelet.sock')));
});
afterEach(async () => {
  for (const plugin of plugins.splice(0)) await plugin[Symbol.asyncDispose]();
  await stop.now();
  rmSync(folder, { recursive: true, force: true });
});

const until = async (holds: () => boolean): Promise<void> => {
  for (let round = 0; !holds(); round++) {
    if (round > 500) throw new Error('it never came about');
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
};
const start = async (): Promise<TestDevicePlugin> => {
  const plugin = await TestDevicePlugin.start({ resource: RESOURCE, folder, answer: () => ({}) }, [
    'a',
  ]);
  plugins.push(plugin);
  return plugin;
};

it('lets go of a plugin that makes itself known again', async () => {
  const plugin = await start();
  await until(() => plugin.watcherCount === 1);
  for (let round = 0; round < 3; round++) await plugin.register();
  await until(() => plugin.streamCount === 4 && plugin.watcherCount === 1);
  expect(offered).toHaveLength(4);
});

it('takes a plugin for so many resources only', async () => {
  const plugin = await start();
  for (let count = 1; count < 128; count++)
    await plugin.register({ resourceName: `example.com/x${count}` });
  await expect(plugin.register({ resourceName: 'example.com/more' })).rejects.toThrow(
    'there are 128 resources of plugins already',
  );
  await plugin.register();
  expect(new Set(offered).size).toBe(128);
});
