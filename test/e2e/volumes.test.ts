import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import type { ApiObject, PersistentVolume, PersistentVolumeClaim } from '../../api/types';
import { clusterPaths } from '../../cli/cluster-paths';
import { podYaml, TestCluster } from './support/cluster';
import { leftBehind, sharedState } from './support/machine';

jest.setTimeout(240_000);

const NAME = 'e2e-volumes';

let before: readonly string[];
let cluster: TestCluster;

beforeAll(async () => {
  before = sharedState();
  cluster = await TestCluster.start(NAME, { nodes: 2 });
});

afterAll(async () => {
  await cluster[Symbol.asyncDispose]();
  expect(leftBehind(NAME, before)).toEqual([]);
});

afterEach(async () => {
  await cluster.clear();
  await cluster.must('delete', 'pvc', '--all');
  await cluster.until('no volumes', async () => (await volumes()).length === 0);
});

const claimYaml = (name: string, spec: object = {}): string =>
  JSON.stringify({
    apiVersion: 'v1',
    kind: 'PersistentVolumeClaim',
    metadata: { name },
    spec: {
      accessModes: ['ReadWriteOnce'],
      resources: { requests: { storage: '1Mi' } },
      ...spec,
    },
  });

const usingYaml = (
  name: string,
  claimName: string,
  script: string,
  { mount = {}, spec = {} }: { readonly mount?: object; readonly spec?: object } = {},
): string =>
  podYaml(
    name,
    ['sh', '-c', script],
    { volumeMounts: [{ name: 'data', mountPath: '/data', ...mount }] },
    {
      restartPolicy: 'Never',
      volumes: [{ name: 'data', persistentVolumeClaim: { claimName } }],
      ...spec,
    },
  );

const claim = async (name: string) =>
  (await cluster.object('pvc', name)) as PersistentVolumeClaim | undefined;
const volumes = async (): Promise<readonly PersistentVolume[]> =>
  (JSON.parse(await cluster.must('get', 'pv', '-o', 'json')) as { items: PersistentVolume[] })
    .items;

/** Where the claim's volume lies on its node. */
const folderOf = async (name: string): Promise<string> => {
  const { spec } = (await claim(name))!;
  const volume = (await cluster.object('pv', spec?.volumeName ?? '')) as PersistentVolume;
  const node = volume.metadata.annotations?.['dhow.dev/volume-node'] ?? '';
  return join(clusterPaths(NAME).nodeStateDir(node), 'volumes', volume.metadata.uid ?? '');
};

it('keeps what a pod wrote for the next one, over kill -9 of its agent and of the server', async () => {
  await cluster.apply(claimYaml('kept'));
  expect((await claim('kept'))?.spec?.storageClassName).toBe('local-path');
  await cluster.apply(usingYaml('writer', 'kept', 'echo precious > /data/file'));
  const { spec } = await cluster.podIs('writer', 'Succeeded');
  const bound = (await claim('kept'))!;
  expect(bound.status).toEqual({
    phase: 'Bound',
    accessModes: ['ReadWriteOnce'],
    capacity: { storage: '1Mi' },
  });
  expect(bound.metadata.annotations).toMatchObject({
    'pv.kubernetes.io/bind-completed': 'yes',
    'pv.kubernetes.io/bound-by-controller': 'yes',
    'volume.kubernetes.io/selected-node': spec.nodeName,
    'volume.kubernetes.io/storage-provisioner': 'dhow.dev/local-path',
  });
  await cluster.must('delete', 'pod', 'writer');
  process.kill(cluster.pid(spec.nodeName ?? ''), 'SIGKILL');
  process.kill(cluster.pid('server'), 'SIGKILL');
  await cluster.up();
  await cluster.apply(usingYaml('reader', 'kept', 'cat /data/file'));
  const reader = await cluster.podIs('reader', 'Succeeded', 120_000);
  expect(reader.spec.nodeName).toBe(spec.nodeName);
  expect(await cluster.must('logs', 'reader')).toBe('precious\n');
});

