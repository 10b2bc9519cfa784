import { chmodSync, mkdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { createHash } from 'node:crypto';
import { join } from 'node:path';

import type { CSIDriver, Pod, Secret, VolumeAttachment } from '../../api/types';
import { systemClock } from '../../lib/clock';
import { silentLog } from '../../lib/log';
import { CsiVolumes } from '../../node-agent/csi/csi-volumes';
import { MountedVolumes } from '../../node-agent/csi/mounted-volumes';
import { Capability } from '../../node-agent/csi/csi-driver';
import { VolumeUsage_Unit } from '../../proto/gen/csi/v1/node';
import { attachmentNameOf } from '../../api/volumes';
import type { CsiVolume } from '../../node-agent/volumes/csi-volume';
import { createMounter } from '../../node-agent/volumes/mounter';
import { mountCount, namesIn, type TestCsiDriver } from '../support/csi-driver';
import { type RegisteredDriver, startRegisteredDriver } from './support/registered-driver';

const NAME = 'csi.test.example.org';
const { signal } = new AbortController();
const mounter = createMounter();

let directory: string;
let stateDir: string;
let driver: TestCsiDriver;
let registered: RegisteredDriver;
let object: CSIDriver | undefined;
const attachments = new Map<string, VolumeAttachment>();
const secrets = new Map<string, Secret>();
let token = 'token-1';
let bootId = 'boot-1';

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'dhow-csi-'));
  stateDir = join(directory, 'state');
  object = driverObject({});
  attachments.clear();
  secrets.clear();
  bootId = 'boot-1';
  await startDriver();
});
afterEach(async () => {
  await registered.end();
  mounter.unmountAll(directory);
  await rm(directory, { recursive: true, force: true });
});

const startDriver = async (capabilities = [Capability.STAGE_UNSTAGE_VOLUME]): Promise<void> => {
  const folder = join(directory, 'driver');
  registered = await startRegisteredDriver({ name: NAME, folder, stateDir, capabilities });
  ({ driver } = registered);
};

/** Each agent anew, as after a kill: all that it knows is on disk. */
const agent = () =>
  new CsiVolumes({
    ...{ stateDir, bootId, mounter, clock: systemClock, log: silentLog },
    driver: (name) => registered.registry.driver(name),
    source: {
      nodeName: 'n1',
      objects: { secret: (_ns, name) => secrets.get(name), configMap: () => undefined },
      csi: {
        csiDriver: () => object,
        attachment: (name) => attachments.get(name),
      },
      tokens: (key) => ({ key, token }),
    },
  });

const mounted = () =>
  new MountedVolumes(agent(), {
    objects: { secret: (_ns, name) => secrets.get(name), configMap: () => undefined },
  });

const driverObject = (spec: NonNullable<CSIDriver['spec']>): CSIDriver => ({
  apiVersion: 'storage.k8s.io/v1',
  kind: 'CSIDriver',
  metadata: { name: NAME },
  spec: { attachRequired: false, volumeLifecycleModes: ['Persistent', 'Ephemeral'], ...spec },
});
const podOf = (uid: string, spec: Partial<Pod['spec']> = {}): Pod => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'web', namespace: 'ns', uid },
  spec: { containers: [{ name: 'c' }], serviceAccountName: 'account', ...spec },
  status: {},
});
const claimed = (csi: object = {}, more: object = {}, isReadOnly = false): CsiVolume => ({
  name: 'data',
  volume: {
    apiVersion: 'v1',
    kind: 'PersistentVolume',
    metadata: { name: 'pv-1' },
    spec: {
      accessModes: ['ReadWriteOnce'],
      csi: { driver: NAME, volumeHandle: 'vol-1', ...csi },
      ...more,
    },
  },
  isReadOnly,
});
const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');
const inline: CsiVolume = { name: 'scratch', inline: { driver: NAME } };
const secretOf = (name: string, key: string): void => {
  secrets.set(name, {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name, namespace: 'ns' },
    data: { [key]: Buffer.from(`of ${name}`).toString('base64') },
  });
};
const pathOf = async (uid: string, volume = claimed(), by = agent()): Promise<string> =>
  (await by.prepare(podOf(uid), [volume], signal)).get(volume.name) ?? '';
