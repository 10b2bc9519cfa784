import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import type { PersistentVolume, PersistentVolumeClaim, Pod } from '../../api/types';
import { withHold } from '../../api/volume-hold';
import { ManualClock } from '../../lib/clock';
import { silentLog } from '../../lib/log';
import { fakeMounter, noNfs } from './fake-mounter';
import { FolderRemover } from './folder-remover';
import { VolumeManager } from './volume-manager';

let directory: string;
const claims = new Map<string, PersistentVolumeClaim>();
const volumes = new Map<string, PersistentVolume>();
let manager: VolumeManager;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'dhow-claims-'));
  claims.clear();
  volumes.clear();
  manager = managerOf();
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const managerOf = () =>
  new VolumeManager({
    stateDir: join(directory, 'state'),
    runDir: join(directory, 'run'),
    mounter: fakeMounter(),
    nfs: noNfs,
    claims: { claim: (_namespace, name) => claims.get(name), volume: (name) => volumes.get(name) },
    tokens: () => undefined,
    node: () => ({ name: 'n1', labels: { zone: 'a' } }),
  });

const bind = (name: string, volume: object = {}, claim: object = {}, metadata: object = {}) => {
  const pv = `pv-${name}`;
  claims.set(name, {
    apiVersion: 'v1',
    kind: 'PersistentVolumeClaim',
    metadata: { name, namespace: 'ns', uid: `uid-${name}`, ...claim },
    spec: { volumeName: pv },
  });
  volumes.set(pv, {
    apiVersion: 'v1',
    kind: 'PersistentVolume',
    metadata: {
      ...{ name: pv, uid: `uid-${pv}` },
      annotations: {
        'pv.kubernetes.io/provisioned-by': 'dhow.dev/local-path',
        'dhow.dev/volume-node': 'n1',
      },
      finalizers: ['dhow.dev/volume-folder'],
      ...metadata,
    },
    spec: {
      persistentVolumeReclaimPolicy: 'Delete',
      local: { path: pv },
      claimRef: { namespace: 'ns', name, uid: `uid-${name}` },
      ...volume,
    },
  });
};

const GOING = { deletionTimestamp: '2030-01-01T00:00:00Z' };
const going = (name: string, more: object = {}) => {
  const volume = volumes.get(name)!;
  volumes.set(name, { ...volume, metadata: { ...volume.metadata, ...GOING, ...more } });
};

const podOf = (uid: string, claimName: string, spec: object = {}): Pod => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'web', namespace: 'ns', uid },
  spec: {
    containers: [{ name: 'c' }],
    volumes: [{ name: 'data', persistentVolumeClaim: { claimName } }],
    ...spec,
  },
  status: {},
});
const node = {
  ...{ nodeName: 'n1', hostIps: ['192.0.2.1'], podIps: ['10.42.0.2'] },
  ...{ allocatableCpuMillis: 2000, allocatableMemoryBytes: 2 ** 31 },
};
const objects = { secret: () => undefined, configMap: () => undefined };
const prepare = (pod: Pod): string =>
  manager.prepare({ pod, objects, node }).get('data') ?? 'nothing';

const removerOf = (clock: ManualClock) =>
  new FolderRemover({
    folders: manager.folders,
    volumes: () => [...volumes.values()],
    settings: { housekeepingMs: 1_000 },
    ...{ clock, log: silentLog },
  });

/** One round of the remover; what it then tells the server. */
const removals = async (): Promise<readonly string[]> => {
  const remover = removerOf(new ManualClock(0));
  const stop = new AbortController();
  const running = remover.run(() => true, stop.signal);
  for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
  stop.abort();
  await running;
  return remover.takeRemoved(10);
};

it('gives pods the folder of their claim, which outlives them', async () => {
  bind('a');
  const path = prepare(podOf('1', 'a'));
  expect(path).toBe(join(directory, 'state', 'volumes', 'uid-pv-a'));
  expect(statSync(path).mode & 0o7777).toBe(0o777);
  writeFileSync(join(path, 'file'), 'x');
  await manager.remove('1');
  manager = managerOf();
  expect(readFileSync(join(prepare(podOf('2', 'a')), 'file'), 'utf8')).toBe('x');
});

