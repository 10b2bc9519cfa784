import { hasReason } from '../../api/errors';
import {
  CONFIG_MAPS,
  DEPLOYMENTS,
  EVENTS,
  NAMESPACES,
  PODS,
  PRIORITY_CLASSES,
  REPLICA_SETS,
} from '../../api/resources';
import type { ConfigMap, OwnerReference } from '../../api/types';
import { folderOfWorlds } from './folder';
import { deploymentOf, World } from './world';

jest.setTimeout(120_000);

const directory = folderOfWorlds();
let world: World;

beforeEach(async () => {
  world = await World.start(1, directory(), 2);
});

afterEach(() => world[Symbol.asyncDispose]());

const place = (name: string) => ({ namespace: 'default', name });

const configMap = (name: string, owners: readonly OwnerReference[] = []) =>
  world.client.create(CONFIG_MAPS, {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { ...place(name), ownerReferences: owners },
  });

const ownerOf = ({ metadata }: ConfigMap, isBlocking = true): OwnerReference => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  name: metadata.name,
  uid: metadata.uid ?? '',
  blockOwnerDeletion: isBlocking,
});

const configMaps = async (): Promise<readonly string[]> =>
  (await world.client.list(CONFIG_MAPS, { namespace: 'default' })).items
    .map(({ metadata }) => metadata.name)
    .filter((name) => name !== 'kube-root-ca.crt');

const startApp = async () => {
  await world.client.create(DEPLOYMENTS, deploymentOf('app', 2, 1));
  await world.advance(10_000);
  expect(await world.pods()).toHaveLength(2);
};

const exists = async (): Promise<boolean> =>
  world.client.get(DEPLOYMENTS, place('app')).then(
    () => true,
    (error: unknown) => {
      if (!hasReason(error, 'NotFound')) throw error;
      return false;
    },
  );

it('deletes what a deployment made after it, in the background', async () => {
  await startApp();
  await world.client.delete(DEPLOYMENTS, place('app'), { propagationPolicy: 'Background' });
  expect(await exists()).toBe(false);
  await world.advance(20_000);
  expect(await world.pods()).toEqual([]);
  expect((await world.client.list(REPLICA_SETS)).items).toEqual([]);
});

it('deletes a deployment in the foreground only once its pods are gone', async () => {
  await startApp();
  for (const node of world.nodes) node.isDown = true;
  await world.client.delete(DEPLOYMENTS, place('app'), { propagationPolicy: 'Foreground' });
  await world.advance(5_000);
  const pods = await world.pods();
  expect(pods.map(({ metadata }) => metadata.deletionTimestamp !== undefined)).toEqual([
    true,
    true,
  ]);
  expect(await exists()).toBe(true);
  for (const node of world.nodes) node.isDown = false;
  await world.advance(20_000);
  expect(await world.pods()).toEqual([]);
  expect(await exists()).toBe(false);
});

it('leaves what an orphaning deletion leaves, with no owner', async () => {
  await startApp();
  await world.client.delete(DEPLOYMENTS, place('app'), { propagationPolicy: 'Orphan' });
  await world.advance(20_000);
  expect(await exists()).toBe(false);
  const [set] = (await world.client.list(REPLICA_SETS)).items;
  expect(set?.metadata.ownerReferences ?? []).toEqual([]);
  expect(await world.pods()).toHaveLength(2);
});

it.each(['Background', 'Foreground'] as const)(
  'gets out of a circle of owners that is deleted in the %s',
  async (propagationPolicy) => {
    const a = await configMap('a');
    const b = await configMap('b', [ownerOf(a)]);
    const c = await configMap('c', [ownerOf(b)]);
    const body = { metadata: { ownerReferences: [ownerOf(c)] } };
    await world.client.patch(CONFIG_MAPS, place('a'), 'merge', body);
    await world.client.delete(CONFIG_MAPS, place('a'), { propagationPolicy });
    await world.advance(20_000);
    expect(await configMaps()).toEqual([]);
  },
);

it('keeps what another owner still wants, and does not make the first wait for it', async () => {
  const [first, second] = [await configMap('first'), await configMap('second')];
  await configMap('shared', [ownerOf(first), ownerOf(second)]);
  await world.client.delete(CONFIG_MAPS, place('first'), { propagationPolicy: 'Foreground' });
  await world.advance(20_000);
  expect(await configMaps()).toEqual(['second', 'shared']);
  const shared = await world.client.get(CONFIG_MAPS, place('shared'));
  expect(shared.metadata.ownerReferences?.map(({ name }) => name)).toEqual(['second']);
});

it('deletes what names an owner that never was', async () => {
  await configMap('lost', [
    { apiVersion: 'v1', kind: 'ConfigMap', name: 'nobody', uid: 'no-such-uid' },
  ]);
  await world.advance(20_000);
  expect(await configMaps()).toEqual([]);
});

