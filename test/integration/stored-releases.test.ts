import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { gunzipSync, gzipSync } from 'node:zlib';

import {
  CONFIG_MAPS,
  CUSTOM_RESOURCE_DEFINITIONS,
  DEPLOYMENTS,
  NODES,
  SECRETS,
} from '../../api/resources';
import { nodeIdentityOf } from '../../api/node-identity';
import { checkUpgrade } from '../../cli/commands/upgrade';
import { readKubeconfig } from '../../client/kubeconfig';
import { RestClient } from '../../client/rest-client';
import { restoreSnapshot } from '../../control-plane/backup/restore';
import { saveSnapshot } from '../../control-plane/backup/save';
import { systemClock as clock } from '../../lib/clock';
import { eventually, startAgent } from './support/agent-plane';
import { startServer } from './support/running-server';

jest.setTimeout(300_000);

/**
 * Of each release that stores are kept of: the snapshot of a small cluster, and the folder of its agent. A release whose
 * code writes otherwise adds its own, and goes on to read these: `DHOW_KEEP_RELEASE=0.1.0` makes them.
 */
const KEPT = join(__dirname, 'kept');
const releases = process.env['DHOW_KEEP_RELEASE']?.split(',');
const { signal } = new AbortController();

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'dhow-kept-'));
});
afterEach(() => rm(directory, { recursive: true, force: true }));

const clientOf = async (kubeconfig: string) => new RestClient(await readKubeconfig(kubeconfig));

const APP = { app: 'web' };
const deployment = {
  ...{ apiVersion: 'apps/v1', kind: 'Deployment' },
  metadata: { namespace: 'default', name: 'web', labels: { big: '9007199254740993' } },
  spec: {
    replicas: 0,
    selector: { matchLabels: APP },
    template: {
      metadata: { labels: APP },
      spec: {
        containers: [{ name: 'web', image: 'web:1', resources: { limits: { cpu: '1500m' } } }],
      },
    },
  },
  status: {},
};

const keep = async (release: string): Promise<void> => {
  await using running = await startServer(directory);
  const client = await clientOf(running.kubeconfig);
  const state = join(directory, 'n1');
  await (await startAgent({ token: running.joinToken, port: running.agentsPort }, state)).stop();
  const metadata = { namespace: 'default', name: 'kept' };
  await client.create(CONFIG_MAPS, { ...V1, kind: 'ConfigMap', metadata, data: { k: 'ü\n' } });
  await client.create(SECRETS, { ...V1, kind: 'Secret', metadata, data: { key: 'c2VzYW1l' } });
  await client.create(DEPLOYMENTS, deployment);
  const { path } = await saveSnapshot(
    {
      ...{ dataDir: join(directory, 'data'), dhowVersion: release, clock, passphrase: undefined },
    },
    signal,
  );
  await mkdir(KEPT, { recursive: true });
  const identity = await readFile(join(state, 'state', 'identity.json'));
  const id = await readFile(join(state, 'state', 'agent-id'));
  await writeFile(
    join(KEPT, `${release}.snapshot.gz`),
    gzipSync(await readFile(path), { level: 9 }),
  );
  await writeFile(join(KEPT, `${release}.identity.json`), identity);
  await writeFile(join(KEPT, `${release}.agent-id`), id);
};
const V1 = { apiVersion: 'v1' } as const;

if (releases !== undefined) it.each(releases)('keeps what %s writes', keep);

const kept = async (): Promise<readonly string[]> =>
  (await readdir(KEPT)).flatMap((name) => /^(.+)\.snapshot\.gz$/.exec(name)?.[1] ?? []);

it('goes on with what each earlier release has stored, and with its nodes', async () => {
  const all = await kept();
  expect(all.length).toBeGreaterThan(0);
  for (const release of all) await goOn(release);
});

const goOn = async (release: string): Promise<void> => {
  const place = join(directory, release);
  const path = join(directory, `${release}.snapshot`);
  await writeFile(path, gunzipSync(await readFile(join(KEPT, `${release}.snapshot.gz`))));
  const dataDir = join(place, 'data');
  await restoreSnapshot({ path, dataDir, clock, passphrase: undefined }, signal);
  await using running = await startServer(place);
  const client = await clientOf(running.kubeconfig);
  const name = { namespace: 'default', name: 'kept' };
  expect((await client.get(CONFIG_MAPS, name)).data).toEqual({ k: 'ü\n' });
  expect((await client.get(SECRETS, name)).data).toEqual({ key: 'c2VzYW1l' });
  const web = await client.get(DEPLOYMENTS, { namespace: 'default', name: 'web' });
  expect(web.metadata.labels).toEqual({ big: '9007199254740993' });
  expect(web.spec.template).toMatchObject(deployment.spec.template);
  // What it wrote can be written on, by who was written down.
  await client.update(DEPLOYMENTS, { ...web, metadata: { ...web.metadata, labels: {} } });
  expect((await client.list(CUSTOM_RESOURCE_DEFINITIONS, {}, signal)).items).toEqual([]);

  const state = join(place, 'n1', 'state');
  await mkdir(state, { recursive: true });
  for (const file of ['identity.json', 'agent-id'])
    await writeFile(join(state, file), await readFile(join(KEPT, `${release}.${file}`)));
  await using _agent = await startAgent({ port: running.agentsPort }, join(place, 'n1'));
  await eventually(async () => {
    const node = await client.get(NODES, { namespace: '', name: 'n1' });
    const ready = node.status.conditions?.find(({ type }) => type === 'Ready');
    return ready?.status === 'True' && nodeIdentityOf(node) !== undefined;
  });
  expect(await upgradeOf(dataDir)).toMatchObject({
    agents: 'ok',
    nodes: 'ok',
    store: 'ok',
    snapshot: 'error',
    certificates: 'ok',
  });
};

/** What `dhow upgrade --check` says of each check. */
const upgradeOf = async (dataDir: string): Promise<Readonly<Record<string, string>>> => {
  let text = '';
  const out = new Writable({
    write: (chunk: Buffer, _encoding, done) => {
      text += chunk.toString();
      done();
    },
  });
  const terminal = { out, err: out, isInteractive: false, columns: 80 };
  // Nobody has saved a snapshot of the restored one.
  expect(await checkUpgrade(terminal, { check: true, dataDir, output: 'json' })).toBe(1);
  const { items } = JSON.parse(text) as {
    readonly items: readonly { readonly check: string; readonly severity: string }[];
  };
  return Object.fromEntries(items.map(({ check, severity }) => [check, severity]));
};
