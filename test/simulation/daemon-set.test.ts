import { controllerOf } from '../../api/owners';
import { isPodReady, isTerminating } from '../../api/pods';
import { CONTROLLER_REVISIONS, DAEMON_SETS, EVENTS, NODES, PODS } from '../../api/resources';
import { nameOf, type DaemonSet, type Pod } from '../../api/types';
import { folderOfWorlds } from './folder';
import { seedsOf } from './seeds';
import { World } from './world';

jest.setTimeout(300_000);

const directory = folderOfWorlds();
const AGENT = { namespace: 'default', name: 'agent' };

const create = (world: World, spec: object = {}, podSpec: object = {}) =>
  world.client.create(DAEMON_SETS, {
    apiVersion: 'apps/v1',
    kind: 'DaemonSet',
    metadata: AGENT,
    spec: {
      selector: { matchLabels: { app: 'agent' } },
      template: {
        metadata: { labels: { app: 'agent' } },
        spec: {
          containers: [
            { name: 'main', image: 'agent:1', resources: { requests: { cpu: '100m' } } },
          ],
          ...podSpec,
        },
      },
      ...spec,
    },
  });

const change = (world: World, spec: object) =>
  world.client.patch(DAEMON_SETS, AGENT, 'strategic', { spec });

const roll = (world: World, version: number) =>
  change(world, {
    template: { spec: { containers: [{ name: 'main', image: `agent:${version}` }] } },
  });

const status = async (world: World): Promise<DaemonSet['status']> =>
  (await world.client.get(DAEMON_SETS, AGENT)).status;

const daemons = async (world: World): Promise<readonly Pod[]> =>
  (await world.pods()).filter((pod) => controllerOf(pod)?.kind === 'DaemonSet');

const serving = async (world: World) =>
  (await daemons(world)).filter((pod) => isPodReady(pod) && !isTerminating(pod));

const imageOf = ({ spec }: Pod): string => spec.containers[0]?.image ?? '';

/** `node: image` of each pod. */
const places = async (world: World) =>
  (await daemons(world)).map((pod) => `${pod.spec.nodeName ?? ''} ${imageOf(pod)}`).sort();

const eachOf = (nodes: readonly number[], version: number) =>
  nodes.map((i) => `node-${i} agent:${version}`);

const events = async (world: World, reason: string) =>
  (await world.client.list(EVENTS)).items.filter((event) => event.reason === reason);

const SURGE = { updateStrategy: { rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } } };

it.each(seedsOf(4))(
  'seed %i: has one pod on every node at last, whatever fails and whichever nodes come and go',
  async (seed) => {
    await using world = await World.start(seed, directory(), 3);
    const pick = (n: number) => Math.floor(world.random.next() * n);
    await create(world, seed % 2 === 0 ? SURGE : {});
    world.faultRate = 0.1;
    let version = 1;
    let last = 3;
    for (let round = 0; round < 10; round++) {
      const down = world.nodes.find(({ isDown }) => isDown);
      switch (pick(5)) {
        case 0:
          await roll(world, ++version);
          break;
        case 1:
          await world.addNode(`node-${++last}`);
          break;
        case 2:
          if (world.nodes.length > 2) await world.removeNode(world.nodes[0]!.name);
          break;
        case 3: {
          const pods = await daemons(world);
          if (pods[0] !== undefined) await world.client.delete(PODS, nameOf(pods[0]));
          break;
        }
        default:
          if (down === undefined) world.nodes[pick(world.nodes.length)]!.isDown = true;
          else down.isDown = false;
      }
      if (pick(3) === 0) world.restartControllers();
      await world.advance(2_000 + pick(20_000));
    }
    world.faultRate = 0;
    for (const node of world.nodes) node.isDown = false;
    await world.advance(4 * 60_000);
    const wanted = world.nodes.map(({ name }) => `${name} agent:${version}`).sort();
    expect(await places(world)).toEqual(wanted);
    expect(await status(world)).toMatchObject({
      ...{ desiredNumberScheduled: wanted.length, currentNumberScheduled: wanted.length },
      ...{ updatedNumberScheduled: wanted.length, numberAvailable: wanted.length },
      ...{ numberMisscheduled: 0, numberReady: wanted.length },
    });
  },
);

