import { EVENTS, INGRESS_CLASSES, INGRESSES, NODES, SECRETS, SERVICES } from '../../api/resources';
import type { Ingress } from '../../api/types';
import { systemClock } from '../../lib/clock';
import { makeDefaultCertificate } from '../../node-agent/ingress/serving/default-certificate';
import { folderOfWorlds } from './folder';
import { World } from './world';

jest.setTimeout(300_000);

const directory = folderOfWorlds();

const createClass = (world: World, name: string, controller: string) =>
  world.client.create(INGRESS_CLASSES, {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'IngressClass',
    metadata: { name },
    spec: { controller },
  });

const create = (world: World, name: string, spec: NonNullable<Ingress['spec']>) =>
  world.client.create(INGRESSES, {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'Ingress',
    metadata: { namespace: 'default', name },
    spec,
  });

/** As agents report it; the last node serves none. */
const prepareNodes = async (world: World) => {
  const nodes = (await world.client.list(NODES)).items;
  for (const [i, node] of nodes.entries()) {
    const { name } = node.metadata;
    const ports = i === nodes.length - 1 ? 'none' : '80,443';
    const annotations = { 'dhow.dev/ingress-ports': ports };
    const noted = await world.client.patch(NODES, { namespace: '', name }, 'merge', {
      metadata: { annotations },
    });
    const addresses = [{ type: 'InternalIP', address: `192.0.2.${i + 1}` }];
    const status = { ...noted.status, addresses } as typeof node.status;
    await world.client.update(NODES, { ...noted, status }, { subresource: 'status' });
  }
};

const addressesOf = async (world: World, name: string): Promise<readonly string[]> => {
  const { status } = await world.client.get(INGRESSES, { namespace: 'default', name });
  return (status?.loadBalancer?.ingress ?? []).map(({ ip = '' }) => ip);
};

const warnings = async (world: World, wanted = 'BackendNotServed'): Promise<readonly string[]> =>
  (await world.client.list(EVENTS, { namespace: 'default' })).items.flatMap(
    ({ reason, involvedObject, message = '', count = 1 }) =>
      reason === wanted ? [`${involvedObject.name ?? ''} x${count}: ${message}`] : [],
  );

const to = (name: string) => ({ service: { name, port: { number: 80 } } });

it.each([0, 1])(
  'says where ingresses of its classes are reached, also after a death at %i writes',
  async (writes) => {
    await using world = await World.start(1, directory(), 3);
    await prepareNodes(world);
    await createClass(world, 'own', 'dhow.dev/ingress');
    await createClass(world, 'other', 'example.com/ingress');
    world.killControllers({ afterWrites: writes, takesEffect: writes === 1 });
    await create(world, 'web', { ingressClassName: 'own', defaultBackend: to('web') });
    await create(world, 'other', { ingressClassName: 'other', defaultBackend: to('web') });
    await world.advance(5_000);
    world.restartControllers();
    await world.advance(10_000);
    expect(await addressesOf(world, 'web')).toEqual(['192.0.2.1', '192.0.2.2']);
    expect(await addressesOf(world, 'other')).toEqual([]);
    const [node] = world.nodes;
    node!.isDown = true;
    await world.advance(120_000);
    expect(await addressesOf(world, 'web')).toEqual(['192.0.2.2']);
  },
);

it('warns once of backends that nodes cannot serve', async () => {
  await using world = await World.start(1, directory(), 1);
  await createClass(world, 'own', 'dhow.dev/ingress');
  const resource = { apiGroup: 'example.com', kind: 'Bucket', name: 'assets' };
  await create(world, 'assets', { ingressClassName: 'own', defaultBackend: { resource } });
  await create(world, 'away', { ingressClassName: 'own', defaultBackend: to('away') });
  await world.advance(10_000);
  const words = 'x1: Answered with 503, for nodes cannot serve it';
  const bucket = `assets ${words}: Bucket.example.com "assets" is no Service`;
  expect(await warnings(world)).toEqual([bucket]);
  await world.client.create(SERVICES, {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { namespace: 'default', name: 'away' },
    spec: { type: 'ExternalName', externalName: 'example.com' },
  });
  await prepareNodes(world);
  await world.advance(10_000);
  expect([...(await warnings(world))].sort()).toEqual([
    bucket,
    `away ${words}: service "away" is of type ExternalName`,
  ]);
});

it('warns of certificates that cannot be shown, until they can', async () => {
  await using world = await World.start(1, directory(), 1);
  await createClass(world, 'own', 'dhow.dev/ingress');
  await createClass(world, 'other', 'example.com/ingress');
  const tls = [
    { hosts: ['a.example'], secretName: 'late' },
    { hosts: ['b.example'], secretName: 'late' },
  ];
  const spec = { ingressClassName: 'own', defaultBackend: to('web'), tls };
  await create(world, 'web', spec);
  await create(world, 'others', { ...spec, ingressClassName: 'other' });
  await world.advance(10_000);
  const words = 'web x1: Nodes show a certificate of their own instead';
  const told = () => warnings(world, 'CertificateNotShown');
  expect(await told()).toEqual([`${words}: there is no secret "late"`]);
  const encoded = (text: string) => Buffer.from(text).toString('base64');
  const data = { 'tls.crt': encoded('nonsense'), 'tls.key': encoded('nonsense') };
  const metadata = { namespace: 'default', name: 'late' };
  const made = await world.client.create(SECRETS, {
    ...{ apiVersion: 'v1', kind: 'Secret', type: 'Opaque' },
    ...{ metadata, data },
  });
  await world.advance(10_000);
  expect([...(await told())].sort()[0]).toMatch(
    /^web x1: Nodes show a certificate of their own instead: secret "late": .*PEM/,
  );
  const { cert, key } = await makeDefaultCertificate(systemClock);
  const good = { ...made, data: { 'tls.crt': encoded(cert), 'tls.key': encoded(key) } };
  const mended = await world.client.update(SECRETS, good);
  await world.advance(10_000);
  expect(await told()).toHaveLength(2);
  await world.client.update(SECRETS, { ...mended, data: { 'tls.crt': encoded(cert) } });
  await world.advance(10_000);
  expect(await told()).toContain(`${words}: secret "late": it has no tls.key`);
});

it('hears of agents which nodes serve none', async () => {
  await using world = await World.start(1, directory(), 1, { hasAgents: true });
  await createClass(world, 'own', 'dhow.dev/ingress');
  await create(world, 'web', { ingressClassName: 'own', defaultBackend: to('web') });
  await world.advance(10_000);
  const [node] = (await world.client.list(NODES)).items;
  expect(node?.status.conditions).toContainEqual(
    expect.objectContaining({ type: 'Ready', status: 'True' }),
  );
  expect(node?.metadata.annotations?.['dhow.dev/ingress-ports']).toBe('none');
  expect(await addressesOf(world, 'web')).toEqual([]);
});
