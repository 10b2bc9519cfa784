import { DEPLOYMENTS, PODS, REPLICA_SETS } from '../../api/resources';
import { nameOf } from '../../api/types';
import { folderOfWorlds } from './folder';
import { deploymentOf, World } from './world';

/* What the fields of a Deployment and of a ReplicaSet do that no planner shows by itself. */

jest.setTimeout(120_000);

const directory = folderOfWorlds();
let world: World;

beforeEach(async () => {
  world = await World.start(1, directory(), 2);
});

afterEach(() => world[Symbol.asyncDispose]());

const APP = { namespace: 'default', name: 'a' };

const create = async (more: object, replicas = 2): Promise<void> => {
  const deployment = deploymentOf('a', replicas, 1);
  await world.client.create(DEPLOYMENTS, {
    ...deployment,
    spec: { ...deployment.spec, ...more },
  });
};

const roll = (version: number) =>
  world.client.patch(DEPLOYMENTS, APP, 'strategic', {
    spec: { template: { spec: { containers: [{ name: 'main', image: `app:${version}` }] } } },
  });

const change = (spec: object) => world.client.patch(DEPLOYMENTS, APP, 'merge', { spec });

const images = async () =>
  [...new Set((await world.pods()).map(({ spec }) => spec.containers[0]?.image))].sort();

const status = async () => (await world.client.get(DEPLOYMENTS, APP)).status;

it('rolls nothing out while a deployment is paused, and scales it all the same', async () => {
  await create({});
  await world.advance(10_000);
  await change({ paused: true });
  await roll(2);
  await change({ replicas: 3 });
  await world.advance(20_000);
  expect(await images()).toEqual(['app:1']);
  expect(await world.pods()).toHaveLength(3);
  await change({ paused: false });
  await world.advance(30_000);
  expect(await images()).toEqual(['app:2']);
});

it('ends all old pods before the first new one when a deployment is recreated', async () => {
  await create({ strategy: { type: 'Recreate' } });
  await world.advance(10_000);
  await roll(2);
  const seen = new Set<string>();
  for (let i = 0; i < 80; i++) {
    await world.advance(250);
    seen.add((await images()).join());
  }
  expect([...seen]).not.toContain('app:1,app:2');
  expect([...seen].at(-1)).toBe('app:2');
});

it('counts a pod as available only once it has been ready for minReadySeconds', async () => {
  await create({ minReadySeconds: 30 });
  await world.advance(20_000);
  expect(await status()).toMatchObject({ readyReplicas: 2, unavailableReplicas: 2 });
  await world.advance(30_000);
  expect(await status()).toMatchObject({ availableReplicas: 2 });
});

it('keeps as many old replica sets as revisionHistoryLimit says', async () => {
  await create({ revisionHistoryLimit: 1 });
  for (const version of [2, 3, 4]) {
    await world.advance(20_000);
    await roll(version);
  }
  await world.advance(30_000);
  expect((await world.client.list(REPLICA_SETS)).items).toHaveLength(2);
});

it('says that a rollout makes no progress after progressDeadlineSeconds', async () => {
  for (const node of world.nodes) node.isDown = true;
  await create({ progressDeadlineSeconds: 20 });
  const progressing = async () =>
    (await status()).conditions?.find(({ type }) => type === 'Progressing')?.reason;
  await world.advance(15_000);
  expect(await progressing()).not.toBe('ProgressDeadlineExceeded');
  await world.advance(15_000);
  expect(await progressing()).toBe('ProgressDeadlineExceeded');
});

it('tells how many pods are on their way out, of a replica set and in sum', async () => {
  const { template } = deploymentOf('a', 2, 1).spec;
  // Nobody there says that they have ended.
  await create({ template: { ...template, spec: { ...template.spec, nodeName: 'silent' } } });
  await world.advance(2000);
  const pods = await world.pods();
  for (const pod of pods) await world.client.delete(PODS, nameOf(pod), {});
  await world.advance(2000);
  expect(await status()).toMatchObject({ replicas: 2, terminatingReplicas: 2 });
  const { items } = await world.client.list(REPLICA_SETS);
  expect(items.map((set) => set.status.terminatingReplicas)).toEqual([2]);
  for (const pod of pods) await world.client.delete(PODS, nameOf(pod), { gracePeriodSeconds: 0 });
  await world.advance(2000);
  expect(await status()).toMatchObject({ replicas: 2, terminatingReplicas: 0 });
});
