import { NODES, SERVICES } from '../../api/resources';
import { folderOfWorlds } from './folder';
import { World } from './world';

jest.setTimeout(300_000);

const directory = folderOfWorlds();

const create = (world: World, name: string, spec: object = {}) =>
  world.client.create(SERVICES, {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { namespace: 'default', name },
    spec: { type: 'LoadBalancer', ports: [{ port: 80 }], ...spec },
  });

const giveAddresses = async (world: World) => {
  const nodes = (await world.client.list(NODES)).items;
  for (const [i, node] of nodes.entries()) {
    const addresses = [{ type: 'InternalIP', address: `192.0.2.${i + 1}` }];
    const status = { ...node.status, addresses } as typeof node.status;
    await world.client.update(NODES, { ...node, status }, { subresource: 'status' });
  }
};

const ingressOf = async (world: World, name: string): Promise<readonly string[]> => {
  const { status } = await world.client.get(SERVICES, { namespace: 'default', name });
  return (status?.loadBalancer?.ingress ?? []).map(({ ip = '' }) => ip);
};

it.each([0, 1])(
  'says where a service is reached, also after a death at %i writes, and makes room',
  async (writes) => {
    await using world = await World.start(1, directory(), 2);
    await giveAddresses(world);
    world.killControllers({ afterWrites: writes, takesEffect: writes === 1 });
    await create(world, 'first');
    await world.advance(5_000);
    world.restartControllers();
    await create(world, 'second');
    await world.advance(10_000);
    expect(await ingressOf(world, 'first')).toEqual(['192.0.2.1', '192.0.2.2']);
    expect(await ingressOf(world, 'second')).toEqual([]);
    await world.client.delete(SERVICES, { namespace: 'default', name: 'first' });
    await world.advance(10_000);
    expect(await ingressOf(world, 'second')).toEqual(['192.0.2.1', '192.0.2.2']);
    const [node] = world.nodes;
    node!.isDown = true;
    await world.advance(120_000);
    expect(await ingressOf(world, 'second')).toHaveLength(1);
  },
);
