import { DEPLOYMENTS } from '../../../api/resources';
import { isPodReady, isTerminal } from '../../../api/pods';
import type { Pod } from '../../../api/types';
import type { SimulatedAgent } from '../simulated-agent';
import { folderOfWorlds } from '../folder';
import { seedsOf } from '../seeds';
import { deploymentOf, World } from '../world';

const NODES = 3;
const APPS = ['a', 'b'];
/** More than every back-off, grace and eviction together. */
const REST_MS = 10 * 60_000;

/** Every second seed, from `first`: the halves are in files of their own, which are played side by side. */
export const playAgents = (first: 0 | 1): void => {
  jest.setTimeout(300_000);
  const directory = folderOfWorlds();
  const seeds = seedsOf(120).filter((seed) => seed % 2 === first);
  // A single seed is of one half alone.
  if (seeds.length === 0) it.skip('has no seed of this half', () => undefined);
  else it.each(seeds)(TITLE, (seed) => play(seed, directory()));
};

const TITLE =
  'seed %i: agents that are killed, cut off and switched off run exactly what is wanted in the end';

const play = async (seed: number, directory: string): Promise<void> => {
  await using world = await World.start(seed, directory, NODES, { hasAgents: true });
  const pick = (n: number) => Math.floor(world.random.next() * n);
  const wanted = new Map(APPS.map((app) => [app, { replicas: 1 + pick(4), version: 1 }]));
  for (const [app, { replicas, version }] of wanted)
    await world.client.create(DEPLOYMENTS, deploymentOf(app, replicas, version));
  world.faultRate = 0.05;
  for (let round = 0; round < 6; round++) {
    await disturbAgents(world, pick);
    if (pick(2) === 0) await changeApp(world, wanted, pick);
    await world.advance(2_000 + pick(30_000));
  }
  world.faultRate = 0;
  for (const agent of world.agents) await agent.recover();
  await world.advance(REST_MS);
  await expectAsWanted(world, wanted);
};

type Wanted = Map<string, { replicas: number; version: number }>;
type Pick = (n: number) => number;

const disturbAgents = async (world: World, pick: Pick): Promise<void> => {
  const agent = world.agents[pick(world.agents.length)]!;
  switch (pick(7)) {
    case 0:
      agent.kill();
      break;
    case 1:
      agent.kill();
      await agent.start();
      break;
    case 2:
      await agent.powerOff();
      break;
    case 3:
      agent.link?.cut();
      break;
    case 4:
      agent.link?.silence();
      break;
    case 5:
      await crashContainer(agent, pick);
      break;
    default:
      await agent.recover();
  }
};

const crashContainer = async (agent: SimulatedAgent, pick: Pick): Promise<void> => {
  const running = agent.runtime.containers().filter(({ status }) => status === 'running');
  const victim = running[pick(running.length)];
  if (victim !== undefined) await agent.runtime.exitContainer(victim.id, pick(2));
};

const changeApp = async (world: World, wanted: Wanted, pick: Pick): Promise<void> => {
  const app = APPS[pick(APPS.length)]!;
  const target = wanted.get(app)!;
  if (pick(2) === 0) target.replicas = pick(6);
  else target.version++;
  const containers = [{ name: 'main', image: `app:${String(target.version)}` }];
  const spec = { replicas: target.replicas, template: { spec: { containers } } };
  await world.client.patch(DEPLOYMENTS, { namespace: 'default', name: app }, 'strategic', { spec });
};

const expectAsWanted = async (world: World, wanted: Wanted): Promise<void> => {
  const pods = await world.pods();
  for (const [app, { replicas, version }] of wanted) {
    const own = pods.filter(({ metadata }) => metadata.labels?.['app'] === app);
    const image = `app:${String(version)}`;
    const isRight = (pod: Pod) => isPodReady(pod) && pod.spec.containers[0]?.image === image;
    const right = own.filter(isRight).length;
    expect({ app, right, all: own.length }).toEqual({ app, right: replicas, all: replicas });
  }
  const addresses = pods.map(({ status }) => status.podIP);
  expect(new Set(addresses).size).toBe(pods.length);
  for (const agent of world.agents) expectOnMachine(agent, pods);
};

/** What the cluster says of a machine is what is on it: nothing lost, doubled or left behind. */
const expectOnMachine = (agent: SimulatedAgent, pods: readonly Pod[]): void => {
  const own = pods.filter((pod) => pod.spec.nodeName === agent.name && !isTerminal(pod));
  const uids = own.map(({ metadata }) => metadata.uid).sort();
  expect([...agent.sandboxUids()].sort()).toEqual(uids);
  expect([...agent.running().keys()].sort()).toEqual(uids);
  const addresses = own.map(({ status }) => status.podIP).sort();
  expect(
    agent.network
      ?.attachments()
      .map(({ ips }) => ips[0])
      .sort() ?? [],
  ).toEqual(addresses);
};
