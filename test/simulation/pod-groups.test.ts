import { isPodReady, isTerminating } from '../../api/pods';
import { POD_GROUP_LABEL, type PodGroup } from '../../api/pod-groups';
import { DEPLOYMENTS, POD_GROUPS } from '../../api/resources';
import type { Pod } from '../../api/types';
import { parseSchedulerConfiguration } from '../../control-plane/scheduler';
import { folderOfWorlds } from './folder';
import { seedsOf } from './seeds';
import { deploymentOf, World } from './world';

jest.setTimeout(300_000);

const directory = folderOfWorlds();
const MEMBERS = 4;

const { profiles } = parseSchedulerConfiguration(`
apiVersion: kubescheduler.config.k8s.io/v1
kind: KubeSchedulerConfiguration
profiles:
- schedulerName: default-scheduler
- schedulerName: packing
  pluginConfig: [{name: NodeResourcesFit, args: {scoringStrategy: {type: MostAllocated}}}]
`);

/** Four pods of half a node each. */
const membersOf = (group: string, schedulerName: string) => {
  const { spec, ...rest } = deploymentOf(group, MEMBERS, 1);
  const [container] = spec.template.spec.containers;
  const containers = [{ ...container!, resources: { requests: { cpu: '500m' } } }];
  const labels = { ...spec.template.metadata.labels, [POD_GROUP_LABEL]: group };
  const template = { metadata: { labels }, spec: { containers, schedulerName } };
  return { ...rest, spec: { ...spec, template } };
};

const groupOf = (name: string): PodGroup => ({
  apiVersion: 'scheduling.x-k8s.io/v1alpha1',
  kind: 'PodGroup',
  metadata: { name, namespace: 'default' },
  spec: { minMember: MEMBERS, scheduleTimeoutSeconds: 20 },
});

const placed = async (world: World, group: string): Promise<readonly Pod[]> =>
  (await world.pods()).filter(
    (pod) =>
      pod.metadata.labels?.['app'] === group &&
      !isTerminating(pod) &&
      (pod.spec.nodeName ?? '') !== '',
  );
const countsIn = async (world: World) => [
  (await placed(world, 'g')).length,
  (await placed(world, 'h')).length,
];

it.each(seedsOf(5))(
  'seed %i: places groups of two profiles whole or not at all, whatever dies between two bindings',
  async (seed) => {
    await using world = await World.start(seed, directory(), 3, { profiles });
    world.faultRate = 0.05;
    for (const [group, profile] of [
      ['g', 'default-scheduler'],
      ['h', 'packing'],
    ] as const) {
      await world.client.create(POD_GROUPS, groupOf(group));
      await world.client.create(DEPLOYMENTS, membersOf(group, profile));
    }
    for (let round = 0; round < 4; round++) {
      world.killServer({
        afterWrites: Math.floor(world.random.next() * 30),
        takesEffect: world.random.next() < 0.5,
      });
      await world.advance(3_000);
      world.restartServer();
      await world.advance(5_000);
    }
    world.faultRate = 0;
    await world.advance(120_000);
    // Six fit: one group, and nothing of the other.
    expect([...(await countsIn(world))].sort()).toEqual([0, MEMBERS]);
    const [first] = await countsIn(world);
    const [whole, other] = first === MEMBERS ? ['g', 'h'] : ['h', 'g'];
    const phase = async (name: string) =>
      (await world.client.get(POD_GROUPS, { namespace: 'default', name })).status?.phase;
    expect((await placed(world, whole)).every(isPodReady)).toBe(true);
    expect([await phase(whole), await phase(other)]).toEqual(['Running', 'Scheduling']);

    await world.client.delete(DEPLOYMENTS, { namespace: 'default', name: whole });
    await world.advance(120_000);
    expect([(await placed(world, other)).length, await phase(other)]).toEqual([MEMBERS, 'Running']);
  },
);
