import { isPodReady, isTerminal, isTerminating } from '../../api/pods';
import {
  DEPLOYMENTS,
  ENDPOINT_SLICES,
  ENDPOINTS,
  EVENTS,
  NODES,
  PODS,
  SERVICES,
} from '../../api/resources';
import type { EndpointSlice, Pod } from '../../api/types';
import { folderOfWorlds } from './folder';
import { seedsOf } from './seeds';
import { deploymentOf, World } from './world';

jest.setTimeout(300_000);

const directory = folderOfWorlds();
const WEB = { namespace: 'default', name: 'web' };

const createService = (world: World, spec: object = {}) =>
  world.client.create(SERVICES, {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: WEB,
    spec: { clusterIP: 'None', selector: { app: 'web' }, ports: [{ port: 80 }], ...spec },
  });

const scale = async (world: World, replicas: number) => {
  const deployment = await world.client.get(DEPLOYMENTS, WEB);
  await world.client.update(DEPLOYMENTS, {
    ...deployment,
    spec: { ...deployment.spec, replicas },
  });
};

const slicesIn = async (world: World): Promise<readonly EndpointSlice[]> =>
  (await world.client.list(ENDPOINT_SLICES)).items;

/** Per endpoint: pod, and whether it is ready, and on its way out. */
const told = async (world: World): Promise<readonly string[]> =>
  (await slicesIn(world))
    .filter(({ addressType }) => addressType === 'IPv4')
    .flatMap(({ endpoints }) => endpoints)
    .map(({ targetRef, conditions = {} }) =>
      [targetRef?.uid, conditions.ready, conditions.terminating].join(' '),
    )
    .sort();

const expected = async (world: World): Promise<readonly string[]> =>
  (await world.pods())
    .filter((pod) => pod.metadata.labels?.['app'] === 'web' && !isTerminal(pod))
    .filter(({ status }) => status.podIP !== undefined)
    .map((pod) => [pod.metadata.uid, isReady(pod), isTerminating(pod)].join(' '))
    .sort();

const isReady = (pod: Pod): boolean => isPodReady(pod) && !isTerminating(pod);

/** As far as one look at all can tell. */
const expectTrue = async (world: World) => {
  expect(await told(world)).toEqual(await expected(world));
  const { subsets = [] } = await world.client.get(ENDPOINTS, WEB);
  const ready = subsets.flatMap(({ addresses = [] }) => addresses.map(({ ip }) => ip));
  const pods = (await world.pods()).filter(({ metadata }) => metadata.labels?.['app'] === 'web');
  expect([...ready].sort()).toEqual(
    pods
      .filter(isReady)
      .map(({ status }) => status.podIP)
      .sort(),
  );
};

it('takes a pod out of rotation as soon as it is deleted, and drops it when it is gone', async () => {
  await using world = await World.start(1, directory(), 2);
  await createService(world);
  await world.client.create(DEPLOYMENTS, deploymentOf('web', 3, 1));
  await world.advance(20_000);
  await expectTrue(world);
  const [pod] = await world.pods();
  for (const node of world.nodes) node.isDown = true;
  await world.client.delete(PODS, { namespace: 'default', name: pod!.metadata.name });
  await world.advance(1_000);
  expect(await told(world)).toContain(`${pod!.metadata.uid} false true`);
  for (const node of world.nodes) node.isDown = false;
  await world.advance(20_000);
  await expectTrue(world);
  expect(await told(world)).toHaveLength(3);
});

it('leaves no slice of a service that is gone, and none of an earlier one to the next', async () => {
  await using world = await World.start(2, directory(), 2);
  await createService(world);
  await world.client.create(DEPLOYMENTS, deploymentOf('web', 2, 1));
  await world.advance(20_000);
  await world.client.delete(SERVICES, WEB);
  const service = await createService(world);
  await world.advance(20_000);
  await expectTrue(world);
  const owners = (await slicesIn(world)).map(({ metadata }) => metadata.ownerReferences?.[0]?.uid);
  expect(new Set(owners)).toEqual(new Set([service.metadata.uid]));
  await world.client.delete(SERVICES, WEB);
  await world.advance(60_000);
  expect(await slicesIn(world)).toEqual([]);
  expect((await world.client.list(ENDPOINTS)).items).toEqual([]);
});

it('leaves services alone whose endpoints are not its to say', async () => {
  await using world = await World.start(3, directory(), 1);
  await createService(world, { selector: undefined });
  await world.advance(10_000);
  expect(await slicesIn(world)).toEqual([]);
  expect((await world.client.list(ENDPOINTS)).items).toEqual([]);
});

