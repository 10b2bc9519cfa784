import { isPodReady } from '../../api/pods';
import {
  CONTROLLER_REVISIONS,
  EVENTS,
  PERSISTENT_VOLUME_CLAIMS,
  PERSISTENT_VOLUMES,
  PODS,
  STATEFUL_SETS,
} from '../../api/resources';
import type { Pod } from '../../api/types';
import { folderOfWorlds } from './folder';
import { seedsOf } from './seeds';
import { World } from './world';

/* StatefulSets on played nodes: order, identity, claims, and what is lost. */

jest.setTimeout(300_000);

const directory = folderOfWorlds();
const SET = { namespace: 'default', name: 'db' };

const setOf = (replicas: number, more: object = {}, version = 1) => ({
  apiVersion: 'apps/v1',
  kind: 'StatefulSet',
  metadata: SET,
  spec: {
    replicas,
    serviceName: 'db',
    selector: { matchLabels: { app: 'db' } },
    template: {
      metadata: { labels: { app: 'db' } },
      spec: {
        containers: [
          {
            ...{ name: 'main', image: `app:${version}` },
            resources: { requests: { cpu: '100m', memory: '64Mi' } },
          },
        ],
      },
    },
    ...more,
  },
});

const CLAIMS = [
  {
    metadata: { name: 'data' },
    spec: {
      accessModes: ['ReadWriteOnce' as const],
      resources: { requests: { storage: '1Gi' } },
      storageClassName: '',
    },
  },
];

/** Volumes that any node reaches, for claims to be bound to. */
const makeVolumes = async (world: World): Promise<void> => {
  for (let index = 0; index < VOLUMES; index++)
    await world.client.create(PERSISTENT_VOLUMES, {
      apiVersion: 'v1',
      kind: 'PersistentVolume',
      metadata: { name: `volume-${index}` },
      spec: {
        capacity: { storage: '1Gi' },
        accessModes: ['ReadWriteOnce'],
        hostPath: { path: '/srv' },
      },
    });
};
const VOLUMES = 20;

const ordinalOf = ({ metadata }: Pod): number => Number(metadata.labels?.[INDEX]);
const INDEX = 'apps.kubernetes.io/pod-index';

/** Lets time pass step by step, and holds each to what must never be otherwise. */
class Watched {
  private ready = new Set<string>();
  private known = new Map<string, Pod>();
  /** Uids of pods whose node went down with them: nothing may take their place. */
  readonly order: string[] = [];

  constructor(
    readonly world: World,
    private readonly isOrdered: boolean,
    private readonly start = 0,
  ) {}

  async advance(ms: number): Promise<void> {
    for (let passed = 0; passed < ms; passed += 250) {
      const down = new Set(this.world.nodes.filter((node) => node.isDown).map(({ name }) => name));
      const before = this.known;
      await this.world.advance(250);
      const pods = (await this.world.pods()).filter(({ metadata }) => metadata.labels?.[INDEX]);
      this.known = new Map(pods.map((pod) => [pod.metadata.name, pod]));
      expect(this.known.size).toBe(pods.length);
      for (const [name, pod] of before)
        if (down.has(pod.spec.nodeName ?? ''))
          expect(this.known.get(name)?.metadata.uid).toBe(pod.metadata.uid);
      for (const pod of pods) if (!this.isKnown(before, pod)) this.checkOrder(pod, pods);
      this.ready = new Set(pods.filter(isPodReady).map(({ metadata }) => metadata.name));
    }
  }

  private isKnown(before: ReadonlyMap<string, Pod>, { metadata }: Pod): boolean {
    return before.get(metadata.name)?.metadata.uid === metadata.uid;
  }

  private checkOrder(pod: Pod, pods: readonly Pod[]): void {
    this.order.push(pod.metadata.name);
    if (!this.isOrdered) return;
    const now = new Set(pods.filter(isPodReady).map(({ metadata }) => metadata.name));
    for (let lower = this.start; lower < ordinalOf(pod); lower++) {
      const name = `db-${lower}`;
      expect([pod.metadata.name, name, now.has(name) || this.ready.has(name)]).toEqual([
        ...[pod.metadata.name, name, true],
      ]);
    }
  }
}

const begin = async (more: object = {}, replicas = 3, nodeCount = 3) => {
  const world = await World.start(1, directory(), nodeCount);
  await makeVolumes(world);
  await world.client.create(STATEFUL_SETS, setOf(replicas, more));
  return world;
};

