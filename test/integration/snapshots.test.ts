import { mkdtemp, mkdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  CONFIG_MAPS,
  CSI_DRIVERS,
  EVENTS,
  PERSISTENT_VOLUME_CLAIMS,
  PERSISTENT_VOLUMES,
  PODS,
  SECRETS,
} from '../../api/resources';
import { readKubeconfig } from '../../client/kubeconfig';
import { RestClient } from '../../client/rest-client';
import { RESTORED_FILE, restoreSnapshot, verifySnapshot } from '../../control-plane/backup/restore';
import { listSnapshots, saveSnapshot, SNAPSHOTS_FOLDER } from '../../control-plane/backup/save';
import { systemClock as clock } from '../../lib/clock';
import { FakeContainerRuntime } from '../../runtime/containers';
import { eventually, podDraft, startAgent } from './support/agent-plane';
import { startServer, type RunningServer } from './support/running-server';

jest.setTimeout(300_000);

const { signal } = new AbortController();
const passphrase = 'correct horse battery staple';
let directory: string;
let dataDir: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'dhow-snapshots-'));
  dataDir = join(directory, 'data');
});
afterEach(() => rm(directory, { recursive: true, force: true }));

const clientOf = async ({ kubeconfig }: RunningServer) =>
  new RestClient(await readKubeconfig(kubeconfig));

const save = (more: { readonly passphrase?: string } = { passphrase }) =>
  saveSnapshot({ dataDir, dhowVersion: '1.2.3', clock, passphrase: undefined, ...more }, signal);

const configMap = (name: string, data: Readonly<Record<string, string>> = {}) => ({
  ...{ apiVersion: 'v1', kind: 'ConfigMap', metadata: { namespace: 'default', name }, data },
});

it('restores on another machine what was there, at later versions, and has old watches begin anew', async () => {
  const runtime = new FakeContainerRuntime();
  const sandboxes = () => runtime.sandboxes().map(({ id }) => id);
  const elsewhere = join(directory, 'elsewhere');
  const restored = { ...{ dataDir: join(elsewhere, 'data'), clock, passphrase }, path: '' };
  const lost = await (async () => {
    await using running = await startServer(directory);
    const client = await clientOf(running);
    const plane = { token: running.joinToken, port: running.agentsPort };
    const agent = await startAgent(plane, directory, { runtime });
    try {
      await client.create(PODS, podDraft('web'));
      const name = { namespace: 'default', name: 'web' };
      await eventually(async () => (await client.get(PODS, name)).status.phase === 'Running');
    } finally {
      await agent.stop();
    }
    await client.create(SECRETS, {
      ...{ apiVersion: 'v1', kind: 'Secret', data: { password: 'c2VzYW1l' } },
      metadata: { namespace: 'default', name: 'db' },
    });
    // Written to all the while: what is in the snapshot is of one moment.
    let isSaved = false;
    const acknowledged: string[] = [];
    const writing = (async () => {
      for (let i = 0; !isSaved; i++) {
        await client.create(CONFIG_MAPS, configMap(`load-${String(i).padStart(5, '0')}`));
        acknowledged.push(`load-${String(i).padStart(5, '0')}`);
      }
    })();
    await eventually(async () => acknowledged.length > 20);
    const before = acknowledged.length;
    const { path, header } = await save();
    isSaved = true;
    await writing;
    const then = await client.list(CONFIG_MAPS, { namespace: 'default' }, signal);
    await client.create(CONFIG_MAPS, configMap('after'));
    const now = await client.list(CONFIG_MAPS, { namespace: 'default' }, signal);
    restored.path = path;
    return { then, now, before, header, port: running.agentsPort, url: running.url };
  })();

  expect((await stat(restored.path)).mode & 0o777).toBe(0o600);
  expect((await readFile(restored.path)).includes('load-00001')).toBe(false);
  const { revision, nextRevision } = await restoreSnapshot(restored, signal);
  expect(revision).toBeGreaterThanOrEqual(lost.header.revision);
  expect(nextRevision).toBe(revision + 1_000_000_000);
  const before = sandboxes();
  expect(before).toHaveLength(1);
  await using running = await startServer(elsewhere);
  const client = await clientOf(running);
  const found = await client.list(CONFIG_MAPS, { namespace: 'default' }, signal);
  const loads = found.items.filter(({ metadata }) => metadata.name.startsWith('load-'));
  // All that was acknowledged before, and without a gap whatever else.
  expect(loads.length).toBeGreaterThanOrEqual(lost.before);
  const wanted = lost.then.items.filter(({ metadata }) => metadata.name.startsWith('load-'));
  expect(loads).toEqual(wanted.slice(0, loads.length));
  expect(found.items.some(({ metadata }) => metadata.name === 'after')).toBe(false);
  expect(Number(found.resourceVersion)).toBeGreaterThan(Number(lost.now.resourceVersion));
  const secret = await client.get(SECRETS, { namespace: 'default', name: 'db' });
  expect(secret.data).toEqual({ password: 'c2VzYW1l' });
  for (const version of [lost.then.resourceVersion, lost.now.resourceVersion, '1'])
    await expect(
      client
        .watch(CONFIG_MAPS, { namespace: 'default', resourceVersion: version }, signal)
        [Symbol.asyncIterator]()
        .next(),
    ).rejects.toMatchObject({ reason: 'Expired' });

  // By its own certificate, at another address: the token is of no use there.
  const plane = { token: running.joinToken, port: running.agentsPort };
  await using _agent = await startAgent(plane, directory, { runtime });
  const name = { namespace: 'default', name: 'web' };
  const changed = { ...(await client.get(PODS, name)) };
  await client.update(PODS, { ...changed, metadata: { ...changed.metadata, labels: { a: 'b' } } });
  await eventually(async () => (await client.get(PODS, name)).status.phase === 'Running');
  expect(sandboxes()).toEqual(before);
  await client.create(CONFIG_MAPS, configMap('and-on'));
});

