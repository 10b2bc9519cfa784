import {
  PERSISTENT_VOLUME_CLAIMS,
  PERSISTENT_VOLUMES,
  PODS,
  STORAGE_CLASSES,
} from '../../api/resources';
import { hasReason } from '../../api/errors';
import { uidOf } from '../../api/types';
import { isBoundPair } from '../../api/volumes';
import { folderOfWorlds } from './folder';
import { seedsOf } from './seeds';
import { World } from './world';

jest.setTimeout(300_000);

const directory = folderOfWorlds();

const SEEDS = seedsOf(10);

const name = (each: string) => ({ namespace: 'default', name: each });

const classOf = (className: string, provisioner: string, volumeBindingMode: string) => ({
  ...{ apiVersion: 'storage.k8s.io/v1', kind: 'StorageClass', metadata: { name: className } },
  ...{ provisioner, volumeBindingMode, reclaimPolicy: 'Delete' },
});
const claimOf = (claim: string, storageClassName: string) => ({
  ...{ apiVersion: 'v1', kind: 'PersistentVolumeClaim', metadata: name(claim) },
  spec: {
    ...{ accessModes: ['ReadWriteOnce'], storageClassName },
    resources: { requests: { storage: '1Gi' } },
  },
});
const volumeOf = (volume: string, storageClassName: string, node: string | undefined) => ({
  ...{ apiVersion: 'v1', kind: 'PersistentVolume', metadata: { name: volume } },
  spec: {
    ...{ capacity: { storage: '1Gi' }, accessModes: ['ReadWriteOnce'], storageClassName },
    hostPath: { path: `/srv/${volume}` },
    ...(node === undefined
      ? {}
      : {
          nodeAffinity: {
            required: {
              nodeSelectorTerms: [
                {
                  matchExpressions: [
                    { key: 'kubernetes.io/hostname', operator: 'In', values: [node] },
                  ],
                },
              ],
            },
          },
        }),
  },
});
const podOf = (pod: string, claim: string) => ({
  ...{ apiVersion: 'v1', kind: 'Pod', metadata: name(pod) },
  spec: {
    containers: [{ name: 'main', image: 'app:1', resources: { requests: { cpu: '10m' } } }],
    volumes: [{ name: 'data', persistentVolumeClaim: { claimName: claim } }],
  },
});

const stateOf = async ({ client }: World) => ({
  claims: (await client.list(PERSISTENT_VOLUME_CLAIMS)).items,
  volumes: (await client.list(PERSISTENT_VOLUMES)).items,
  pods: (await client.list(PODS)).items,
});

/** No two claims have one volume, and none says that it has what is another's. */
const checkOwners = async (world: World): Promise<void> => {
  const { claims, volumes } = await stateOf(world);
  const byName = new Map(volumes.map((volume) => [volume.metadata.name, volume]));
  const owned = claims
    .filter(({ status }) => status?.phase === 'Bound')
    .map((claim) => {
      const volume = byName.get(claim.spec?.volumeName ?? '');
      if (!isBoundPair(volume, claim))
        throw new Error(`${claim.metadata.name} is bound to what is not its own`);
      return volume?.metadata.name;
    });
  if (new Set(owned).size < owned.length)
    throw new Error(`one volume, two claims: ${owned.join()}`);
};

const ignoringGone = async (work: Promise<unknown>): Promise<void> => {
  try {
    await work;
  } catch (error) {
    if (!hasReason(error, 'NotFound', 'AlreadyExists', 'Conflict')) throw error;
  }
};