describe('a reference whose uid is that of a stranger', () => {
  const shop = { namespace: '', name: 'shop' };
  const inShop = (name: string) => ({ namespace: 'shop', name });
  const bound = (metadata: ConfigMap['metadata']) =>
    world.client.create(CONFIG_MAPS, { apiVersion: 'v1', kind: 'ConfigMap', metadata });
  const eventsOf = async (reason: string) =>
    (await world.client.list(EVENTS)).items.filter((event) => event.reason === reason);

  beforeEach(() =>
    world.client.create(NAMESPACES, {
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata: { name: shop.name },
    }),
  );

  it('in another namespace is told of and collected, and the stranger stays', async () => {
    const stranger = await bound(inShop('owner'));
    await configMap('copied', [ownerOf(stranger)]);
    await world.advance(20_000);
    expect(await configMaps()).toEqual([]);
    const [event] = await eventsOf('OwnerRefInvalidNamespace');
    expect(event?.involvedObject.name).toBe('copied');
    expect(event?.message).toBe(
      `ownerRef [v1/ConfigMap, namespace: default, name: owner, uid: ${stranger.metadata.uid ?? ''}] ` +
        'does not exist in namespace "default"',
    );
    await world.client.get(CONFIG_MAPS, inShop('owner'));
  });

  it.each([
    ['kind', { kind: 'Secret' }],
    ['name', { name: 'other' }],
    ['group', { apiVersion: 'apps/v1', kind: 'Deployment' }],
  ])('under another %s is collected', async (_what, change) => {
    const stranger = await configMap('owner');
    await configMap('copied', [{ ...ownerOf(stranger), ...change }]);
    await world.advance(20_000);
    expect(await configMaps()).toEqual(['owner']);
  });

  it('does not hold the stranger back, nor loses its reference with it', async () => {
    const stranger = await bound(inShop('owner'));
    const owner = await configMap('owner');
    // Kept by its own owner, whatever else it names.
    await configMap('copied', [ownerOf(owner), ownerOf(stranger)]);
    await world.client.delete(CONFIG_MAPS, inShop('owner'), { propagationPolicy: 'Foreground' });
    await world.advance(20_000);
    expect(await configMaps()).toEqual(['copied', 'owner']);
    await expect(world.client.get(CONFIG_MAPS, inShop('owner'))).rejects.toMatchObject({
      reason: 'NotFound',
    });
  });

  it('from the cluster into a namespace is told of and never collected', async () => {
    const owner = await configMap('owner');
    await world.client.create(PRIORITY_CLASSES, {
      apiVersion: 'scheduling.k8s.io/v1',
      kind: 'PriorityClass',
      metadata: { name: 'owned', ownerReferences: [ownerOf(owner)] },
      value: 5,
    });
    await world.advance(20_000);
    await world.client.delete(CONFIG_MAPS, place('owner'), { propagationPolicy: 'Foreground' });
    await world.advance(20_000);
    await world.client.get(PRIORITY_CLASSES, { namespace: '', name: 'owned' });
    expect(await configMaps()).toEqual([]);
    expect(await eventsOf('OwnerRefInvalidNamespace')).toHaveLength(1);
  });

  it('of a version that is not served is its owner all the same', async () => {
    const owner = await configMap('owner');
    await configMap('owned', [{ ...ownerOf(owner), apiVersion: 'v1beta1' }]);
    await configMap('unknown', [{ ...ownerOf(owner), apiVersion: 'example.org/v1', kind: 'Foo' }]);
    await world.advance(20_000);
    expect(await configMaps()).toEqual(['owned', 'owner', 'unknown']);
    await world.client.delete(CONFIG_MAPS, place('owner'));
    await world.advance(20_000);
    expect(await configMaps()).toEqual(['unknown']);
  });

  it('gives nobody the pods of another namespace', async () => {
    await startApp();
    const [mine] = await world.pods();
    await world.client.create(PODS, {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: {
        ...inShop('intruder'),
        labels: mine?.metadata.labels ?? {},
        ownerReferences: mine?.metadata.ownerReferences ?? [],
      },
      spec: mine?.spec ?? { containers: [] },
    });
    await world.advance(20_000);
    const pods = (await world.pods()).map(({ metadata }) => metadata.namespace);
    expect(pods).toEqual(['default', 'default']);
  });
});

it('empties a namespace, says what it waits for, and lets go once a finalizer is gone', async () => {
  const namespace = { namespace: '', name: 'shop' };
  const inShop = { namespace: 'shop', name: 'kept' };
  await world.client.create(NAMESPACES, {
    apiVersion: 'v1',
    kind: 'Namespace',
    metadata: { name: 'shop' },
  });
  await world.client.create(DEPLOYMENTS, deploymentOf('app', 2, 1, 'shop'));
  await world.client.create(CONFIG_MAPS, {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { ...inShop, finalizers: ['example.com/keep'] },
  });
  await world.advance(10_000);
  for (const node of world.nodes) node.isDown = true;
  await world.client.delete(NAMESPACES, namespace);
  await world.advance(5_000);
  // Nothing that pods may use goes while they are ending.
  const message = async (type: string) => {
    const { status } = await world.client.get(NAMESPACES, namespace);
    return status?.conditions?.find((condition) => condition.type === type)?.message;
  };
  expect(await message('NamespaceContentRemaining')).toBe(
    'Some resources are remaining: pods. has 2 resource instances',
  );
  expect((await world.client.list(REPLICA_SETS, { namespace: 'shop' })).items).toHaveLength(1);
  for (const node of world.nodes) node.isDown = false;
  await world.advance(30_000);
  expect((await world.client.list(PODS, { namespace: 'shop' })).items).toEqual([]);
  const { status } = await world.client.get(NAMESPACES, namespace);
  expect(status?.phase).toBe('Terminating');
  expect(await message('NamespaceContentRemaining')).toBe(
    'Some resources are remaining: configmaps. has 1 resource instances',
  );
  expect(await message('NamespaceFinalizersRemaining')).toBe(
    'Some content in the namespace has finalizers remaining: example.com/keep in 1 resource instances',
  );
  expect(await message('NamespaceDeletionContentFailure')).toBe(
    'All content successfully deleted, may be waiting on finalization',
  );
  await world.client.patch(CONFIG_MAPS, inShop, 'merge', { metadata: { finalizers: null } });
  await world.advance(10_000);
  await expect(world.client.get(NAMESPACES, namespace)).rejects.toMatchObject({
    reason: 'NotFound',
  });
});
