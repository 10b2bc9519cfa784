import { controllerOf } from '../../api/owners';
import { isPodActive } from '../../api/pods';
import { JOBS } from '../../api/resources';
import type { Pod } from '../../api/types';
import { folderOfWorlds } from './folder';
import { seedsOf } from './seeds';
import { endOf, jobOf, podsOf } from './job-support';
import type { Ending } from './played-nodes';
import { World } from './world';

jest.setTimeout(300_000);

const directory = folderOfWorlds();

const SEEDS = seedsOf(4);

const place = (name: string) => ({ namespace: 'default', name });

const tracked = (pods: readonly Pod[]): readonly Pod[] =>
  pods.filter(({ metadata }) => metadata.finalizers !== undefined);

/** Time passes, a step at a time; at none of them does a job have more pods than it may. */
const pass = async (world: World, ms: number, parallelism: ReadonlyMap<string, number>) => {
  for (let passed = 0; passed < ms; passed += 1000) {
    await world.advance(1000);
    const pods = await world.pods();
    for (const [name, max] of parallelism) {
      const active = podsOf(pods, name).filter(isPodActive);
      if (active.length > max) throw new Error(`${name} has ${active.length} pods of ${max}`);
    }
  }
};

describe.each(SEEDS)('seed %i', (seed) => {
  it('counts each pod once, whenever the controller dies between two writes', async () => {
    await using world = await World.start(seed, directory(), 3);
    const pick = (n: number) => Math.floor(world.random.next() * n);
    const wanted = new Map([
      ['plain', { completions: 5 + pick(6), parallelism: 1 + pick(4) }],
      ['indexed', { completions: 4 + pick(6), parallelism: 1 + pick(4) }],
    ]);
    const parallelism = new Map([...wanted].map(([name, each]) => [name, each.parallelism]));
    let failuresLeft = 5;
    world.endingOf = (): Ending | undefined => {
      if (world.random.next() < 0.5) return undefined;
      return world.random.next() < 0.3 && failuresLeft-- > 0 ? 'Failed' : 'Succeeded';
    };
    const owners = new Map<string, string>();
    for (const [name, spec] of wanted) {
      const mode = name === 'indexed' ? { completionMode: 'Indexed' } : {};
      await world.client.create(JOBS, jobOf(name, { ...spec, ...mode }));
    }
    for (let round = 0; round < 25; round++) {
      world.faultRate = pick(2) * 0.1;
      world.killControllers({ afterWrites: pick(8), takesEffect: pick(2) === 0 });
      await pass(world, 2_000 + 1000 * pick(4), parallelism);
      for (const pod of await world.pods())
        owners.set(pod.metadata.uid ?? '', controllerOf(pod)?.name ?? '');
      world.restartControllers();
    }
    world.faultRate = 0;
    await pass(world, 15 * 60_000, parallelism);
    for (const pod of await world.pods())
      owners.set(pod.metadata.uid ?? '', controllerOf(pod)?.name ?? '');
    for (const [name, { completions }] of wanted) {
      const job = await world.client.get(JOBS, place(name));
      const ends = [...world.endings].filter(([uid]) => owners.get(uid) === name);
      const count = (phase: Ending) => ends.filter(([, ending]) => ending === phase).length;
      expect(endOf(job)?.type).toBe('Complete');
      expect(job.status).toMatchObject({ ready: 0, terminating: 0, uncountedTerminatedPods: {} });
      expect(job.status?.active).toBeUndefined();
      expect({ succeeded: count('Succeeded'), failed: count('Failed') }).toEqual({
        succeeded: job.status?.succeeded,
        failed: job.status?.failed ?? 0,
      });
      expect(job.status?.succeeded).toBe(completions);
    }
    expect((await world.client.get(JOBS, place('indexed'))).status?.completedIndexes).toBe(
      `0-${(wanted.get('indexed')?.completions ?? 0) - 1}`,
    );
    expect(tracked(await world.pods())).toEqual([]);
  });
});
