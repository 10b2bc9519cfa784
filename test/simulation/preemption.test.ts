import { isPodReady, isTerminating } from '../../api/pods';
import { DEPLOYMENTS, EVENTS, POD_DISRUPTION_BUDGETS, PRIORITY_CLASSES } from '../../api/resources';
import type { Pod } from '../../api/types';
import { folderOfWorlds } from './folder';
import { seedsOf } from './seeds';
import { deploymentOf, World } from './world';

jest.setTimeout(300_000);

const directory = folderOfWorlds();
const NODE_COUNT = 3;
const IMPORTANT_COUNT = 9;
const IMPORTANT = 1_000_000;

/** Pods of a third of a node. */
const important = () => {
  const { spec, ...rest } = deploymentOf('important', IMPORTANT_COUNT, 1);
  const [container] = spec.template.spec.containers;
  const resources = { requests: { cpu: '300m' } };
  const containers = [{ ...container!, resources }];
  const template = {
    ...spec.template,
    spec: { containers, priorityClassName: 'important' },
  };
  return { ...rest, spec: { ...spec, template } };
};

const of = async (world: World, app: string): Promise<readonly Pod[]> =>
  (await world.pods()).filter((pod) => pod.metadata.labels?.['app'] === app && !isTerminating(pod));
const serving = async (world: World, app: string) =>
  (await of(world, app)).filter(isPodReady).length;

it.each(seedsOf(4))(
  'seed %i: makes room for what matters more, whatever fails, and evicts nobody else',
  async (seed) => {
    await using world = await World.start(seed, directory(), NODE_COUNT);
    await world.client.create(PRIORITY_CLASSES, {
      apiVersion: 'scheduling.k8s.io/v1',
      kind: 'PriorityClass',
      metadata: { name: 'important' },
      value: IMPORTANT,
    });
    for (const [name, replicas] of [
      ['plain', 20],
      ['kept', 6],
    ] as const)
      await world.client.create(DEPLOYMENTS, deploymentOf(name, replicas, 1));
    await world.client.create(POD_DISRUPTION_BUDGETS, {
      apiVersion: 'policy/v1',
      kind: 'PodDisruptionBudget',
      metadata: { name: 'kept', namespace: 'default' },
      spec: { maxUnavailable: 0, selector: { matchLabels: { app: 'kept' } } },
    });
    await world.advance(30_000);
    expect([await serving(world, 'plain'), await serving(world, 'kept')]).toEqual([20, 6]);

    world.faultRate = 0.1;
    await world.client.create(DEPLOYMENTS, important());
    for (let round = 0; round < 6; round++) {
      if (round % 2 === 1) {
        const takesEffect = world.random.next() < 0.5;
        world.killControllers({ afterWrites: Math.floor(world.random.next() * 8), takesEffect });
        await world.advance(5_000);
        world.restartControllers();
      }
      await world.advance(20_000);
    }
    world.faultRate = 0;
    for (
      let passed = 0;
      passed < 20 && (await serving(world, 'important')) < IMPORTANT_COUNT;
      passed++
    )
      await world.advance(30_000);
    await world.advance(60_000);

    // Three a node, and beside them one of the small ones: the budget has to be broken.
    expect(await serving(world, 'important')).toBe(IMPORTANT_COUNT);
    const evicted = (await world.client.list(EVENTS)).items.filter(
      ({ reason }) => reason === 'Preempted',
    );
    expect(evicted.length).toBeGreaterThan(0);
    const names = evicted.map(({ involvedObject }) => involvedObject.name ?? '');
    expect(names.filter((name) => name.startsWith('important'))).toEqual([]);
    for (const pod of await of(world, 'important'))
      expect([pod.spec.priority, pod.status.phase]).toEqual([IMPORTANT, 'Running']);
    // Who had to go comes again, and waits.
    expect((await of(world, 'plain')).length).toBe(20);
    expect(await serving(world, 'plain')).toBeLessThan(20);
  },
);