describe('block devices', () => {
  /** Any device node will do where nothing is done to it. */
  const bindLocal = (path: string, volumeMode = 'Block') =>
    bind('a', { volumeMode, local: { path } }, {}, { annotations: {} });
  const using = (field: 'volumeDevices' | 'volumeMounts', list = 'containers') =>
    podOf('1', 'a', {
      [list]: [{ name: 'c', [field]: [{ name: 'data', devicePath: '/d', mountPath: '/d' }] }],
    });

  it.each<[string, 'volumeDevices' | 'volumeMounts', string]>([
    ['Block', 'volumeMounts', 'containers'],
    ['Filesystem', 'volumeDevices', 'containers'],
    ['Block', 'volumeMounts', 'initContainers'],
    ['Filesystem', 'volumeDevices', 'ephemeralContainers'],
  ])('are no folders, nor the other way round: %s in %s of %s', (mode, field, list) => {
    bindLocal(directory, mode);
    expect(() => prepare(using(field, list))).toThrow(
      `volume data has volumeMode ${mode}, but is specified in ${field}`,
    );
  });

  it('are nothing but block devices, of which no file system is measured', () => {
    for (const path of [directory, join(directory, 'none'), '/dev/null']) {
      bindLocal(path);
      expect(() => prepare(using('volumeDevices'))).toThrow(
        `MapVolume.SetUpDevice failed for volume "pv-a" : path "${path}" is no block device`,
      );
    }
    expect(manager.folders.folderOf(volumes.get('pv-a')!)).toBeUndefined();
  });
});

it('gives the folder to the group of the pod', () => {
  bind('a');
  const path = prepare(podOf('1', 'a', { securityContext: { fsGroup: 4242 } }));
  expect([statSync(path).gid, statSync(path).mode & 0o7777]).toEqual([4242, 0o2777]);
});

const hold = (name: string) => volumes.set(name, withHold(volumes.get(name)!, 'for a reason'));

it('goes on with a volume that it had before that was held', () => {
  bind('a');
  const pod = podOf('1', 'a');
  const path = prepare(pod);
  hold('pv-a');
  expect(prepare(pod)).toBe(path);
  expect(() => prepare(podOf('2', 'a'))).toThrow('volume "pv-a" is held: for a reason');
});

it.each<[string, () => void]>([
  ['persistentvolumeclaim "a" not found', () => claims.delete('a')],
  ['can\'t start pod because PVC "a" is being deleted', () => bind('a', {}, GOING)],
  ['PVC "a" is not bound', () => volumes.clear()],
  // As when a claim of the same name was made anew: the folder is the former's.
  ['PVC "a" is not bound', () => bind('a', {}, { uid: 'uid-new' })],
  ['PVC "a" is not bound', () => bind('a', { claimRef: { namespace: 'ns', name: 'b', uid: 'u' } })],
  [
    'volume "pv-a" has volumeMode Block, which only local volumes and those of CSI drivers can have',
    () => bind('a', { volumeMode: 'Block' }),
  ],
  [
    'volume "pv-a" has volumeMode Block, which only local volumes and those of CSI drivers can have',
    () => bind('a', { volumeMode: 'Block', hostPath: { path: '/dev/loop0' }, local: undefined }),
  ],
  ['volume "pv-a" has mount options', () => bind('a', { mountOptions: ['ro'] })],
  ['volume "pv-a" is being deleted', () => going('pv-a')],
  ['volume "pv-a" is held: for a reason', () => hold('pv-a')],
  [
    'volume "pv-a" lies on node "n2"',
    () =>
      bind(
        'a',
        {},
        {},
        {
          annotations: {
            'pv.kubernetes.io/provisioned-by': 'dhow.dev/local-path',
            'dhow.dev/volume-node': 'n2',
          },
        },
      ),
  ],
  [
    'volume "pv-a" cannot be reached: no matching NodeSelectorTerms',
    () =>
      bind('a', {
        nodeAffinity: {
          required: {
            nodeSelectorTerms: [
              { matchExpressions: [{ key: 'zone', operator: 'In', values: ['b'] }] },
            ],
          },
        },
      }),
  ],
  ['is no uid of a volume', () => bind('a', {}, {}, { uid: '../../etc' })],
  [
    'this type of volume is not supported',
    () => bind('a', { local: undefined }, {}, { annotations: {} }),
  ],
])('makes no pod wait for nothing, and lets none see what is not its own: %s', (why, change) => {
  bind('a');
  change();
  expect(() => prepare(podOf('1', 'a'))).toThrow(why);
});