const nothingIsLeft = () => {
  expect(mountCount(stateDir)).toBe(0);
  expect(namesIn(join(stateDir, 'plugins/kubernetes.io/csi', NAME))).toEqual([]);
};

it('stages a volume once for a node, publishes it to each pod, and takes all of it back', async () => {
  writeFileSync(join(driver.volumePath('vol-1'), 'file'), 'precious');
  const [a, b] = [await pathOf('a'), await pathOf('b')];
  expect(a).toBe(join(stateDir, 'pods/a/volumes/kubernetes.io~csi/pv-1/mount'));
  expect([a, b].map((path) => readFileSync(join(path, 'file'), 'utf8'))).toEqual([
    'precious',
    'precious',
  ]);
  await pathOf('a');
  expect(driver.calls).toEqual(['stage vol-1', 'publish vol-1', 'publish vol-1']);
  expect(agent().inUse(['a', 'b'])).toEqual([`kubernetes.io/csi/${NAME}^vol-1`]);
  await agent().release('a', signal);
  expect(readFileSync(join(b, 'file'), 'utf8')).toBe('precious');
  await agent().release('b', signal);
  await agent().release('b', signal);
  expect(driver.calls.slice(3)).toEqual(['unpublish vol-1', 'unpublish vol-1', 'unstage vol-1']);
  expect(readFileSync(join(driver.volumePath('vol-1'), 'file'), 'utf8')).toBe('precious');
  nothingIsLeft();
});

it.each(['stage', 'publish'] as const)(
  'mounts nothing twice when the agent dies in a call: %s',
  async (call) => {
    let isFirst = true;
    driver.afterCall = (each) => {
      if (each !== call || !isFirst) return;
      isFirst = false;
      throw new Error('killed');
    };
    await expect(pathOf('a')).rejects.toThrow(
      'MountVolume.SetUp failed for volume "pv-1" : rpc error: code = Internal desc = killed',
    );
    driver.afterCall = () => undefined;
    expect(mountCount(await pathOf('a'))).toBe(1);
    expect(mountCount(stateDir)).toBe(2);
    await agent().release('a', signal);
    nothingIsLeft();
  },
);

it.each(['unpublish', 'unstage'] as const)(
  'leaves nothing when the agent dies in a call: %s',
  async (call) => {
    await pathOf('a');
    driver.afterCall = (each) => {
      if (each === call) throw new Error('killed');
    };
    await expect(agent().release('a', signal)).rejects.toThrow('killed');
    driver.afterCall = () => undefined;
    await agent().release('a', signal);
    nothingIsLeft();
    await pathOf('b');
    expect(driver.calls.filter((each) => each.startsWith('stage'))).toHaveLength(2);
    await agent().release('b', signal);
    nothingIsLeft();
  },
);

it('publishes again after the machine has started anew', async () => {
  const path = await pathOf('a');
  mounter.unmountAll(stateDir);
  bootId = 'boot-2';
  await pathOf('a');
  expect(mountCount(path)).toBe(1);
  expect(driver.calls).toEqual(['stage vol-1', 'publish vol-1', 'stage vol-1', 'publish vol-1']);
});

it('tells the driver what its object asks for: the pod, its tokens, secrets', async () => {
  object = driverObject({ podInfoOnMount: true, tokenRequests: [{ audience: 'vault' }] });
  secretOf('for-stage', 'key');
  secretOf('for-publish', 'key');
  const refs = {
    volumeAttributes: { share: 'x' },
    nodeStageSecretRef: { namespace: 'ns', name: 'for-stage' },
    nodePublishSecretRef: { namespace: 'ns', name: 'for-publish' },
  };
  await pathOf('a', claimed(refs, { mountOptions: ['noatime'] }));
  expect(driver.stages[0]).toMatchObject({
    secrets: { key: 'of for-stage' },
    volumeContext: { share: 'x' },
    volumeCapability: { accessType: { value: { mountFlags: ['noatime'] } } },
  });
  const tokens = { vault: { token: 'token-1', expirationTimestamp: '' } };
  expect(driver.publishes[0]).toMatchObject({
    secrets: { key: 'of for-publish' },
    volumeContext: {
      share: 'x',
      'csi.storage.k8s.io/pod.name': 'web',
      'csi.storage.k8s.io/pod.namespace': 'ns',
      'csi.storage.k8s.io/pod.uid': 'a',
      'csi.storage.k8s.io/serviceAccount.name': 'account',
      'csi.storage.k8s.io/ephemeral': 'false',
      'csi.storage.k8s.io/serviceAccount.tokens': JSON.stringify(tokens),
    },
  });
  secrets.clear();
  await expect(pathOf('b', claimed(refs))).rejects.toThrow('secrets "for-publish" not found');
});

