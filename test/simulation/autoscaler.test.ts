import {
  CUSTOM_RESOURCE_DEFINITIONS,
  DEPLOYMENTS,
  EVENTS,
  HORIZONTAL_POD_AUTOSCALERS,
  type Resource,
} from '../../api/resources';
import type { ApiObject, HorizontalPodAutoscaler } from '../../api/types';
import { folderOfWorlds } from './folder';
import { deploymentOf, World } from './world';

jest.setTimeout(300_000);

const directory = folderOfWorlds();
let world: World;

beforeEach(async () => {
  world = await World.start(1, directory(), 3);
});

afterEach(() => world[Symbol.asyncDispose]());

type Spec = NonNullable<HorizontalPodAutoscaler['spec']>;

const name = (own: string) => ({ namespace: 'default', name: own });

const autoscale = (own: string, spec: Partial<Spec> = {}, kind = 'Deployment') =>
  world.client.create(HORIZONTAL_POD_AUTOSCALERS, {
    ...{ apiVersion: 'autoscaling/v2', kind: 'HorizontalPodAutoscaler' },
    metadata: name(own),
    spec: {
      scaleTargetRef: {
        apiVersion: kind === 'Deployment' ? 'apps/v1' : 'example.org/v1',
        kind,
        name: 'a',
      },
      ...{ minReplicas: 1, maxReplicas: 10 },
      ...spec,
    },
  });

const replicas = async () => (await world.client.get(DEPLOYMENTS, name('a'))).spec.replicas;

const statusOf = async (own: string) =>
  (await world.client.get(HORIZONTAL_POD_AUTOSCALERS, name(own))).status;

const conditionOf = async (own: string, type: string) =>
  (await statusOf(own))?.conditions?.find((each) => each.type === type);

const eventsOf = async (own: string) =>
  (await world.client.list(EVENTS)).items
    .filter(({ involvedObject }) => involvedObject.name === own)
    .map(({ reason, message }) => `${reason}: ${message}`);

it.each([0, 0.1])(
  'follows the load of a deployment, up at once and down after its window, with faults at %d',
  async (faultRate) => {
    world.loads.set('a', 50);
    await world.client.create(DEPLOYMENTS, deploymentOf('a', 1, 1));
    await world.advance(60_000);
    await autoscale('a');
    world.faultRate = faultRate;
    await world.advance(30_000);
    expect(await replicas()).toBe(1);
    world.loads.set('a', 480);
    await world.advance(120_000);
    expect(await replicas()).toBe(6);
    expect((await statusOf('a'))?.currentReplicas).toBe(6);
    world.loads.set('a', 80);
    await world.advance(180_000);
    // A write of it may be refused, and what is shown then is from the look before.
    const reasons = new Set<string | undefined>();
    for (let look = 0; look < 4; look++) {
      await world.advance(15_000);
      expect(await replicas()).toBe(6);
      reasons.add((await conditionOf('a', 'AbleToScale'))?.reason);
    }
    expect(reasons).toContain('ScaleDownStabilized');
    await world.advance(120_000);
    world.faultRate = 0;
    await world.advance(60_000);
    expect(await replicas()).toBe(1);
    // A size whose answer was lost is said to have failed, as upstream says.
    const said = (await eventsOf('a')).map((each) =>
      each.replace(/^FailedRescale(.*); error: lost answer$/, 'SuccessfulRescale$1'),
    );
    expect(said).toContain(
      'SuccessfulRescale: New size: 4; reason: cpu resource utilization (percentage of request) above target',
    );
    expect(said).toContain('SuccessfulRescale: New size: 1; reason: All metrics below target');
    expect(await statusOf('a')).toMatchObject({
      ...{ currentReplicas: 1, desiredReplicas: 1, lastScaleTime: expect.any(String) },
      currentMetrics: [{ type: 'Resource', resource: { current: { averageUtilization: 80 } } }],
    });
  },
);

it.each([
  ['is as it should be', 80, 1],
  ['is not measured', undefined, 1],
  ['has no replicas', undefined, 0],
])('writes nothing new of a target that %s', async (_what, load, count) => {
  if (load !== undefined) world.loads.set('a', load);
  await world.client.create(DEPLOYMENTS, deploymentOf('a', count, 1));
  await autoscale('a');
  await world.advance(90_000);
  world.writes.length = 0;
  await world.advance(120_000);
  expect(world.writes.filter(({ plural }) => !['leases', 'nodes'].includes(plural))).toEqual([]);
});