it('removes the data when its claim is deleted, and not while a pod uses it', async () => {
  await cluster.apply(claimYaml('used'));
  await cluster.apply(usingYaml('user', 'used', 'echo x > /data/x; exec sleep 1000000'));
  const pod = await cluster.podIsReady('user');
  const folder = await folderOf('used');
  await cluster.must('delete', 'pvc', 'used', '--no-wait');
  expect((await claim('used'))?.metadata.deletionTimestamp).toBeDefined();
  process.kill(cluster.pid(pod.spec.nodeName ?? ''), 'SIGKILL');
  await cluster.up();
  await cluster.until('its agent', async () =>
    (await cluster.dhow('exec', 'user', '--', 'cat', '/data/x')).stdout.includes('x'),
  );
  expect(readdirSync(folder)).toEqual(['x']);
  await cluster.must('delete', 'pod', 'user');
  await cluster.until('no claim', async () => (await claim('used')) === undefined);
  await cluster.until('no volume', async () => (await volumes()).length === 0);
  expect(existsSync(folder)).toBe(false);
});

it('shows an image as a volume, over kill -9 of the agent: read-only, and nothing of it can be run', async () => {
  const script =
    'ls /image; cat /sub/passwd >/dev/null && echo sub; touch /image/x || echo read-only; ' +
    '/image/bin/busybox true || echo no-exec; exec sleep 1000000';
  const volumeMounts = [
    { name: 'tools', mountPath: '/image' },
    { name: 'tools', mountPath: '/sub', subPath: 'etc' },
  ];
  const image = { reference: 'dhow.local/busybox:1' };
  await cluster.apply(
    podYaml(
      'shower',
      ['sh', '-c', script],
      { volumeMounts },
      { volumes: [{ name: 'tools', image }] },
    ),
  );
  const pod = await cluster.podIsReady('shower');
  await cluster.until('its words', async () =>
    (await cluster.must('logs', 'shower')).includes('no-exec'),
  );
  const log = await cluster.must('logs', 'shower');
  expect(log).toMatch(/^bin$/m);
  expect(log).toMatch(/^sub$/m);
  expect(log).toMatch(/^read-only$/m);
  process.kill(cluster.pid(pod.spec.nodeName ?? ''), 'SIGKILL');
  await cluster.up();
  await cluster.until('its agent', async () =>
    (await cluster.dhow('exec', 'shower', '--', 'ls', '/image')).stdout.includes('bin'),
  );
  await cluster.apply(
    podYaml(
      'misser',
      ['true'],
      { volumeMounts: volumeMounts.slice(0, 1) },
      {
        volumes: [
          { name: 'tools', image: { reference: 'dhow.local/none:1', pullPolicy: 'Never' } },
        ],
      },
    ),
  );
  await cluster.until('why', async () =>
    (await cluster.must('why', 'misser')).includes('ErrImageNeverPull'),
  );
});

it('keeps a read-only mount, a subPath and the group of a pod', async () => {
  await cluster.apply(claimYaml('parts'));
  const spec = { securityContext: { fsGroup: 4242 } };
  await cluster.apply(
    usingYaml('maker', 'parts', 'id -G; echo y > /data/y; stat -c %g /data/y', {
      mount: { subPath: 'inner' },
      spec,
    }),
  );
  await cluster.podIs('maker', 'Succeeded');
  expect(await cluster.must('logs', 'maker')).toMatch(/4242[^]*\n4242\n/);
  await cluster.apply(
    usingYaml('looker', 'parts', 'cat /data/inner/y; touch /data/z || echo refused', {
      mount: { readOnly: true },
    }),
  );
  await cluster.podIs('looker', 'Succeeded');
  expect(await cluster.must('logs', 'looker')).toContain('y\n');
  expect(await cluster.must('logs', 'looker')).toContain('refused');
});

it('says what a pod waits for, and lets it go on when that comes', async () => {
  await cluster.apply(usingYaml('early', 'late', 'true'));
  const waits = async (message: string) =>
    cluster.until('why it waits', async () =>
      (await cluster.pod('early'))?.status.conditions?.some((each) =>
        each.message?.includes(message),
      ),
    );
  await waits('0/2 nodes are available: persistentvolumeclaim "late" not found.');
  expect(await cluster.must('why', 'pod', 'early')).toContain(
    'persistentvolumeclaim "late" not found',
  );
  await cluster.apply(claimYaml('late', { storageClassName: '' }));
  await waits('pod has unbound immediate PersistentVolumeClaims');
  await cluster.must('delete', 'pvc', 'late');
  await cluster.apply(claimYaml('late'));
  await cluster.podIs('early', 'Succeeded');
});

it('makes the claim that a pod brings with it, and takes it away with the pod', async () => {
  const template = {
    spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Mi' } } },
  };
  const volume = { name: 'own', ephemeral: { volumeClaimTemplate: template } };
  await cluster.apply(
    podYaml(
      'brings',
      ['sh', '-c', 'echo z > /own/z && exec sleep 1000000'],
      { volumeMounts: [{ name: 'own', mountPath: '/own' }] },
      { volumes: [volume] },
    ),
  );
  await cluster.podIsReady('brings');
  expect((await claim('brings-own'))?.status?.phase).toBe('Bound');
  await cluster.must('delete', 'pod', 'brings');
  await cluster.until('no claim', async () => (await claim('brings-own')) === undefined);
});