const images = async (world: World): Promise<Readonly<Record<string, string | undefined>>> =>
  Object.fromEntries(
    (await world.pods()).map(({ metadata, spec }) => [metadata.name, spec.containers[0]?.image]),
  );

const change = (world: World, spec: object) =>
  world.client.patch(STATEFUL_SETS, SET, 'merge', { spec });

const roll = (world: World, version: number) =>
  world.client.patch(STATEFUL_SETS, SET, 'strategic', {
    spec: { template: { spec: { containers: [{ name: 'main', image: `app:${version}` }] } } },
  });

const statusOf = async (world: World) => (await world.client.get(STATEFUL_SETS, SET)).status;

const eventsOf = async (world: World) =>
  (await world.client.list(EVENTS)).items
    .filter(({ involvedObject }) => involvedObject.kind === 'StatefulSet')
    .map(({ reason, message }) => `${reason ?? ''}: ${message ?? ''}`);

const SEEDS = seedsOf(4);

it.each(SEEDS)(
  'seed %i: never has two pods of an ordinal nor one out of order, whatever fails, and heals',
  async (seed) => {
    await using world = await World.start(seed, directory(), 4);
    await makeVolumes(world);
    const pick = (n: number) => Math.floor(world.random.next() * n);
    const isOrdered = seed % 2 === 1;
    const podManagementPolicy = isOrdered ? 'OrderedReady' : 'Parallel';
    const start = pick(3);
    let [replicas, version] = [1 + pick(4), 1];
    const more = { podManagementPolicy, ordinals: { start }, volumeClaimTemplates: CLAIMS };
    await world.client.create(STATEFUL_SETS, setOf(replicas, more));
    const watched = new Watched(world, isOrdered, start);
    world.faultRate = 0.1;
    for (let round = 0; round < 10; round++) {
      const down = world.nodes.find(({ isDown }) => isDown);
      switch (pick(4)) {
        case 0:
          replicas = 1 + pick(5);
          await change(world, { replicas });
          break;
        case 1:
          await roll(world, ++version);
          break;
        default:
          if (down === undefined) world.nodes[pick(world.nodes.length)]!.isDown = true;
          else down.isDown = false;
      }
      if (pick(3) === 0) world.restartControllers();
      await watched.advance(5_000 + pick(40_000));
    }
    world.faultRate = 0;
    for (const node of world.nodes) node.isDown = false;
    await watched.advance(4 * 60_000);
    const wanted = Array.from({ length: replicas }, (_, n) => [
      `db-${start + n}`,
      `app:${version}`,
    ]);
    expect(await images(world)).toEqual(Object.fromEntries(wanted));
    expect(await statusOf(world)).toMatchObject({
      ...{ replicas, readyReplicas: replicas, updatedReplicas: replicas },
      availableReplicas: replicas,
    });
    const claims = (await world.client.list(PERSISTENT_VOLUME_CLAIMS)).items;
    const names = new Set(claims.map(({ metadata }) => metadata.name));
    for (const [name = ''] of wanted) expect(names).toContain(`data-${name}`);
  },
);

it.each([
  ['in order, before they take effect', 'OrderedReady', false],
  ['in order, after they took effect', 'OrderedReady', true],
  ['all at once, before they take effect', 'Parallel', false],
  ['all at once, after they took effect', 'Parallel', true],
])(
  'survives a death at any of its writes, %s',
  async (_title, podManagementPolicy, takesEffect) => {
    const more = {
      ...{ podManagementPolicy, volumeClaimTemplates: CLAIMS },
      persistentVolumeClaimRetentionPolicy: { whenDeleted: 'Delete', whenScaled: 'Delete' },
    };
    for (let afterWrites = 0; ; afterWrites++) {
      await using world = await World.start(1, directory(), 2);
      await makeVolumes(world);
      world.killControllers({ afterWrites, takesEffect });
      await world.client.create(STATEFUL_SETS, setOf(2, more));
      const watched = new Watched(world, podManagementPolicy === 'OrderedReady');
      await watched.advance(4_000);
      await roll(world, 2);
      await watched.advance(8_000);
      await change(world, { replicas: 1 });
      await watched.advance(3_000);
      const isAllDone = !world.areControllersDead;
      if (world.areControllersDead) world.restartControllers();
      await watched.advance(20_000);
      expect(await images(world)).toEqual({ 'db-0': 'app:2' });
      const claims = (await world.client.list(PERSISTENT_VOLUME_CLAIMS)).items;
      const names = claims.map(({ metadata }) => metadata.name);
      // As upstream, one whose pod was not there when the set was scaled down is kept.
      expect([['data-db-0'], ['data-db-0', 'data-db-1']]).toContainEqual(names);
      const revisions = (await world.client.list(CONTROLLER_REVISIONS)).items;
      expect(revisions.length).toBeLessThanOrEqual(2);
      expect(await statusOf(world)).toMatchObject({ availableReplicas: 1, updatedReplicas: 1 });
      if (isAllDone) {
        expect(afterWrites).toBeGreaterThan(12);
        return;
      }
    }
  },
);

