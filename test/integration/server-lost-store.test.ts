import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { NODES, PODS } from '../../api/resources';
import { readKubeconfig } from '../../client/kubeconfig';
import { RestClient } from '../../client/rest-client';
import { parseJson } from '../../lib/json';
import { FakeContainerRuntime } from '../../runtime/containers';
import { eventually, podDraft, startAgent } from './support/agent-plane';
import { startServer, type RunningServer } from './support/running-server';

jest.setTimeout(180_000);

let directory: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'dhow-lost-store-'));
});
afterEach(() => rm(directory, { recursive: true, force: true }));

/** As when a disk is exchanged under it: etcd is there at once again, with nothing in it. */
const loseData = async (): Promise<void> => {
  const pidFile = join(directory, 'run', 'etcd', 'etcd.pid.json');
  const { pid } = parseJson(await readFile(pidFile, 'utf8')) as { pid: number };
  process.kill(pid, 'SIGSTOP');
  await rm(join(directory, 'data', 'etcd'), { recursive: true });
  process.kill(pid, 'SIGKILL');
};

const clientOf = async ({ kubeconfig }: RunningServer) =>
  new RestClient(await readKubeconfig(kubeconfig));

it('ends no pod when its store is suddenly empty, until somebody says that this is the truth', async () => {
  const runtime = new FakeContainerRuntime();
  const sandboxes = () => runtime.sandboxes().map(({ id }) => id);
  await using running = await startServer(directory);
  await using _agent = await startAgent(
    { token: running.joinToken, port: running.agentsPort },
    directory,
    { runtime },
  );
  const client = await clientOf(running);
  await client.create(PODS, podDraft('web'));
  const name = { namespace: 'default', name: 'web' };
  await eventually(async () => (await client.get(PODS, name)).status.phase === 'Running');
  const before = sandboxes();
  expect(before).toHaveLength(1);

  await loseData();
  await expect(running.ended).rejects.toThrow(
    /holds another history than before: it is at revision/,
  );
  const sameAddress = {
    listen: new URL(running.url).host,
    agentsListen: `127.0.0.1:${running.agentsPort}`,
  };
  const why = 'it holds nothing of this cluster: it is another etcd, or its data has been lost';
  for (let attempt = 0; attempt < 2; attempt++)
    await expect(startServer(directory, sameAddress)).rejects.toThrow(why);
  expect(sandboxes()).toEqual(before);

  await using accepting = await startServer(directory, { ...sameAddress, acceptEtcdHistory: true });
  const again = await clientOf(accepting);
  await eventually(async () => (await again.list(NODES)).items.length === 1, 60_000);
  await eventually(async () => sandboxes().length === 0, 60_000);
});