it('gives a claim for one pod at a time to one, and the next when that has ended', async () => {
  await cluster.apply(claimYaml('alone', { accessModes: ['ReadWriteOncePod'] }));
  await cluster.apply(usingYaml('first', 'alone', 'exec sleep 1000000'));
  await cluster.podIsReady('first');
  await cluster.apply(usingYaml('second', 'alone', 'true'));
  await cluster.until('why it waits', async () =>
    (await cluster.pod('second'))?.status.conditions?.some((each) =>
      each.message?.includes('node has pod using PersistentVolumeClaim with the same name and'),
    ),
  );
  await cluster.must('delete', 'pod', 'first');
  await cluster.podIs('second', 'Succeeded');
});

it('binds what an administrator has prepared, and keeps it when the claim is gone', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'dhow-volume-'));
  try {
    writeFileSync(join(folder, 'file'), 'prepared\n');
    const node = { key: 'kubernetes.io/hostname', operator: 'In', values: ['node-2'] };
    await cluster.apply(
      JSON.stringify({
        ...{ apiVersion: 'v1', kind: 'PersistentVolume', metadata: { name: 'prepared' } },
        spec: {
          ...{ capacity: { storage: '1Gi' }, accessModes: ['ReadWriteOnce'] },
          ...{ storageClassName: 'manual', local: { path: folder } },
          nodeAffinity: { required: { nodeSelectorTerms: [{ matchExpressions: [node] }] } },
        },
      }),
    );
    await cluster.apply(claimYaml('manual', { storageClassName: 'manual' }));
    await cluster.apply(usingYaml('sees', 'manual', 'cat /data/file'));
    expect((await cluster.podIs('sees', 'Succeeded')).spec.nodeName).toBe('node-2');
    expect(await cluster.must('logs', 'sees')).toBe('prepared\n');
    await cluster.must('delete', 'pod', 'sees');
    await cluster.must('delete', 'pvc', 'manual');
    await cluster.until('a released volume', async () =>
      (await volumes()).some(({ status }) => status?.phase === 'Released'),
    );
    expect(readFileSync(join(folder, 'file'), 'utf8')).toBe('prepared\n');
  } finally {
    await cluster.dhow('delete', 'pv', 'prepared');
    rmSync(folder, { recursive: true, force: true });
  }
});

it('grows a claim as far as a folder can, and has kubectl see all that', async () => {
  await cluster.apply(claimYaml('grows'));
  await cluster.apply(usingYaml('grower', 'grows', 'true'));
  await cluster.podIs('grower', 'Succeeded');
  const patch = JSON.stringify({ spec: { resources: { requests: { storage: '5Mi' } } } });
  expect((await cluster.kubectl('patch', 'pvc', 'grows', '-p', patch)).code).toBe(0);
  const waited = await cluster.kubectl(
    ...['wait', 'pvc/grows', '--for=jsonpath={.status.capacity.storage}=5Mi', '--timeout=60s'],
  );
  expect(waited).toMatchObject({ code: 0 });
  for (const words of [/Used By: {7}grower/, /WaitForFirstConsumer/, /ProvisioningSucceeded/])
    await cluster.untilSaid(words, () => cluster.kubectl('describe', 'pvc', 'grows'));
  expect((await cluster.kubectl('get', 'sc')).stdout).toMatch(
    /local-path \(default\) +dhow.dev\/local-path +Delete +WaitForFirstConsumer +true/,
  );
});

it('makes the default class once, and leaves it to whoever deletes it', async () => {
  const made = await cluster.must('get', 'sc', 'local-path', '-o', 'json');
  await cluster.must('delete', 'sc', 'local-path');
  try {
    process.kill(cluster.pid('server'), 'SIGKILL');
    await cluster.up();
    expect(await cluster.object('sc', 'local-path')).toBeUndefined();
    await cluster.apply(claimYaml('classless'));
    expect((await claim('classless'))?.spec?.storageClassName).toBeUndefined();
  } finally {
    const { metadata, ...rest } = JSON.parse(made) as ApiObject;
    const { name, annotations } = metadata;
    await cluster.apply(JSON.stringify({ ...rest, metadata: { name, annotations } }));
  }
});