it.each([
  ['one after the other, before they take effect', {}, false],
  ['one after the other, after they took effect', {}, true],
  ['the new pod first, before they take effect', SURGE, false],
  ['the new pod first, after they took effect', SURGE, true],
])('survives a death at any of its writes, %s', async (_title, strategy, takesEffect) => {
  for (let afterWrites = 0; ; afterWrites++) {
    await using world = await World.start(1, directory(), 2);
    world.killControllers({ afterWrites, takesEffect });
    await create(world, strategy);
    await world.advance(5_000);
    await roll(world, 2);
    await world.advance(15_000);
    const isAllDone = !world.areControllersDead;
    if (world.areControllersDead) world.restartControllers();
    await world.advance(40_000);
    expect(await places(world)).toEqual(eachOf([1, 2], 2));
    const revisions = (await world.client.list(CONTROLLER_REVISIONS)).items;
    expect(revisions.length).toBeLessThanOrEqual(2);
    expect(await status(world)).toMatchObject({ numberAvailable: 2, updatedNumberScheduled: 2 });
    if (isAllDone) return;
  }
});

describe('a set', () => {
  let world: World;
  beforeEach(async () => {
    world = await World.start(1, directory(), 3);
  });
  afterEach(() => world[Symbol.asyncDispose]());

  it('follows the nodes that it selects', async () => {
    const label = (name: string, disk: string | null) =>
      world.client.patch(NODES, { namespace: '', name }, 'merge', {
        metadata: { labels: { disk } },
      });
    await create(world, {}, { nodeSelector: { disk: 'ssd' } });
    await world.advance(5_000);
    expect(await places(world)).toEqual([]);
    expect(await status(world)).toMatchObject({ desiredNumberScheduled: 0, observedGeneration: 1 });
    await label('node-2', 'ssd');
    await world.advance(5_000);
    expect(await places(world)).toEqual(eachOf([2], 1));
    await label('node-2', null);
    await world.advance(5_000);
    expect(await places(world)).toEqual([]);
  });

  it('stays on a node that is closed to new pods, and leaves one that is closed to all', async () => {
    await create(world);
    await world.advance(10_000);
    const taint = (name: string, effect: string) =>
      world.client.patch(NODES, { namespace: '', name }, 'merge', {
        spec: { taints: [{ key: 'maint', effect }] },
      });
    await taint('node-1', 'NoSchedule');
    await taint('node-2', 'NoExecute');
    await world.advance(10_000);
    expect(await places(world)).toEqual(eachOf([1, 3], 1));
    expect(await status(world)).toMatchObject({ desiredNumberScheduled: 1, numberMisscheduled: 1 });
  });

  it('is updated a node at a time, with no more nodes lacking than it allows', async () => {
    await create(world);
    await world.advance(10_000);
    await roll(world, 2);
    for (let step = 0; step < 120; step++) {
      await world.advance(250);
      expect((await serving(world)).length).toBeGreaterThanOrEqual(2);
    }
    expect(await places(world)).toEqual(eachOf([1, 2, 3], 2));
    expect(await events(world, 'SuccessfulDelete')).not.toEqual([]);
  });

  it('is never missing from a node while it surges', async () => {
    await create(world, SURGE);
    await world.advance(10_000);
    await roll(world, 2);
    for (let step = 0; step < 120; step++) {
      await world.advance(250);
      expect(new Set((await serving(world)).map(({ spec }) => spec.nodeName)).size).toBe(3);
      expect((await daemons(world)).filter((pod) => !isTerminating(pod)).length).toBeLessThan(5);
    }
    expect(await places(world)).toEqual(eachOf([1, 2, 3], 2));
  });

  it('counts a pod as available only once it has been ready for as long as it asks', async () => {
    await create(world, { minReadySeconds: 20 });
    await world.advance(10_000);
    expect(await status(world)).toMatchObject({ numberReady: 3, numberUnavailable: 3 });
    await world.advance(25_000);
    expect(await status(world)).toMatchObject({ numberReady: 3, numberAvailable: 3 });
    await roll(world, 2);
    await world.advance(40_000);
    // One node of three is done, and the next has been begun.
    expect((await places(world)).filter((place) => place.endsWith('agent:1')).length).toBe(1);
  });

  it('is updated by whoever deletes its pods, when it says so', async () => {
    await create(world, { updateStrategy: { type: 'OnDelete' } });
    await world.advance(10_000);
    await roll(world, 2);
    await world.advance(20_000);
    expect(await places(world)).toEqual(eachOf([1, 2, 3], 1));
    const [first] = [...(await daemons(world))].sort((a, b) =>
      (a.spec.nodeName ?? '') < (b.spec.nodeName ?? '') ? -1 : 1,
    );
    await world.client.delete(PODS, nameOf(first!));
    await world.advance(10_000);
    expect(await places(world)).toEqual([...eachOf([1], 2), ...eachOf([2, 3], 1)]);
  });

  it('replaces pods that fail, later each time, and says so', async () => {
    await create(world);
    // Nodes reject what is larger than they are, if it names them itself.
    await change(world, {
      template: {
        spec: {
          nodeName: 'node-1',
          containers: [{ name: 'main', resources: { requests: { cpu: '9' } } }],
        },
      },
    });
    await world.advance(5 * 60_000);
    const [event] = await events(world, 'FailedDaemonPod');
    expect(event?.message).toMatch(
      /^Found failed daemon pod default\/agent-\w+ on node node-1, will try to kill it$/,
    );
    const made = world.writes.filter(({ verb, plural }) => verb === 'create' && plural === 'pods');
    // 1, 2, 4, ... seconds apart.
    expect(made.length).toBeGreaterThan(6);
    expect(made.length).toBeLessThan(20);
  });

  it('keeps as many old templates as it should, and uses an equal one again', async () => {
    await create(world, { revisionHistoryLimit: 2 });
    for (const version of [2, 3, 4, 5, 3]) {
      await roll(world, version);
      await world.advance(30_000);
    }
    const { items } = await world.client.list(CONTROLLER_REVISIONS);
    expect(items.map(({ revision }) => Number(revision)).sort((a, b) => a - b)).toEqual([4, 5, 6]);
    expect(await places(world)).toEqual(eachOf([1, 2, 3], 3));
  });

  it('takes over pods that nobody owns, when it is made again', async () => {
    await create(world);
    await world.advance(10_000);
    const before = (await daemons(world)).map(({ metadata }) => metadata.uid).sort();
    await world.client.delete(DAEMON_SETS, AGENT, { propagationPolicy: 'Orphan' });
    await world.advance(10_000);
    expect(await daemons(world)).toEqual([]);
    await create(world);
    await world.advance(20_000);
    expect((await daemons(world)).map(({ metadata }) => metadata.uid).sort()).toEqual(before);
  });

  it('tries little in vain when its pods are refused, and goes on when they are not', async () => {
    await create(world, {}, { serviceAccountName: 'nobody' });
    await world.advance(3 * 60_000);
    expect(await events(world, 'FailedCreate')).toHaveLength(1);
    const refused = world.writes.filter(({ verb, isRefused }) => verb === 'create' && isRefused);
    expect(refused.length).toBeLessThan(40);
    expect(await status(world)).toMatchObject({ desiredNumberScheduled: 3, numberUnavailable: 3 });
  });
});