it.each([0, 1])('mirrors Endpoints that people write, and dies after %i writes', async (writes) => {
  await using world = await World.start(6, directory(), 1);
  await createService(world, { selector: undefined });
  const addresses = [{ ip: '192.0.2.1' }, { ip: 'fd00::1' }];
  world.killControllers({ afterWrites: writes, takesEffect: writes === 1 });
  await world.client.create(ENDPOINTS, {
    apiVersion: 'v1',
    kind: 'Endpoints',
    metadata: WEB,
    subsets: [{ addresses, ports: [{ port: 80 }] }],
  });
  await world.advance(5_000);
  world.restartControllers();
  await world.advance(10_000);
  const types = (await slicesIn(world)).map(({ addressType }) => addressType);
  expect(types.sort()).toEqual(['IPv4', 'IPv6']);
  world.writes.length = 0;
  await world.advance(30_000);
  expect(world.writes.filter(({ plural }) => plural === 'endpointslices')).toEqual([]);
  await world.client.delete(ENDPOINTS, WEB);
  await world.advance(20_000);
  expect(await slicesIn(world)).toEqual([]);
});

it('rests when nothing changes', async () => {
  await using world = await World.start(4, directory(), 2);
  await createService(world);
  await world.client.create(DEPLOYMENTS, deploymentOf('web', 3, 1));
  await world.advance(30_000);
  world.writes.length = 0;
  await world.advance(60_000);
  expect(world.writes.filter(({ plural }) => plural.startsWith('endpoint'))).toEqual([]);
});

const DEATHS = [0, 1, 2, 3, 4, 6, 9].flatMap((afterWrites) =>
  [true, false].map((takesEffect) => ({ afterWrites, takesEffect })),
);

it.each(DEATHS)('says what is when its process has died: %j', async (death) => {
  await using world = await World.start(5, directory(), 2);
  await world.client.create(DEPLOYMENTS, deploymentOf('web', 4, 1));
  await world.advance(20_000);
  world.killControllers(death);
  await createService(world);
  await world.advance(2_000);
  await scale(world, 2);
  await world.advance(5_000);
  world.restartControllers();
  await world.advance(40_000);
  await expectTrue(world);
  expect(await told(world)).toHaveLength(2);
  expect((await slicesIn(world)).filter(({ addressType }) => addressType === 'IPv4')).toHaveLength(
    1,
  );
});

it.each(seedsOf(4))('seed %i: says what is in the end, whatever fails', async (seed) => {
  await using world = await World.start(seed, directory(), 4);
  await createService(world);
  await world.client.create(DEPLOYMENTS, deploymentOf('web', 3, 1));
  world.faultRate = 0.3;
  for (const replicas of [8, 1, 6, 0, 5]) {
    await scale(world, replicas);
    await world.advance(7_000);
    world.restartControllers();
  }
  world.faultRate = 0;
  await world.advance(90_000);
  await expectTrue(world);
  expect(await told(world)).toHaveLength(5);
});

it('hints by the shares of zones, and says when it cannot', async () => {
  await using world = await World.start(5, directory(), 2);
  await createService(world);
  await world.client.create(DEPLOYMENTS, deploymentOf('web', 4, 1));
  await world.advance(20_000);
  const zonesOf = async () =>
    (await slicesIn(world))
      .flatMap(({ endpoints }) => endpoints)
      .map(({ hints }) => hints?.forZones?.map(({ name }) => name).join() ?? '-')
      .sort();
  const annotate = async (mode: string) => {
    const service = await world.client.get(SERVICES, WEB);
    const annotations = { 'service.kubernetes.io/topology-mode': mode };
    const metadata = { ...service.metadata, annotations };
    await world.client.update(SERVICES, { ...service, metadata });
    await world.advance(5_000);
  };
  const saidOf = async (reason: string) =>
    (await world.client.list(EVENTS)).items.filter((event) => event.reason === reason);
  await annotate('Auto');
  expect(await zonesOf()).toEqual(['-', '-', '-', '-']);
  expect(await saidOf('TopologyAwareHintsDisabled')).toMatchObject([
    {
      message:
        'Insufficient Node information: allocatable CPU or zone not specified on one or more nodes, ' +
        'addressType: IPv4',
    },
  ]);
  for (const [i, node] of (await world.client.list(NODES)).items.entries()) {
    const labels = { ...node.metadata.labels, 'topology.kubernetes.io/zone': `z${i}` };
    await world.client.update(NODES, { ...node, metadata: { ...node.metadata, labels } });
  }
  await world.advance(5_000);
  await annotate('Auto');
  expect(await zonesOf()).toEqual(['z0', 'z0', 'z1', 'z1']);
  expect(await saidOf('TopologyAwareHintsEnabled')).toHaveLength(1);
  await annotate('Disabled');
  expect(await zonesOf()).toEqual(['-', '-', '-', '-']);
});