it('makes pods in order, with a claim each before them, and tells of it', async () => {
  await using world = await begin({ volumeClaimTemplates: CLAIMS });
  const watched = new Watched(world, true);
  await watched.advance(20_000);
  expect(watched.order).toEqual(['db-0', 'db-1', 'db-2']);
  const claims = (await world.client.list(PERSISTENT_VOLUME_CLAIMS)).items;
  expect(claims.map(({ metadata }) => metadata)).toMatchObject(
    [0, 1, 2].map((n) => ({ name: `data-db-${n}`, labels: { app: 'db' } })),
  );
  expect(await eventsOf(world)).toEqual(
    expect.arrayContaining([
      'SuccessfulCreate: Create Claim data-db-0 Pod db-0 in StatefulSet db success',
      'SuccessfulCreate: Create Pod db-0 in StatefulSet db successful',
    ]),
  );
  const writes = world.writes.filter(({ verb }) => verb === 'create').map(({ plural }) => plural);
  const kinds = writes.filter((each) => each === 'pods' || each === 'persistentvolumeclaims');
  expect(kinds).toEqual([0, 1, 2].flatMap(() => ['persistentvolumeclaims', 'pods']));
});

it('makes all at once when it is parallel', async () => {
  await using world = await begin({ podManagementPolicy: 'Parallel' });
  await world.advance(500);
  expect(await world.pods()).toHaveLength(3);
});

it('goes up from ordinals.start', async () => {
  await using world = await begin({ ordinals: { start: 5 } }, 2);
  await world.advance(15_000);
  expect(Object.keys(await images(world))).toEqual(['db-5', 'db-6']);
});

it('goes on only once a pod has been ready for minReadySeconds', async () => {
  await using world = await begin({ minReadySeconds: 30 }, 2);
  await world.advance(25_000);
  expect(Object.keys(await images(world))).toEqual(['db-0']);
  expect(await statusOf(world)).toMatchObject({ readyReplicas: 1, availableReplicas: 0 });
  await world.advance(70_000);
  expect(await statusOf(world)).toMatchObject({ readyReplicas: 2, availableReplicas: 2 });
});

it('rolls a new template out down to the partition', async () => {
  await using world = await begin();
  await world.advance(20_000);
  const partition = (n: number) => ({ updateStrategy: { rollingUpdate: { partition: n } } });
  await change(world, partition(2));
  await roll(world, 2);
  await world.advance(30_000);
  expect(await images(world)).toEqual({ 'db-0': 'app:1', 'db-1': 'app:1', 'db-2': 'app:2' });
  const { currentRevision, updateRevision } = await statusOf(world);
  expect(currentRevision).not.toBe(updateRevision);
  // One that is lost below the partition comes again as it was.
  await world.client.delete(PODS, { namespace: 'default', name: 'db-0' });
  await world.advance(10_000);
  expect(await images(world)).toMatchObject({ 'db-0': 'app:1' });
  await change(world, partition(0));
  await world.advance(30_000);
  expect(Object.values(await images(world))).toEqual(['app:2', 'app:2', 'app:2']);
  const status = await statusOf(world);
  expect(status).toMatchObject({ currentRevision: updateRevision, currentReplicas: 3 });
});

it('leaves it to people to delete pods with OnDelete', async () => {
  await using world = await begin({ updateStrategy: { type: 'OnDelete' } });
  await world.advance(20_000);
  await roll(world, 2);
  await world.advance(20_000);
  expect(new Set(Object.values(await images(world)))).toEqual(new Set(['app:1']));
  await world.client.delete(PODS, { namespace: 'default', name: 'db-1' });
  await world.advance(10_000);
  expect(await images(world)).toMatchObject({ 'db-0': 'app:1', 'db-1': 'app:2' });
});