it('lets no pod begin with a volume of one writer before each node is back, and says which is not', async () => {
  const elsewhere = join(directory, 'elsewhere');
  const [one, two] = [join(directory, 'n1'), join(directory, 'n2')];
  const mark = join(elsewhere, 'data', RESTORED_FILE);
  const path = await (async () => {
    await using running = await startServer(directory);
    const client = await clientOf(running);
    const plane = { token: running.joinToken, port: running.agentsPort };
    for (const [name, state] of [
      ['n1', one],
      ['n2', two],
    ] as const)
      await (await startAgent(plane, state, { name })).stop();
    const spec = { accessModes: ['ReadWriteOnce'], storageClassName: '' };
    await client.create(PERSISTENT_VOLUMES, {
      ...{ apiVersion: 'v1', kind: 'PersistentVolume', metadata: { name: 'shared' } },
      spec: {
        ...{ ...spec, capacity: { storage: '1Gi' } },
        csi: { driver: 'none.example', volumeHandle: 'v' },
      },
      status: {},
    });
    await client.create(CSI_DRIVERS, {
      ...{ apiVersion: 'storage.k8s.io/v1', kind: 'CSIDriver', metadata: { name: 'none.example' } },
      spec: { attachRequired: false },
    });
    await client.create(PERSISTENT_VOLUME_CLAIMS, {
      ...{ apiVersion: 'v1', kind: 'PersistentVolumeClaim' },
      metadata: { namespace: 'default', name: 'data' },
      spec: { ...spec, volumeName: 'shared', resources: { requests: { storage: '1Gi' } } },
      status: {},
    });
    const claim = { namespace: 'default', name: 'data' };
    await eventually(
      async () =>
        (await client.get(PERSISTENT_VOLUME_CLAIMS, claim)).status?.phase === 'Bound' || undefined,
    );
    return (await save()).path;
  })();
  await restoreSnapshot({ path, dataDir: join(elsewhere, 'data'), clock, passphrase }, signal);
  await using running = await startServer(elsewhere);
  const client = await clientOf(running);
  const plane = { port: running.agentsPort };
  await using _first = await startAgent(plane, one);
  const volumes = [{ name: 'data', persistentVolumeClaim: { claimName: 'data' } }];
  const mounts = { volumeMounts: [{ name: 'data', mountPath: '/data' }] };
  await client.create(PODS, podDraft('web', mounts, { volumes }));
  const told = async () =>
    (await client.list(EVENTS, { namespace: 'default' }, signal)).items
      .filter(({ involvedObject }) => involvedObject.name === 'web')
      .map(({ message = '' }) => message);
  await eventually(async () =>
    (await told()).some((text) => /volume "shared" is held: .*delete node\): n2$/.test(text)),
  );
  await stat(mark);
  await using _second = await startAgent(plane, two, { name: 'n2', nodeIp: '192.0.2.2' });
  await eventually(
    async () =>
      await stat(mark).then(
        () => false,
        () => true,
      ),
  );
  await eventually(async () => (await told()).some((text) => text.includes('none.example')));
});

it('refuses to restore over a cluster, with another passphrase, without one, and what was changed', async () => {
  const { path } = await (async () => {
    await using _running = await startServer(directory);
    return await save();
  })();
  const target = join(directory, 'new');
  const restore = (more: object) =>
    restoreSnapshot({ path, passphrase, dataDir: target, clock, ...more }, signal);
  await expect(restore({ dataDir })).rejects.toThrow('is not empty');
  await expect(restore({ passphrase: 'another' })).rejects.toThrow('the passphrase is another');
  await expect(restore({ passphrase: undefined })).rejects.toThrow('its passphrase is needed');
  const bytes = await readFile(path);
  const changed = join(directory, 'changed.snapshot');
  for (const [from, to] of [
    ['1.2.3', '1.2.4'],
    ['"format":1', '"format":2'],
  ] as const) {
    const at = bytes.indexOf(from);
    const wrong = Buffer.from(bytes);
    wrong.write(to, at);
    await writeFile(changed, wrong);
    await expect(restore({ path: changed })).rejects.toThrow();
  }
  await writeFile(changed, bytes.subarray(0, -100));
  await expect(restore({ path: changed })).rejects.toThrow('cut short');
  await expect(stat(target)).rejects.toThrow('ENOENT');
  await mkdir(target);
  await restore({});
  await expect(restore({})).rejects.toThrow('is not empty');
});

it('lists snapshots, and tells what is none', async () => {
  await using _running = await startServer(directory);
  const { path } = await save({});
  const folder = join(dataDir, SNAPSHOTS_FOLDER);
  await writeFile(join(folder, 'notes.txt'), 'by hand');
  const [first, second] = await listSnapshots(folder);
  expect(first).toMatchObject({ path, header: { dhowVersion: '1.2.3', seal: { kind: 'none' } } });
  expect(second).toMatchObject({
    name: 'notes.txt',
    problem: expect.stringContaining('no snapshot'),
  });
  const { files } = await verifySnapshot(path, undefined);
  expect(files).toEqual(expect.arrayContaining(['pki/ca.key', 'pki/encryption-keys.json']));
  await rm(join(dataDir, 'pki', 'ca.key'));
  await expect(save({})).rejects.toThrow('ca.key is not there');
});
