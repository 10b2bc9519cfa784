import { isPodReady } from '../../api/pods';
import { DEPLOYMENTS } from '../../api/resources';
import type { Pod } from '../../api/types';
import { folderOfWorlds } from './folder';
import { seedsOf } from './seeds';
import { deploymentOf, World } from './world';

jest.setTimeout(300_000);

const directory = folderOfWorlds();

it.each(seedsOf(3))(
  'seed %i: leaders that change while they place bind no pod twice, and those before write nothing',
  async (seed) => {
    await using world = await World.start(seed, directory(), 4);
    const moved: string[] = [];
    world.store.onWrite(({ resource, name }, after, before) => {
      if (resource !== 'pods' || after === undefined || before === undefined) return;
      const [from, to] = [before, after].map((pod) => (pod as Pod).spec.nodeName);
      if (from !== undefined && to !== from) moved.push(`${name}: ${from} to ${to}`);
    });
    const pick = (n: number) => Math.floor(world.random.next() * n);
    const replicas = { a: 0, b: 0, c: 0 };
    for (const app of ['a', 'b', 'c'] as const)
      await world.client.create(DEPLOYMENTS, deploymentOf(app, 0, 1));
    world.faultRate = 0.05;
    for (let round = 0; round < 8; round++) {
      for (const app of ['a', 'b', 'c'] as const) {
        replicas[app] = pick(10);
        const name = { namespace: 'default', name: app };
        await world.client.patch(DEPLOYMENTS, name, 'merge', { spec: { replicas: replicas[app] } });
      }
      // In the middle of what that takes.
      await world.advance(250 * pick(8));
      const endFormer = world.changeLeader();
      await world.advance(5_000 + pick(20_000));
      endFormer();
    }
    world.faultRate = 0;
    await world.advance(5 * 60_000);
    expect(moved).toEqual([]);
    const { triedCount, doneCount } = world.store.staleWrites;
    expect(triedCount).toBeGreaterThan(0);
    expect(doneCount).toBe(0);
    const pods = await world.pods();
    for (const [app, count] of Object.entries(replicas)) {
      const own = pods.filter(({ metadata }) => metadata.labels?.['app'] === app);
      expect([app, own.length, own.filter(isPodReady).length]).toEqual([app, count, count]);
    }
  },
);
