import { controllerOf } from '../../api/owners';
import { isPodReady } from '../../api/pods';
import { DEPLOYMENTS, REPLICA_SETS } from '../../api/resources';
import { folderOfWorlds } from './folder';
import { seedsOf } from './seeds';
import { deploymentOf, World } from './world';

jest.setTimeout(300_000);

const directory = folderOfWorlds();

const name = (app: string) => ({ namespace: 'default', name: app });

const SEEDS = seedsOf(5);

it.each(SEEDS)(
  'seed %i: heals to exactly what is wanted, and no node is ever overcommitted',
  async (seed) => {
    await using world = await World.start(seed, directory(), 4);
    const wanted = new Map<string, { replicas: number; version: number }>();
    const pick = (n: number) => Math.floor(world.random.next() * n);
    for (const app of ['a', 'b', 'c']) {
      wanted.set(app, { replicas: 1 + pick(6), version: 1 });
      const { replicas } = wanted.get(app)!;
      await world.client.create(DEPLOYMENTS, deploymentOf(app, replicas, 1));
    }
    world.faultRate = 0.1;
    for (let round = 0; round < 12; round++) {
      await disturb(world, wanted, pick);
      await world.advance(5_000 + pick(40_000));
    }
    world.faultRate = 0;
    for (const node of world.nodes) node.isDown = false;
    await world.advance(8 * 60_000);
    await expectAsWanted(world, wanted);
  },
);

const disturb = async (
  world: World,
  wanted: Map<string, { replicas: number; version: number }>,
  pick: (n: number) => number,
): Promise<void> => {
  const apps = [...wanted.keys()];
  const app = apps[pick(apps.length)]!;
  const target = wanted.get(app)!;
  switch (pick(4)) {
    case 0:
      target.replicas = 1 + pick(8);
      await world.client.patch(DEPLOYMENTS, name(app), 'merge', {
        spec: { replicas: target.replicas },
      });
      break;
    case 1: {
      target.version++;
      const containers = [{ name: 'main', image: `app:${target.version}` }];
      const body = { spec: { template: { spec: { containers } } } };
      await world.client.patch(DEPLOYMENTS, name(app), 'strategic', body);
      break;
    }
    default: {
      // At most one node is down at a time: the others have room for everything.
      const down = world.nodes.find(({ isDown }) => isDown);
      if (down === undefined) world.nodes[pick(world.nodes.length)]!.isDown = true;
      else down.isDown = false;
    }
  }
};

const expectAsWanted = async (
  world: World,
  wanted: ReadonlyMap<string, { replicas: number; version: number }>,
): Promise<void> => {
  const pods = await world.pods();
  const sets = (await world.client.list(REPLICA_SETS)).items;
  for (const [app, { replicas, version }] of wanted) {
    const own = pods.filter(({ metadata }) => metadata.labels?.['app'] === app);
    expect({ app, ready: own.filter(isPodReady).length, all: own.length }).toEqual({
      app,
      ready: replicas,
      all: replicas,
    });
    expect(new Set(own.map(({ spec }) => spec.containers[0]?.image))).toEqual(
      new Set([`app:${version}`]),
    );
    const { status } = await world.client.get(DEPLOYMENTS, name(app));
    expect(status).toMatchObject({
      replicas,
      updatedReplicas: replicas,
      availableReplicas: replicas,
    });
  }
  const uids = new Set(sets.map(({ metadata }) => metadata.uid));
  for (const pod of pods) expect(uids).toContain(controllerOf(pod)?.uid);
};
