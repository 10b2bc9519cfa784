import { hasReason } from '../../api/errors';
import { SERVICE_CIDRS, SERVICES } from '../../api/resources';
import { SERVICE_CIDR_FINALIZER } from '../../api/service-cidrs';
import type { ServiceCidr } from '../../api/types';
import { folderOfWorlds } from './folder';
import { World } from './world';

jest.setTimeout(300_000);

const directory = folderOfWorlds();
const MORE = { namespace: '', name: 'more' };
const WEB = { namespace: 'default', name: 'web' };

const found = async (world: World, name: string): Promise<ServiceCidr | undefined> => {
  try {
    return await world.client.get(SERVICE_CIDRS, { namespace: '', name });
  } catch (error) {
    if (hasReason(error, 'NotFound')) return undefined;
    throw error;
  }
};

/** `Ready=True`, and why not. */
const said = async (world: World, name: string): Promise<string | undefined> => {
  const object = await found(world, name);
  const [condition] = object?.status?.conditions ?? [];
  return condition && [`${condition.type}=${condition.status}`, condition.reason].join(' ').trim();
};

const addRange = (world: World) =>
  world.client.create(SERVICE_CIDRS, {
    ...{ apiVersion: 'networking.k8s.io/v1', kind: 'ServiceCIDR' },
    metadata: { name: MORE.name },
    spec: { cidrs: ['10.97.0.0/24'] },
  });

const addService = (world: World, clusterIP: string) =>
  world.client.create(SERVICES, {
    ...{ apiVersion: 'v1', kind: 'Service', metadata: WEB },
    spec: { clusterIP, ports: [{ port: 80 }] },
  });

it('has one of the ranges of the server, again when somebody deletes it', async () => {
  await using world = await World.start(1, directory(), 1);
  const own = await found(world, 'kubernetes');
  expect(own?.spec?.cidrs).toEqual(['10.96.0.0/16']);
  expect(own?.metadata.finalizers).toEqual([SERVICE_CIDR_FINALIZER]);
  expect(await said(world, 'kubernetes')).toBe('Ready=True');
  await world.client.delete(SERVICE_CIDRS, { namespace: '', name: 'kubernetes' });
  await world.advance(30_000);
  const again = await found(world, 'kubernetes');
  expect(again?.metadata.uid).not.toBe(own?.metadata.uid);
  expect(await said(world, 'kubernetes')).toBe('Ready=True');
});

it.each([0, 1, 2, 3])(
  'lets a range go when no service needs it, also after a death at %i writes',
  async (writes) => {
    await using world = await World.start(2, directory(), 1);
    const dieAndGoOn = async (takesEffect: boolean) => {
      world.killControllers({ afterWrites: writes % 2, takesEffect });
      await world.advance(5_000);
    };
    const death = dieAndGoOn(writes > 1);
    await addRange(world);
    await death;
    world.restartControllers();
    await world.advance(5_000);
    expect(await said(world, 'more')).toBe('Ready=True');
    expect((await found(world, 'more'))?.metadata.finalizers).toEqual([SERVICE_CIDR_FINALIZER]);

    const { metadata } = await addService(world, '10.97.0.7');
    await world.client.delete(SERVICE_CIDRS, MORE);
    await world.advance(60_000);
    expect(await said(world, 'more')).toBe('Ready=False Terminating');

    await world.client.delete(SERVICES, WEB, {
      preconditions: metadata.uid === undefined ? {} : { uid: metadata.uid },
    });
    await dieAndGoOn(writes > 1);
    world.restartControllers();
    await world.advance(30_000);
    expect(await found(world, 'more')).toBeUndefined();
    await expect(addService(world, '10.97.0.7')).rejects.toThrow(
      'the provided network does not match the current range',
    );
  },
);

it('lets a range go when another covers what services have of it', async () => {
  await using world = await World.start(3, directory(), 1);
  await addRange(world);
  await world.advance(5_000);
  await addService(world, '10.97.0.7');
  await world.client.delete(SERVICE_CIDRS, MORE);
  await world.advance(30_000);
  expect(await said(world, 'more')).toBe('Ready=False Terminating');
  await world.client.create(SERVICE_CIDRS, {
    ...{ apiVersion: 'networking.k8s.io/v1', kind: 'ServiceCIDR' },
    metadata: { name: 'around' },
    spec: { cidrs: ['10.97.0.0/16'] },
  });
  await world.advance(30_000);
  expect(await found(world, 'more')).toBeUndefined();
  expect((await world.client.get(SERVICES, WEB)).spec?.clusterIP).toBe('10.97.0.7');
});
