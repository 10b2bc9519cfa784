import { isPodReady } from '../../api/pods';
import { EVENTS, PODS, REPLICATION_CONTROLLERS } from '../../api/resources';
import { folderOfWorlds } from './folder';
import { World } from './world';

jest.setTimeout(120_000);

const directory = folderOfWorlds();
let world: World;

beforeEach(async () => {
  world = await World.start(1, directory(), 2);
});

afterEach(() => world[Symbol.asyncDispose]());

const PLACE = { namespace: 'default', name: 'old' };
const SPEC = { containers: [{ name: 'main', image: 'app:1' }] };

const create = (spec: object = {}) =>
  world.client.create(REPLICATION_CONTROLLERS, {
    ...{ apiVersion: 'v1', kind: 'ReplicationController', metadata: { ...PLACE } },
    spec: { replicas: 2, template: { metadata: { labels: { app: 'old' } }, spec: SPEC }, ...spec },
  });

const read = () => world.client.get(REPLICATION_CONTROLLERS, PLACE);

const change = (spec: object) =>
  world.client.patch(REPLICATION_CONTROLLERS, PLACE, 'merge', { spec });

it('keeps as many pods as it should, by the labels of its template, and tells of them', async () => {
  const { metadata, spec } = await create();
  expect([metadata.labels, spec.selector]).toEqual([{ app: 'old' }, { app: 'old' }]);
  await world.advance(10_000);
  expect((await world.pods()).filter(isPodReady)).toHaveLength(2);
  expect((await read()).status).toEqual({
    ...{ replicas: 2, fullyLabeledReplicas: 2, readyReplicas: 2, availableReplicas: 2 },
    observedGeneration: 1,
  });
  const told = (await world.client.list(EVENTS)).items.filter(
    ({ involvedObject }) => involvedObject.kind === 'ReplicationController',
  );
  expect(told.map(({ reason, source }) => [reason, source?.component])).toContainEqual([
    ...['SuccessfulCreate', 'replication-controller'],
  ]);
  await change({ replicas: 1 });
  await world.advance(10_000);
  expect(await world.pods()).toHaveLength(1);
  expect((await world.client.getScale(REPLICATION_CONTROLLERS, PLACE)).status).toEqual({
    ...{ replicas: 1, selector: 'app=old' },
  });
});

it('counts a pod as available only once it has been ready for minReadySeconds', async () => {
  await create({ minReadySeconds: 30 });
  await world.advance(20_000);
  expect((await read()).status).toMatchObject({ readyReplicas: 2 });
  expect((await read()).status.availableReplicas).toBeUndefined();
  await world.advance(30_000);
  expect((await read()).status).toMatchObject({ availableReplicas: 2 });
});

it('takes over what its selector finds, and lets go of what it no longer does', async () => {
  const metadata = { namespace: 'default', name: 'stray', labels: { app: 'old', tier: 'x' } };
  await world.client.create(PODS, { apiVersion: 'v1', kind: 'Pod', metadata, spec: SPEC });
  await create();
  await world.advance(10_000);
  const names = async () => (await world.pods()).map((pod) => pod.metadata.name);
  expect(await names()).toHaveLength(2);
  expect(await names()).toContain('stray');
  const labels = { app: 'old', tier: 'y' };
  await change({ selector: labels, template: { metadata: { labels } } });
  await world.advance(10_000);
  expect(await names()).toHaveLength(4);
  const stray = await world.client.get(PODS, { namespace: 'default', name: 'stray' });
  expect(stray.metadata.ownerReferences ?? []).toEqual([]);
});

it('leaves its pods when it is deleted by one who says nothing of them', async () => {
  await create();
  await world.advance(10_000);
  await world.client.delete(REPLICATION_CONTROLLERS, PLACE);
  await world.advance(20_000);
  await expect(read()).rejects.toThrow('not found');
  expect((await world.pods()).map((pod) => pod.metadata.ownerReferences ?? [])).toEqual([[], []]);
  await create();
  await world.advance(10_000);
  await world.client.delete(REPLICATION_CONTROLLERS, PLACE, { propagationPolicy: 'Background' });
  await world.advance(20_000);
  expect(await world.pods()).toEqual([]);
});