it('puts tokens among the secrets where the driver wants them there', async () => {
  object = driverObject({ tokenRequests: [{ audience: '' }], serviceAccountTokenInSecrets: true });
  await pathOf('a');
  const [{ secrets: told, volumeContext } = { secrets: {}, volumeContext: {} }] = driver.publishes;
  expect(Object.keys(told)).toEqual(['csi.storage.k8s.io/serviceAccount.tokens']);
  expect(volumeContext).toEqual({});
});

it('tells a driver again that wants to be, when there is something new', async () => {
  object = driverObject({ requiresRepublish: true, tokenRequests: [{ audience: '' }] });
  const by = agent();
  await pathOf('a', inline, by);
  await pathOf('a', inline, by);
  expect(driver.publishes).toHaveLength(1);
  token = 'token-2';
  await pathOf('a', inline, by);
  expect(driver.publishes).toHaveLength(2);
});

it('makes a volume that lives with its pod, unless the driver has none of these', async () => {
  const path = await pathOf('a', inline);
  expect(path).toBe(join(stateDir, 'pods/a/volumes/kubernetes.io~csi/scratch/mount'));
  expect(driver.calls).toEqual([expect.stringMatching(/^publish csi-[0-9a-f]{64}$/)]);
  await agent().release('a', signal);
  nothingIsLeft();
  object = driverObject({ volumeLifecycleModes: ['Persistent'] });
  await expect(pathOf('a', inline)).rejects.toThrow(
    `volume mode "Ephemeral" not supported by driver ${NAME} (only supports ["Persistent"])`,
  );
  object = undefined;
  await expect(pathOf('a', inline)).rejects.toThrow('(no CSIDriver object)');
});

it('waits until the volume is attached, and passes on what that has told', async () => {
  object = undefined;
  await expect(pathOf('a')).rejects.toThrow('is not attached yet');
  expect(driver.calls).toEqual([]);
  const name = attachmentNameOf('vol-1', NAME, 'n1');
  attachments.set(name, {
    apiVersion: 'storage.k8s.io/v1',
    kind: 'VolumeAttachment',
    metadata: { name },
    spec: { attacher: NAME, nodeName: 'n1', source: { persistentVolumeName: 'pv-1' } },
    status: { attached: true, attachmentMetadata: { device: '/dev/x' } },
  });
  await pathOf('a');
  expect(driver.stages[0]?.publishContext).toEqual({ device: '/dev/x' });
  expect(driver.publishes[0]?.publishContext).toEqual({ device: '/dev/x' });
});

it('says that there is no such driver, and takes nothing for gone without it', async () => {
  await pathOf('a');
  const gone = new Promise<void>((resolve) => registered.registry.onDrivers(resolve));
  driver.unregister();
  await gone;
  await expect(pathOf('b')).rejects.toThrow(
    `driver name ${NAME} not found in the list of registered CSI drivers`,
  );
  await expect(agent().release('a', signal)).rejects.toThrow('not found in the list');
  expect(mountCount(join(stateDir, 'pods/a'))).toBe(1);
});