it('lets a pod go on that has a claim which is being deleted', () => {
  bind('a');
  const path = prepare(podOf('1', 'a'));
  bind('a', {}, GOING);
  expect(prepare(podOf('1', 'a'))).toBe(path);
  expect(() => prepare(podOf('2', 'a'))).toThrow('is being deleted');
});

it('uses what an administrator has prepared, and makes no folder in its place', () => {
  const path = join(directory, 'disk');
  bind('a', { local: { path } }, {}, { annotations: {} });
  expect(() => prepare(podOf('1', 'a'))).toThrow(`path "${path}" does not exist`);
  mkdirSync(path);
  expect(prepare(podOf('1', 'a'))).toBe(path);
  const host = join(directory, 'host');
  bind(
    'b',
    { local: undefined, hostPath: { path: host, type: 'DirectoryOrCreate' } },
    {},
    {
      annotations: {},
    },
  );
  expect(prepare(podOf('1', 'b'))).toBe(host);
  expect(existsSync(host)).toBe(true);
});

it('gives a volume for one pod at a time to one', async () => {
  bind('a', { accessModes: ['ReadWriteOncePod'] });
  prepare(podOf('1', 'a'));
  prepare(podOf('1', 'a'));
  expect(() => prepare(podOf('2', 'a'))).toThrow(
    'volume uses the ReadWriteOncePod access mode and is already in use by another pod',
  );
  await manager.remove('1');
  expect(prepare(podOf('2', 'a'))).toContain('uid-pv-a');
});

it('takes only a claim that was made for the pod as its own', () => {
  const ephemeral = { volumeClaimTemplate: { spec: {} } };
  const pod = podOf('1', '', { volumes: [{ name: 'data', ephemeral }] });
  bind('web-data');
  expect(() => prepare(pod)).toThrow('PVC "web-data" was not created for pod "web"');
  const owner = { apiVersion: 'v1', kind: 'Pod', name: 'web', uid: '1', controller: true };
  bind('web-data', {}, { ownerReferences: [owner] });
  expect(prepare(pod)).toContain('uid-pv-web-data');
});

describe('a volume that is being deleted', () => {
  it('loses its folder, and says so again while the server tells of it', async () => {
    bind('a');
    const path = prepare(podOf('1', 'a'));
    await manager.remove('1');
    const outside = join(directory, 'outside');
    mkdirSync(outside);
    writeFileSync(join(outside, 'kept'), '');
    symlinkSync(outside, join(path, 'link'));
    going('pv-a');
    expect(await removals()).toEqual(['uid-pv-a']);
    expect(existsSync(path)).toBe(false);
    expect(existsSync(join(outside, 'kept'))).toBe(true);
    expect(await removals()).toEqual(['uid-pv-a']);
  });

  it('keeps it while a pod uses it, also one that an earlier agent ran', async () => {
    bind('a');
    const path = prepare(podOf('1', 'a'));
    manager = managerOf();
    going('pv-a');
    expect(await removals()).toEqual([]);
    expect(existsSync(path)).toBe(true);
    await manager.remove('1');
    expect(await removals()).toEqual(['uid-pv-a']);
  });

  it.each<[string, object, object]>([
    ['its policy is to retain it', { persistentVolumeReclaimPolicy: 'Retain' }, {}],
    ['it is bound', {}, { finalizers: ['kubernetes.io/pv-protection', 'dhow.dev/volume-folder'] }],
    ['it is no folder of ours', {}, { annotations: {} }],
  ])('keeps it when %s', async (_why, spec, metadata) => {
    bind('a');
    const path = prepare(podOf('1', 'a'));
    await manager.remove('1');
    bind('a', spec);
    going('pv-a', metadata);
    expect(await removals()).toEqual([]);
    expect(existsSync(path)).toBe(true);
  });
});
