import { isPodReady, isTerminating } from '../../api/pods';
import { DEPLOYMENTS, NODES } from '../../api/resources';
import { parseSchedulerConfiguration } from '../../control-plane/scheduler';
import { folderOfWorlds } from './folder';
import { seedsOf } from './seeds';
import { deploymentOf, World } from './world';

jest.setTimeout(300_000);

const directory = folderOfWorlds();
const NODE_COUNT = 4;
const ROUNDS = 4;
const SECONDS_A_ROUND = 15;

const { profiles } = parseSchedulerConfiguration(`
apiVersion: kubescheduler.config.k8s.io/v1
kind: KubeSchedulerConfiguration
profiles:
- schedulerName: default-scheduler
- schedulerName: packing
  pluginConfig: [{name: NodeResourcesFit, args: {scoringStrategy: {type: MostAllocated}}}]
`);

/** Of each scheduler one app; together they fill three of the four nodes but for a little. */
const APPS = [
  { name: 'spread', schedulerName: 'default-scheduler', replicas: 4, cpu: '300m' },
  { name: 'packed', schedulerName: 'packing', replicas: 4, cpu: '300m' },
] as const;

const appOf = ({ name, schedulerName, replicas, cpu }: (typeof APPS)[number]) => {
  const { spec, ...rest } = deploymentOf(name, replicas, 1);
  const [container] = spec.template.spec.containers;
  const containers = [{ ...container!, resources: { requests: { cpu } } }];
  const template = { ...spec.template, spec: { containers, schedulerName } };
  return { ...rest, spec: { ...spec, template } };
};

/** Ready or not, and cordoned or not, from one second to the next: what the node says next undoes the first. */
const flap = async (world: World, name: string): Promise<void> => {
  const node = await world.client.get(NODES, { namespace: '', name });
  if (world.random.next() < 0.5) {
    const unschedulable = node.spec.unschedulable !== true;
    await world.client.patch(NODES, { namespace: '', name }, 'merge', { spec: { unschedulable } });
    return;
  }
  const conditions = (node.status.conditions ?? []).map((each) =>
    each.type === 'Ready'
      ? { ...each, status: each.status === 'True' ? ('False' as const) : ('True' as const) }
      : each,
  );
  const body = { status: { conditions } };
  await world.client.patch(NODES, { namespace: '', name }, 'merge', body, {
    subresource: 'status',
  });
};

const settle = async (world: World): Promise<void> => {
  for (const { metadata } of (await world.client.list(NODES)).items) {
    const body = { spec: { unschedulable: false } };
    await world.client.patch(NODES, { namespace: '', name: metadata.name }, 'merge', body);
  }
};

it.each(seedsOf(4))(
  'seed %i: two schedulers overcommit no node, and all pods come to run, while nodes flap each second',
  async (seed) => {
    await using world = await World.start(seed, directory(), NODE_COUNT, { profiles });
    const readyOf = async (app: string) =>
      (await world.pods()).filter(
        (pod) => pod.metadata.labels?.['app'] === app && !isTerminating(pod) && isPodReady(pod),
      ).length;
    world.faultRate = 0.05;
    for (const app of APPS) await world.client.create(DEPLOYMENTS, appOf(app));
    for (let round = 0; round < ROUNDS; round++) {
      world.killServer({
        afterWrites: Math.floor(world.random.next() * 40),
        takesEffect: world.random.next() < 0.5,
      });
      for (let second = 0; second < SECONDS_A_ROUND; second++) {
        const at = 1 + Math.floor(world.random.next() * NODE_COUNT);
        // A server that is dead takes nothing; a write of the test may be the one that kills it.
        if (!world.isServerDead) await flap(world, `node-${at}`).catch(ignored);
        // At each step: is any node overcommitted?
        await world.advance(1_000);
        if (world.isServerDead) world.restartServer();
      }
      const { replicas, name } = APPS[round % APPS.length]!;
      const body = { spec: { replicas: replicas - (round % 3) } };
      await world.client.patch(DEPLOYMENTS, { namespace: 'default', name }, 'merge', body);
    }
    world.faultRate = 0;
    world.restartServer();
    await world.advance(5_000);
    for (const { name, replicas } of APPS)
      await world.client.patch(DEPLOYMENTS, { namespace: 'default', name }, 'merge', {
        spec: { replicas },
      });
    await settle(world);
    const ready = async () => Promise.all(APPS.map(({ name }) => readyOf(name)));
    const wanted = APPS.map(({ replicas }) => replicas);
    for (let i = 0; i < 20 && (await ready()).join() !== wanted.join(); i++)
      await world.advance(30_000);
    expect(await ready()).toEqual(wanted);
  },
);

const ignored = (): void => undefined;