describe('the group of a pod', () => {
  const groupOf = async (volume: CsiVolume): Promise<number> => {
    const root = driver.volumePath('vol-1');
    mkdirSync(join(root, 'folder'), { recursive: true });
    writeFileSync(join(root, 'folder/file'), '');
    chmodSync(join(root, 'folder/file'), 0o600);
    writeFileSync(join(directory, 'outside'), '');
    symlinkSync(join(directory, 'outside'), join(root, 'folder/link'));
    await agent().prepare(podOf('a', { securityContext: { fsGroup: 4242 } }), [volume], signal);
    expect(statSync(join(directory, 'outside')).gid).not.toBe(4242);
    return statSync(join(root, 'folder/file')).gid;
  };

  it('has all of a volume where the policy of the driver says so, and nothing that a link leads to', async () => {
    object = driverObject({ fsGroupPolicy: 'File' });
    expect(await groupOf(claimed())).toBe(4242);
    const root = driver.volumePath('vol-1');
    expect(statSync(join(root, 'folder/file')).mode & 0o7777).toBe(0o660);
    expect(statSync(join(root, 'folder')).mode & 0o2070).toBe(0o2070);
  });

  it.each<[string, number, CSIDriver['spec'], CsiVolume]>([
    ['a file system for one node', 4242, {}, claimed({ fsType: 'ext4' })],
    ['one that says no type', 0, {}, claimed()],
    ['one for many', 0, {}, claimed({ fsType: 'ext4' }, { accessModes: ['ReadWriteMany'] })],
    ['one whose driver wants none', 0, { fsGroupPolicy: 'None' }, claimed({ fsType: 'ext4' })],
    ['one that is read-only', 0, { fsGroupPolicy: 'File' }, claimed({}, {}, true)],
  ])('has %s: %d', async (_what, groupId, spec, volume) => {
    object = driverObject(spec ?? {});
    expect(await groupOf(volume)).toBe(groupId);
  });

  it('is told to drivers that see to it themselves', async () => {
    await registered.end();
    await startDriver([Capability.VOLUME_MOUNT_GROUP]);
    object = driverObject({ fsGroupPolicy: 'File' });
    expect(await groupOf(claimed())).toBe(0);
    expect(driver.publishes[0]?.volumeCapability?.accessType).toMatchObject({
      value: { volumeMountGroup: '4242' },
    });
  });
});

it('grows a volume where it is mounted, with the secret that is for it', async () => {
  secretOf('grow', 'key');
  const volume = claimed({ nodeExpandSecretRef: { namespace: 'ns', name: 'grow' } });
  const grow = () => mounted().grow(podOf('a'), volume, '2Gi', signal);
  expect(await grow()).toBe(false);
  const path = await pathOf('a', volume);
  // This one cannot: then whoever made the volume larger has done all.
  expect(await grow()).toBe(false);
  expect(driver.expansions).toEqual([]);
  await registered.end();
  await startDriver([Capability.STAGE_UNSTAGE_VOLUME, Capability.EXPAND_VOLUME]);
  expect(await grow()).toBe(true);
  expect(driver.expansions).toMatchObject([
    {
      volumeId: 'vol-1',
      volumePath: path,
      stagingTargetPath: join(
        path.split('/pods/')[0] ?? '',
        'plugins/kubernetes.io/csi',
        NAME,
        sha256('vol-1'),
        'globalmount',
      ),
      capacityRange: { requiredBytes: 2n ** 31n, limitBytes: 0n },
      secrets: { key: 'of grow' },
    },
  ]);
});

it('asks a driver how full a volume is, where it counts that and the volume is mounted', async () => {
  const figures = () => mounted().figures(podOf('a'), claimed(), signal);
  driver.stats = {
    usage: [
      { unit: VolumeUsage_Unit.BYTES, available: 60n, total: 100n, used: 40n },
      { unit: VolumeUsage_Unit.INODES, available: 6n, total: 10n, used: 4n },
    ],
    volumeCondition: { abnormal: true, message: 'scratched' },
  };
  const { stats } = driver;
  await pathOf('a');
  expect(await figures()).toBeUndefined();
  await registered.end();
  await startDriver([Capability.STAGE_UNSTAGE_VOLUME, Capability.GET_VOLUME_STATS]);
  driver.stats = stats;
  expect(await figures()).toEqual({
    ...{ availableBytes: 60, capacityBytes: 100, usedBytes: 40 },
    ...{ inodesFree: 6, inodes: 10, inodesUsed: 4 },
  });
  await agent().release('a', signal);
  expect(await figures()).toBeUndefined();
});