it('scales whatever has a scale, of a kind that users define too', async () => {
  const widgets: Resource = {
    ...{ group: 'example.org', version: 'v1', kind: 'Widget', plural: 'widgets' },
    isNamespaced: true,
  };
  const properties = {
    spec: { type: 'object', properties: { size: { type: 'integer' } } },
    status: {
      type: 'object',
      properties: { size: { type: 'integer' }, selector: { type: 'string' } },
    },
  };
  await world.client.create(CUSTOM_RESOURCE_DEFINITIONS, {
    ...{ apiVersion: 'apiextensions.k8s.io/v1', kind: 'CustomResourceDefinition' },
    metadata: { name: 'widgets.example.org' },
    spec: {
      ...{ group: 'example.org', scope: 'Namespaced' },
      names: { kind: 'Widget', plural: 'widgets' },
      versions: [
        {
          ...{ name: 'v1', served: true, storage: true },
          schema: { openAPIV3Schema: { type: 'object', properties } },
          subresources: {
            status: {},
            scale: {
              specReplicasPath: '.spec.size',
              statusReplicasPath: '.status.size',
              labelSelectorPath: '.status.selector',
            },
          },
        },
      ],
    },
  });
  await world.advance(5_000);
  type Widget = ApiObject & { readonly spec: { readonly size: number }; readonly status?: object };
  const widget: Widget = {
    ...{ apiVersion: 'example.org/v1', kind: 'Widget', metadata: name('a'), spec: { size: 1 } },
  };
  const created = (await world.client.create(widgets, widget)) as Widget;
  const status = { size: 1, selector: 'app=a' };
  await world.client.update(widgets, { ...created, status } as ApiObject, {
    subresource: 'status',
  });
  // Its pods, made by somebody else.
  world.loads.set('a', 200);
  await world.client.create(DEPLOYMENTS, deploymentOf('a', 1, 1));
  await world.advance(60_000);
  await autoscale('w', {}, 'Widget');
  await world.advance(20_000);
  const { spec } = (await world.client.get(widgets, name('a'))) as Widget;
  expect(spec.size).toBe(3);
});

it('says what it cannot scale', async () => {
  await autoscale('none');
  await autoscale('odd', {}, 'Gadget');
  await world.advance(20_000);
  expect(await conditionOf('none', 'AbleToScale')).toMatchObject({
    ...{ status: 'False', reason: 'FailedGetScale' },
    message:
      'the HPA controller was unable to get the target\'s current scale: deployments/scale.apps "a" not found',
  });
  expect(await eventsOf('odd')).toEqual([
    'FailedGetScale: no matches for kind "Gadget" in group "example.org"',
  ]);
});

it('leaves alone what two autoscalers select', async () => {
  world.loads.set('a', 480);
  await world.client.create(DEPLOYMENTS, deploymentOf('a', 1, 1));
  await world.advance(60_000);
  await autoscale('one', { maxReplicas: 1 });
  await world.advance(20_000);
  await autoscale('two');
  await world.advance(60_000);
  expect(await replicas()).toBe(1);
  expect(await conditionOf('two', 'ScalingActive')).toMatchObject({
    reason: 'AmbiguousSelector',
    message: 'pods by selector app=a are controlled by multiple HPAs: [default/one default/two]',
  });
  await world.client.delete(HORIZONTAL_POD_AUTOSCALERS, name('one'));
  await world.advance(60_000);
  expect(await replicas()).toBe(6);
});

it('scales at once when its limits change', async () => {
  await world.client.create(DEPLOYMENTS, deploymentOf('a', 2, 1));
  await autoscale('a');
  await world.advance(5_000);
  await world.client.patch(HORIZONTAL_POD_AUTOSCALERS, name('a'), 'merge', {
    spec: { minReplicas: 4 },
  });
  await world.advance(3_000);
  expect(await replicas()).toBe(4);
  expect(await eventsOf('a')).toContain(
    'SuccessfulRescale: New size: 4; reason: Current number of replicas below Spec.MinReplicas',
  );
});
