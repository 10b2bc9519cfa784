import { NODES } from '../../../api/resources';
import type { Death } from '../incarnation';
import { CALM } from '../faulty-store';
import type { Day } from './day';
import { nodesOf, tried, type Act } from './users';

/** What befalls the cluster, each at random. */
export const FAULTS: Readonly<Record<string, Act>> = {
  async killControllers(day) {
    day.world.killControllers(deathOf(day));
    await day.pass(day.pick(40) * 250, 250);
    day.world.restartControllers();
  },
  async killServer(day) {
    day.world.killServer(deathOf(day));
    await day.pass(day.pick(40) * 250, 250);
    day.world.restartServer();
  },
  async lostCalls(day) {
    day.world.faultRate = 0.2;
  },
  async badStore(day) {
    const share = () => (day.pick(2) === 0 ? 0 : 0.15);
    day.world.store.trouble = {
      ...{ refused: share(), ambiguous: share(), conflict: share(), slow: share() },
      late: share(),
    };
  },
  async fullStore(day) {
    day.world.store.isFull = true;
  },
  async forgottenHistory(day) {
    day.world.store.compact();
  },
  async clockJump(day) {
    day.world.clock.setBy((day.pick(2) === 0 ? 1 : -1) * HOUR_MS);
  },
  async sickness(day) {
    day.sick.add(day.oneOf(['web', 'auto', 'db', 'agent', 'plain']) ?? 'web');
  },
  async node(day) {
    await (day.shape.hasAgents ? disturbMachine(day) : disturbNode(day));
  },
};

/** At most one node is away at a time: the others have room for everything. */
const disturbNode = async (day: Day): Promise<void> => {
  const { world } = day;
  const node = day.oneOf(world.nodes);
  if (node === undefined || world.nodes.length < NODE_COUNT || world.nodes.some((n) => n.isDown))
    return;
  if (day.pick(3) > 0) {
    node.isDown = true;
    return;
  }
  // Taken out of the cluster; another is put in its place when everything is mended.
  await tried(world.removeNode(node.name));
};

const disturbMachine = async (day: Day): Promise<void> => {
  const agent = day.oneOf(day.world.agents);
  switch (day.pick(6)) {
    case 0:
      agent?.kill();
      break;
    case 1:
      await agent?.powerOff();
      break;
    case 2:
      agent?.link?.cut();
      break;
    case 3:
      agent?.link?.silence();
      break;
    case 4:
      agent?.kill();
      await agent?.start();
      break;
    default: {
      const running = agent?.runtime.containers().filter(({ status }) => status === 'running');
      const victim = day.oneOf(running ?? []);
      if (victim !== undefined) await agent?.runtime.exitContainer(victim.id, day.pick(2));
    }
  }
};

/** Everything that can be mended is. */
export const mend = async (day: Day): Promise<void> => {
  const { world } = day;
  world.faultRate = 0;
  world.store.trouble = CALM;
  world.store.isFull = false;
  day.sick.clear();
  if (world.isServerDead) world.restartServer();
  else if (world.areControllersDead) world.restartControllers();
  for (const node of world.nodes) node.isDown = false;
  for (const agent of world.agents) await agent.recover();
  if (day.shape.hasAgents) return;
  const there = new Set(world.nodes.map(({ name }) => name));
  for (const name of nodesOf(day))
    if (!there.has(name)) await world.client.delete(NODES, { namespace: '', name });
  while (world.nodes.length < NODE_COUNT) await world.addNode(`node-${++day.jobCount}-new`);
};

export const NODE_COUNT = 4;

const deathOf = (day: Day): Death => ({
  afterWrites: day.pick(12),
  takesEffect: day.pick(2) === 0,
});

const HOUR_MS = 3_600_000;