it('keeps as many revisions as revisionHistoryLimit says, and those in use', async () => {
  await using world = await begin({ revisionHistoryLimit: 1 }, 1);
  for (const version of [2, 3, 4]) {
    await world.advance(15_000);
    await roll(world, version);
  }
  await world.advance(15_000);
  const revisions = (await world.client.list(CONTROLLER_REVISIONS)).items;
  expect(revisions.map(({ revision }) => revision).sort()).toEqual([3, 4]);
  await roll(world, 3);
  await world.advance(15_000);
  const again = (await world.client.list(CONTROLLER_REVISIONS)).items;
  expect(again.map(({ revision }) => revision).sort()).toEqual([4, 5]);
});

it('makes a pod that has failed again', async () => {
  await using world = await begin({}, 2);
  await world.advance(15_000);
  const name = { namespace: 'default', name: 'db-0' };
  const pod = await world.client.get(PODS, name);
  const status = { ...pod.status, phase: 'Failed', reason: 'Evicted' };
  await world.client.update(PODS, { ...pod, status }, { subresource: 'status' });
  await world.advance(10_000);
  const after = await world.client.get(PODS, name);
  expect(after.metadata.uid).not.toBe(pod.metadata.uid);
  expect(isPodReady(after)).toBe(true);
  expect(await eventsOf(world)).toContain(
    'RecreatingFailedPod: StatefulSet default/db is recreating failed Pod db-0',
  );
});

it('makes pods that are rejected again and again at growing intervals', async () => {
  await using world = await begin();
  await world.advance(20_000);
  const containers = [
    {
      ...{ name: 'main', image: 'app:2' },
      resources: { requests: { cpu: '5', memory: '64Mi' } },
    },
  ];
  await world.client.patch(STATEFUL_SETS, SET, 'strategic', {
    spec: { template: { spec: { nodeName: 'node-1', containers } } },
  });
  await world.advance(10_000);
  world.writes.length = 0;
  await world.advance(120_000);
  const created = world.writes.filter(({ verb, plural }) => verb === 'create' && plural === 'pods');
  expect(created.length).toBeGreaterThan(1);
  expect(created.length).toBeLessThan(12);
  expect((await statusOf(world)).conditions).toMatchObject([{ reason: 'PodsEndEarly' }]);
});

it('replaces a pod that never became ready once its template is mended', async () => {
  await using world = await begin();
  await world.advance(20_000);
  await world.client.patch(STATEFUL_SETS, SET, 'merge', {
    spec: { template: { spec: { nodeSelector: { no: 'where' } } } },
  });
  await world.advance(20_000);
  expect((await world.pods()).filter(isPodReady)).toHaveLength(2);
  await world.client.patch(STATEFUL_SETS, SET, 'merge', {
    spec: { template: { spec: { nodeSelector: null } } },
  });
  await world.advance(30_000);
  expect((await world.pods()).filter(isPodReady)).toHaveLength(3);
});

it('replaces no pod of a lost node until it is gone, and says what people can do', async () => {
  await using world = await begin();
  const watched = new Watched(world, true);
  await watched.advance(20_000);
  const name = { namespace: 'default', name: 'db-1' };
  const pod = await world.client.get(PODS, name);
  const node = world.nodes.find((each) => each.name === pod.spec.nodeName)!;
  node.isDown = true;
  await watched.advance(8 * 60_000);
  expect((await world.client.get(PODS, name)).metadata.uid).toBe(pod.metadata.uid);
  const told = `kubectl delete pod db-1 --namespace default --force`;
  expect((await statusOf(world)).conditions).toMatchObject([
    { type: 'ReplicaFailure', reason: 'PodOnLostNode', message: expect.stringContaining(told) },
  ]);
  const lost = (await eventsOf(world)).filter((each) => each.startsWith('PodOnLostNode: Pod db-1'));
  expect(lost).toHaveLength(1);
  await world.client.delete(PODS, name, { gracePeriodSeconds: 0 });
  await world.advance(60_000);
  const after = await world.client.get(PODS, name);
  expect(after.metadata.uid).not.toBe(pod.metadata.uid);
  expect(isPodReady(after)).toBe(true);
  expect((await statusOf(world)).conditions).toBeUndefined();
});