it.each(SEEDS)('seed %i: of several claims one gets a volume, whatever is lost', async (seed) => {
  await using world = await World.start(seed, directory(), 3);
  const pick = (n: number) => Math.floor(world.random.next() * n);
  const { client } = world;
  const none = 'kubernetes.io/no-provisioner';
  await client.create(STORAGE_CLASSES, classOf('now', none, 'Immediate'));
  await client.create(STORAGE_CLASSES, classOf('later', none, 'WaitForFirstConsumer'));
  for (let i = 0; i < 4; i++) {
    await client.create(PERSISTENT_VOLUMES, volumeOf(`now-${i}`, 'now', undefined));
    await client.create(PERSISTENT_VOLUMES, volumeOf(`later-${i}`, 'later', `node-${1 + (i % 3)}`));
  }
  world.faultRate = 0.2;
  for (let round = 0; round < 12; round++) {
    const at = pick(7);
    const className = pick(2) === 0 ? 'now' : 'later';
    switch (pick(4)) {
      case 0:
        await ignoringGone(client.delete(PERSISTENT_VOLUME_CLAIMS, name(`c${at}`)));
        break;
      case 1:
        await ignoringGone(client.delete(PODS, name(`p${at}`)));
        break;
      default:
        await ignoringGone(client.create(PERSISTENT_VOLUME_CLAIMS, claimOf(`c${at}`, className)));
        await ignoringGone(client.create(PODS, podOf(`p${at}`, `c${at}`)));
    }
    for (let part = 0; part < 4; part++) {
      await world.advance(500 + pick(2_000));
      await checkOwners(world);
    }
  }
  world.faultRate = 0;
  await world.advance(12 * 60_000);
  await checkOwners(world);
  const { claims, volumes, pods } = await stateOf(world);
  for (const volume of volumes) {
    const owner = claims.find((claim) => uidOf(claim) === volume.spec?.claimRef?.uid);
    const phase = volume.spec?.claimRef === undefined ? 'Available' : owner ? 'Bound' : 'Released';
    expect([volume.metadata.name, volume.status?.phase]).toEqual([volume.metadata.name, phase]);
  }
  for (const pod of pods) {
    const claim = claims.find(
      ({ metadata }) => metadata.name === pod.metadata.name.replace('p', 'c'),
    );
    const isPlaced = pod.spec.nodeName !== undefined;
    expect([pod.metadata.name, isPlaced]).toEqual([
      pod.metadata.name,
      claim?.status?.phase === 'Bound',
    ]);
  }
});

it.each(SEEDS)(
  'seed %i: folders are there as long as their volumes, and no longer',
  async (seed) => {
    await using world = await World.start(seed, directory(), 2, { hasAgents: true });
    const pick = (n: number) => Math.floor(world.random.next() * n);
    const { client } = world;
    await client.create(
      STORAGE_CLASSES,
      classOf('box', 'dhow.dev/local-path', 'WaitForFirstConsumer'),
    );
    world.faultRate = 0.1;
    for (let round = 0; round < 12; round++) {
      const at = pick(5);
      const agent = world.agents[pick(world.agents.length)]!;
      switch (pick(5)) {
        case 0:
          await ignoringGone(client.delete(PERSISTENT_VOLUME_CLAIMS, name(`c${at}`)));
          break;
        case 1:
          await ignoringGone(client.delete(PODS, name(`p${at}`)));
          break;
        case 2:
          agent.kill();
          break;
        default:
          await ignoringGone(client.create(PERSISTENT_VOLUME_CLAIMS, claimOf(`c${at}`, 'box')));
          await ignoringGone(client.create(PODS, podOf(`p${at}`, `c${at}`)));
      }
      await world.advance(1_000 + pick(8_000));
      await checkOwners(world);
      for (const each of world.agents) await each.recover();
      await world.advance(1_000);
    }
    world.faultRate = 0;
    await world.advance(12 * 60_000);
    await expectFolders(world);
    for (const { metadata } of (await stateOf(world)).pods)
      await client.delete(PODS, name(metadata.name));
    for (const { metadata } of (await stateOf(world)).claims)
      await ignoringGone(client.delete(PERSISTENT_VOLUME_CLAIMS, name(metadata.name)));
    await world.advance(3 * 60_000);
    const { claims, volumes } = await stateOf(world);
    expect([claims, volumes]).toEqual([[], []]);
    await expectFolders(world);
  },
);

/** What runs has its volume; what is on disk is a volume's. */
const expectFolders = async (world: World): Promise<void> => {
  const { claims, volumes, pods } = await stateOf(world);
  const uids = new Set(volumes.map(uidOf));
  for (const agent of world.agents)
    for (const folder of agent.volumeFolders()) expect(uids).toContain(folder);
  for (const pod of pods) {
    const claim = claims.find(
      ({ metadata }) => metadata.name === pod.metadata.name.replace('p', 'c'),
    );
    if (claim === undefined || claim.metadata.deletionTimestamp !== undefined) continue;
    const volume = volumes.find(({ metadata }) => metadata.name === claim.spec?.volumeName);
    const agent = world.agents.find((each) => each.name === pod.spec.nodeName);
    expect([pod.metadata.name, pod.status.phase]).toEqual([pod.metadata.name, 'Running']);
    expect(agent?.volumeFolders()).toContain(volume?.metadata.uid);
  }
};
