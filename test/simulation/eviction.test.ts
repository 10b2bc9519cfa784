import { isPodReady, podCondition } from '../../api/pods';
import { NODES, PODS } from '../../api/resources';
import type { Taint } from '../../api/types';
import { folderOfWorlds } from './folder';
import { World } from './world';

jest.setTimeout(120_000);

const directory = folderOfWorlds();
let world: World;

beforeEach(async () => {
  world = await World.start(1, directory(), 1);
});

afterEach(() => world[Symbol.asyncDispose]());

const startPod = async (name: string, tolerationSeconds: number | undefined): Promise<void> => {
  await world.client.create(PODS, {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { namespace: 'default', name },
    spec: {
      containers: [{ name: 'main', image: 'app:1' }],
      tolerations: [
        {
          key: 'maint',
          operator: 'Exists',
          effect: 'NoExecute',
          ...(tolerationSeconds === undefined ? {} : { tolerationSeconds }),
        },
      ],
    },
  });
};

const setTaints = (taints: readonly Taint[]) =>
  world.client.patch(NODES, { namespace: '', name: 'node-1' }, 'merge', { spec: { taints } });

/** As `kubectl taint` sets it: without a time. */
const MAINTENANCE: Taint = { key: 'maint', effect: 'NoExecute' };

const names = async () => (await world.pods()).map(({ metadata }) => metadata.name);

/** Lets time pass until fewer pods are left, and says how long that took. */
const secondsUntilOneLeaves = async (maxSeconds: number): Promise<number | undefined> => {
  const { length } = await world.pods();
  const startMs = world.clock.now();
  while (world.clock.now() - startMs < maxSeconds * 1000) {
    await world.advance(250);
    if ((await world.pods()).length < length) return (world.clock.now() - startMs) / 1000;
  }
  return undefined;
};

it('evicts a pod when it has tolerated a taint for as long as it said, not before', async () => {
  await startPod('patient', 8);
  await world.advance(10_000);
  expect((await world.pods()).map(isPodReady)).toEqual([true]);
  await setTaints([MAINTENANCE]);
  const seconds = await secondsUntilOneLeaves(30);
  expect(seconds).toBeGreaterThanOrEqual(8);
  expect(seconds).toBeLessThanOrEqual(10);
});

it('counts from the binding of a pod that came after the taint', async () => {
  await setTaints([MAINTENANCE]);
  await world.advance(20_000);
  await startPod('late', 8);
  const seconds = await secondsUntilOneLeaves(30);
  expect(seconds).toBeGreaterThanOrEqual(8);
  expect(seconds).toBeLessThanOrEqual(11);
});

it('evicts nobody when the taint is lifted in time, and counts anew when it comes again', async () => {
  await startPod('patient', 8);
  await world.advance(10_000);
  await setTaints([MAINTENANCE]);
  await world.advance(5_000);
  await setTaints([]);
  expect(await secondsUntilOneLeaves(30)).toBeUndefined();
  await setTaints([MAINTENANCE]);
  expect(await secondsUntilOneLeaves(30)).toBeGreaterThanOrEqual(8);
});

it('evicts at once who tolerates for no time, and never who names no time', async () => {
  await startPod('never', undefined);
  await startPod('at-once', 0);
  await world.advance(10_000);
  await setTaints([MAINTENANCE]);
  await world.advance(2_000);
  expect(await names()).toEqual(['never']);
  await world.advance(120_000);
  expect(await names()).toEqual(['never']);
});

it('lets a node take pods as soon as it is ready, not at the next look around', async () => {
  const notReady = { key: 'node.kubernetes.io/not-ready', effect: 'NoSchedule' };
  const taints = async () =>
    (await world.client.get(NODES, { namespace: '', name: 'node-1' })).spec.taints ?? [];
  await world.advance(10_000);
  const seconds: number[] = [];
  // Wherever between two sweeps it happens.
  for (let i = 0; i < 5; i++) {
    await world.advance(700);
    await setTaints([notReady]);
    const startMs = world.clock.now();
    while ((await taints()).length > 0 && world.clock.now() - startMs < 10_000) {
      await world.advance(50);
    }
    seconds.push((world.clock.now() - startMs) / 1000);
  }
  expect(Math.max(...seconds)).toBeLessThan(0.5);
});

it('says in a pod why it goes', async () => {
  await startPod('told', 2);
  await world.advance(10_000);
  world.nodes[0]!.isDown = true;
  await setTaints([MAINTENANCE]);
  await world.advance(5_000);
  const [pod] = await world.pods();
  expect(pod?.metadata.deletionTimestamp).toBeDefined();
  expect(podCondition(pod!, 'DisruptionTarget')).toMatchObject({
    ...{ status: 'True', reason: 'DeletionByTaintManager' },
    message: 'Taint manager: deleting due to NoExecute taint',
  });
});