it.each([
  ['Retain', 'Retain', ['data-db-0', 'data-db-1'], ['data-db-0', 'data-db-1']],
  ['Retain', 'Delete', ['data-db-0'], ['data-db-0']],
  ['Delete', 'Retain', ['data-db-0', 'data-db-1'], []],
  ['Delete', 'Delete', ['data-db-0'], []],
])('keeps claims whenDeleted %s, whenScaled %s', async (whenDeleted, whenScaled, scaled, left) => {
  const persistentVolumeClaimRetentionPolicy = { whenDeleted, whenScaled };
  await using world = await begin(
    { persistentVolumeClaimRetentionPolicy, volumeClaimTemplates: CLAIMS },
    2,
  );
  const claims = async () =>
    (await world.client.list(PERSISTENT_VOLUME_CLAIMS)).items.map(({ metadata }) => metadata.name);
  await world.advance(15_000);
  expect(await claims()).toEqual(['data-db-0', 'data-db-1']);
  await change(world, { replicas: 1 });
  await world.advance(15_000);
  expect(await claims()).toEqual(scaled);
  await world.client.delete(STATEFUL_SETS, SET);
  await world.advance(30_000);
  expect(await world.pods()).toEqual([]);
  expect(await claims()).toEqual(left);
});

it('makes a claim again that a waiting pod lacks, and no pod while one is being deleted', async () => {
  await using world = await World.start(1, directory(), 1);
  const more = { volumeClaimTemplates: CLAIMS };
  const name = { namespace: 'default', name: 'data-db-0' };
  const claim = await world.client.create(PERSISTENT_VOLUME_CLAIMS, {
    apiVersion: 'v1',
    kind: 'PersistentVolumeClaim',
    metadata: { ...name, finalizers: ['example.com/keep'] },
    ...{ spec: CLAIMS[0]?.spec ?? {} },
  });
  await world.client.delete(PERSISTENT_VOLUME_CLAIMS, name);
  world.nodes[0]!.isDown = true;
  await world.client.create(STATEFUL_SETS, setOf(1, more));
  await world.advance(10_000);
  expect(await world.pods()).toEqual([]);
  expect(await eventsOf(world)).toContain(
    'FailedCreate: Create Pod db-0 in StatefulSet db failed error: pvc data-db-0 is being deleted',
  );
  const body = { metadata: { finalizers: null } };
  await world.client.patch(PERSISTENT_VOLUME_CLAIMS, name, 'merge', body);
  await world.advance(40_000);
  expect(await world.pods()).toHaveLength(1);
  const second = await world.client.get(PERSISTENT_VOLUME_CLAIMS, name);
  expect(second.metadata.uid).not.toBe(claim.metadata.uid);
  await world.client.delete(PERSISTENT_VOLUME_CLAIMS, name);
  await world.advance(5_000);
  const third = await world.client.get(PERSISTENT_VOLUME_CLAIMS, name);
  expect(third.metadata.uid).not.toBe(second.metadata.uid);
});

it('takes no claim over that goes with a pod that was scaled down', async () => {
  await using world = await begin(
    {
      persistentVolumeClaimRetentionPolicy: { whenDeleted: 'Retain', whenScaled: 'Delete' },
      volumeClaimTemplates: CLAIMS,
    },
    2,
  );
  await world.advance(15_000);
  for (const pause of [250, 500, 750, 1_000, 2_000]) {
    await change(world, { replicas: 1 });
    await world.advance(pause);
    await change(world, { replicas: 2 });
    await world.advance(20_000);
    expect((await world.pods()).filter(isPodReady)).toHaveLength(2);
    const claims = (await world.client.list(PERSISTENT_VOLUME_CLAIMS)).items;
    expect(claims.map(({ metadata }) => metadata)).toMatchObject([
      ...[{ name: 'data-db-0' }, { name: 'data-db-1' }],
    ]);
    for (const { metadata } of claims) {
      expect(metadata.ownerReferences ?? []).toEqual([]);
      expect(metadata.deletionTimestamp).toBeUndefined();
    }
  }
});

it('adopts pods and revisions that an earlier set of its name left behind', async () => {
  await using world = await begin({}, 2);
  await world.advance(15_000);
  const uids = async () => (await world.pods()).map(({ metadata }) => metadata.uid);
  const before = await uids();
  await world.client.delete(STATEFUL_SETS, SET, { propagationPolicy: 'Orphan' });
  await world.advance(10_000);
  const unlabelled = { metadata: { labels: { [INDEX]: null } } };
  await world.client.patch(PODS, { namespace: 'default', name: 'db-1' }, 'merge', unlabelled);
  await world.client.create(STATEFUL_SETS, setOf(2));
  await world.advance(15_000);
  expect(await uids()).toEqual(before);
  expect((await world.pods()).map(ordinalOf)).toEqual([0, 1]);
  expect((await world.client.list(CONTROLLER_REVISIONS)).items).toHaveLength(1);
  expect(await statusOf(world)).toMatchObject({ replicas: 2, updatedReplicas: 2 });
});
