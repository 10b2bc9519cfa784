import { existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import type { CSIDriver, Pod } from '../../api/types';
import { systemClock } from '../../lib/clock';
import { silentLog } from '../../lib/log';
import { Capability } from '../../node-agent/csi/csi-driver';
import { CsiVolumes } from '../../node-agent/csi/csi-volumes';
import { MountedVolumes } from '../../node-agent/csi/mounted-volumes';
import type { CsiVolume } from '../../node-agent/volumes/csi-volume';
import { createMounter } from '../../node-agent/volumes/mounter';
import { mountCount, namesIn, type TestCsiDriver } from '../support/csi-driver';
import { hasLoopDevices } from '../support/loop-device';
import { type RegisteredDriver, startRegisteredDriver } from './support/registered-driver';

const NAME = 'block.test.example.org';
const { signal } = new AbortController();
const mounter = createMounter();
const objects = { secret: () => undefined, configMap: () => undefined };
const object: CSIDriver = {
  apiVersion: 'storage.k8s.io/v1',
  kind: 'CSIDriver',
  metadata: { name: NAME },
  spec: { attachRequired: false, fsGroupPolicy: 'File' },
};

(hasLoopDevices() ? describe : describe.skip)('block volumes of drivers', () => {
  let directory: string;
  let stateDir: string;
  let driver: TestCsiDriver;
  let registered: RegisteredDriver;
  let bootId = 'boot-1';

  const start = async (capabilities: readonly Capability[]): Promise<void> => {
    const folder = join(directory, 'driver');
    registered = await startRegisteredDriver({ name: NAME, folder, stateDir, capabilities });
    ({ driver } = registered);
  };
  // Its loop devices are free once nothing of them is mounted.
  const end = async (): Promise<void> => {
    mounter.unmountAll(directory);
    await registered.end();
  };

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'dhow-block-'));
    stateDir = join(directory, 'state');
    bootId = 'boot-1';
    await start([Capability.STAGE_UNSTAGE_VOLUME, Capability.EXPAND_VOLUME]);
  });
  afterEach(async () => {
    await end();
    await rm(directory, { recursive: true, force: true });
  });

  /** Each agent anew, as after a kill: all that it knows is on disk. */
  const agent = () =>
    new CsiVolumes({
      ...{ stateDir, bootId, mounter, clock: systemClock, log: silentLog },
      driver: (name) => registered.registry.driver(name),
      source: {
        ...{ nodeName: 'n1', objects, tokens: () => undefined },
        csi: { csiDriver: () => object, attachment: () => undefined },
      },
    });
  const podOf = (uid: string): Pod => ({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'web', namespace: 'ns', uid },
    spec: { containers: [{ name: 'c' }], securityContext: { fsGroup: 4242 } },
    status: {},
  });
  const volumeOf = (volumeHandle = 'vol-1', isReadOnly = false): CsiVolume => ({
    name: 'data',
    volume: {
      apiVersion: 'v1',
      kind: 'PersistentVolume',
      metadata: { name: 'pv-1' },
      spec: {
        accessModes: ['ReadWriteOnce'],
        volumeMode: 'Block',
        csi: { driver: NAME, volumeHandle },
      },
    },
    isReadOnly,
  });
  const deviceOf = async (uid: string, volume = volumeOf()): Promise<string> =>
    (await agent().prepare(podOf(uid), [volume], signal)).get('data') ?? '';
  const devices = (name: string) => join(stateDir, 'plugins/kubernetes.io/csi/volumeDevices', name);
  const nothingIsLeft = () => {
    expect(mountCount(stateDir)).toBe(0);
    expect(['publish', 'staging', 'ready'].flatMap((name) => namesIn(devices(name)))).toEqual([]);
    expect(namesIn(join(stateDir, 'pods')).flatMap((uid) => volumesIn(uid))).toEqual([]);
    expect(driver.diskCount).toBe(0);
  };
  const volumesIn = (uid: string) =>
    namesIn(join(stateDir, 'pods', uid, 'volumes/kubernetes.io~csi'));

  it('are staged once for a node, published to each pod as upstream does, and taken back', async () => {
    const [a, b] = [await deviceOf('a'), await deviceOf('b', volumeOf('vol-1', true))];
    expect([a, b]).toEqual(['a', 'b'].map((uid) => join(devices('publish'), 'pv-1', uid)));
    expect([a, b].map((path) => statSync(path).isBlockDevice())).toEqual([true, true]);
    expect(statSync(a).rdev).toBe(statSync(b).rdev);
    expect(statSync(a).gid).not.toBe(4242);
    writeFileSync(a, 'data', { flag: 'r+' });
    expect(driver.stages[0]).toMatchObject({
      stagingTargetPath: join(devices('staging'), 'pv-1'),
      volumeCapability: { accessType: { $case: 'block' } },
    });
    expect(driver.publishes.map(({ readonly }) => readonly)).toEqual([false, true]);
    await deviceOf('a');
    expect(driver.calls).toEqual(['stage vol-1', 'publish vol-1', 'publish vol-1']);
    expect(agent().inUse(['a', 'b'])).toEqual([`kubernetes.io/csi/${NAME}^vol-1`]);
    await agent().release('a', signal);
    expect(statSync(b).isBlockDevice()).toBe(true);
    await agent().release('b', signal);
    await agent().release('b', signal);
    expect(driver.calls.slice(3)).toEqual(['unpublish vol-1', 'unpublish vol-1', 'unstage vol-1']);
    nothingIsLeft();
    expect(readFileSync(driver.blockFile('vol-1')).subarray(0, 4).toString()).toBe('data');
  });

  it.each(['stage', 'publish'] as const)(
    'are made once when the agent dies in %s',
    async (call) => {
      driver.afterCall = (each) => {
        if (each === call) throw new Error('killed');
      };
      await expect(deviceOf('a')).rejects.toMatchObject({
        reason: 'FailedMapVolume',
        message:
          'MapVolume.SetUpDevice failed for volume "pv-1" : rpc error: code = Internal desc = killed',
      });
      driver.afterCall = () => undefined;
      expect(mountCount(await deviceOf('a'))).toBe(1);
      expect([mountCount(stateDir), driver.diskCount]).toEqual([1, 1]);
      await agent().release('a', signal);
      nothingIsLeft();
    },
  );

  it.each(['stage', 'publish', 'unpublish', 'unstage'] as const)(
    'leave nothing when the agent dies in %s, and the pod is gone',
    async (call) => {
      const die = (each: string) => {
        if (each === call) throw new Error('killed');
      };
      driver.afterCall = die;
      await deviceOf('a')
        .then(
          () => agent().release('a', signal),
          () => undefined,
        )
        .catch(() => undefined);
      driver.afterCall = () => undefined;
      await agent().release('a', signal);
      nothingIsLeft();
    },
  );

  it('are made again after the machine has started anew', async () => {
    const path = await deviceOf('a');
    mounter.unmountAll(stateDir);
    bootId = 'boot-2';
    expect(statSync(path).isFile()).toBe(true);
    expect(statSync(await deviceOf('a')).isBlockDevice()).toBe(true);
    expect(driver.calls.slice(2)).toEqual(['stage vol-1', 'publish vol-1']);
  });

  it('never stand for a volume that had the name before', async () => {
    await deviceOf('a');
    await expect(deviceOf('b', volumeOf('vol-2'))).rejects.toThrow(
      `${join(devices('staging'), 'pv-1')} is still in use by volume vol-1`,
    );
    await agent().release('b', signal);
    expect(driver.calls).toEqual(['stage vol-1', 'publish vol-1']);
    await agent().release('a', signal);
    await deviceOf('b', volumeOf('vol-2'));
    expect(driver.calls.slice(-2)).toEqual(['stage vol-2', 'publish vol-2']);
    await agent().release('b', signal);
    nothingIsLeft();
  });

  it('are refused where the driver makes none', async () => {
    driver.afterCall = (call) => {
      if (call !== 'publish') return;
      const path = join(devices('publish'), 'pv-1', 'a');
      mounter.unmountAll(path);
      rmSync(path, { force: true });
      mkdirSync(path);
    };
    await expect(deviceOf('a')).rejects.toThrow('the driver has made no block device at');
    driver.afterCall = () => undefined;
    await agent().release('a', signal);
    nothingIsLeft();
  });

  it('need no staging, and grow where they are', async () => {
    await end();
    await start([Capability.EXPAND_VOLUME]);
    const path = await deviceOf('a');
    expect(driver.calls).toEqual(['publish vol-1']);
    expect(existsSync(devices('staging'))).toBe(false);
    const mounted = new MountedVolumes(agent(), { objects });
    expect(await mounted.grow(podOf('a'), volumeOf(), '2Mi', signal)).toBe(true);
    expect(driver.expansions[0]).toMatchObject({
      volumePath: path,
      volumeCapability: { accessType: { $case: 'block' } },
    });
    expect(readFileSync(path)).toHaveLength(2 << 20);
  });
});
