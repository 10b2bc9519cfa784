import { isPodReady, isTerminating } from '../../api/pods';
import {
  CUSTOM_RESOURCE_DEFINITIONS,
  DEPLOYMENTS,
  EVENTS,
  NODES,
  POD_DISRUPTION_BUDGETS,
  PODS,
  RESOURCE_QUOTAS,
  type Resource,
} from '../../api/resources';
import { controllerRef } from '../../api/owners';
import type { ApiObject, Pod } from '../../api/types';
import { folderOfWorlds } from './folder';
import { seedsOf } from './seeds';
import { deploymentOf, World } from './world';

jest.setTimeout(300_000);

const directory = folderOfWorlds();
const WEB = { namespace: 'default', name: 'web' };

const protect = (world: World, spec: object) =>
  world.client.create(POD_DISRUPTION_BUDGETS, {
    apiVersion: 'policy/v1',
    kind: 'PodDisruptionBudget',
    metadata: WEB,
    spec: { selector: { matchLabels: { app: 'web' } }, ...spec },
  });

const status = async (world: World) => (await world.client.get(POD_DISRUPTION_BUDGETS, WEB)).status;

/** Those that serve, and are not on their way out. */
const healthy = async (world: World) =>
  (await world.pods()).filter((pod) => isPodReady(pod) && !isTerminating(pod));

const reasons = async (world: World) =>
  new Set((await world.client.list(EVENTS)).items.map(({ reason }) => reason));

it.each(seedsOf(3))(
  'seed %i: evicts at every chance while calls fail and controllers die, and never takes a pod too many',
  async (seed) => {
    await using world = await World.start(seed, directory(), 4);
    await world.client.create(DEPLOYMENTS, deploymentOf('web', 6, 1));
    await protect(world, seed % 2 === 0 ? { maxUnavailable: '30%' } : { minAvailable: 4 });
    await world.advance(20_000);
    expect(await healthy(world)).toHaveLength(6);
    expect(await status(world)).toMatchObject({ disruptionsAllowed: 2, expectedPods: 6 });
    world.faultRate = 0.2;
    let evicted = 0;
    for (let round = 0; round < 120; round++) {
      const pods = (await world.pods()).filter((pod) => !isTerminating(pod));
      const codes = await Promise.all(pods.map((pod) => world.evict(pod)));
      evicted += pods.filter((pod, i) => isPodReady(pod) && codes[i] === 201).length;
      expect(codes.every((code) => code === 201 || code === 429 || code === 404)).toBe(true);
      expect((await healthy(world)).length).toBeGreaterThanOrEqual(4);
      await world.advance(250);
      expect((await healthy(world)).length).toBeGreaterThanOrEqual(4);
      if (round % 25 === 24) world.restartControllers();
    }
    expect(evicted).toBeGreaterThan(4);
    world.faultRate = 0;
    await world.advance(60_000);
    expect(await healthy(world)).toHaveLength(6);
    expect(await status(world)).toMatchObject({ disruptionsAllowed: 2, currentHealthy: 6 });
    expect((await status(world))?.disruptedPods).toBeUndefined();
  },
);

describe('the budget', () => {
  let world: World;
  beforeEach(async () => {
    world = await World.start(1, directory(), 2);
  });
  afterEach(() => world[Symbol.asyncDispose]());

  it('counts a pod again when its allowed eviction does not come', async () => {
    await world.client.create(DEPLOYMENTS, deploymentOf('web', 3, 1));
    await protect(world, { maxUnavailable: 1 });
    await world.advance(20_000);
    const [pod] = await healthy(world);
    const before = await world.client.get(POD_DISRUPTION_BUDGETS, WEB);
    // As a server that dies between the two writes leaves it, its clock an hour ahead.
    await world.client.update(
      POD_DISRUPTION_BUDGETS,
      {
        ...before,
        status: {
          ...before.status!,
          disruptionsAllowed: 0,
          disruptedPods: { [pod!.metadata.name]: '2030-01-01T01:00:00Z' },
        },
      },
      { subresource: 'status' },
    );
    await world.advance(110_000);
    expect(await status(world)).toMatchObject({ disruptionsAllowed: 0, currentHealthy: 2 });
    await world.advance(15_000);
    expect(await status(world)).toMatchObject({ disruptionsAllowed: 1, currentHealthy: 3 });
    expect((await status(world))?.disruptedPods).toBeUndefined();
    expect(await reasons(world)).toContain('NotDeleted');
  });

  it('goes by what the owner wants now, also where no pod comes or goes for it', async () => {
    await world.client.create(DEPLOYMENTS, deploymentOf('web', 3, 1));
    await protect(world, { maxUnavailable: 1 });
    await world.advance(20_000);
    expect(await status(world)).toMatchObject({ expectedPods: 3, disruptionsAllowed: 1 });
    await world.client.create(RESOURCE_QUOTAS, {
      apiVersion: 'v1',
      kind: 'ResourceQuota',
      metadata: { name: 'full', namespace: 'default' },
      spec: { hard: { pods: '3' } },
    });
    await world.advance(5_000);
    const scale = async (replicas: number) => {
      await world.client.patch(DEPLOYMENTS, WEB, 'merge', { spec: { replicas } });
      await world.advance(5_000);
      expect(await healthy(world)).toHaveLength(3);
    };
    await scale(4);
    expect(await status(world)).toMatchObject({ expectedPods: 4, disruptionsAllowed: 0 });
    await scale(3);
    expect(await status(world)).toMatchObject({ expectedPods: 3, disruptionsAllowed: 1 });
  });

  it('allows nothing when nobody knows how many pods there should be', async () => {
    const bare: Partial<Pod> = { spec: { containers: [{ name: 'c', image: 'app:1' }] } };
    const owner = { apiVersion: 'example.org/v1', kind: 'Fleet', name: 'f', uid: 'u' };
    const metadata = { namespace: 'default', name: 'a', labels: { app: 'web' } };
    await world.client.create(PODS, {
      ...{ apiVersion: 'v1', kind: 'Pod', ...bare },
      metadata: { ...metadata, ownerReferences: [{ ...owner, controller: true }] },
    } as Pod);
    await protect(world, { maxUnavailable: 1 });
    await world.advance(10_000);
    expect(await status(world)).toMatchObject({
      disruptionsAllowed: 0,
      conditions: [
        {
          ...{ type: 'DisruptionAllowed', status: 'False', reason: 'SyncFailed' },
          message: 'no matches for kind "Fleet" in version "example.org/v1"',
        },
      ],
    });
    expect(await reasons(world)).toContain('CalculateExpectedPodCountFailed');
  });

  const podOf = (owner: ApiObject) =>
    world.client.create(PODS, {
      ...{ apiVersion: 'v1', kind: 'Pod' },
      metadata: {
        ...{ namespace: 'default', name: 'a', labels: { app: 'web' } },
        ownerReferences: [controllerRef(owner)],
      },
      spec: { containers: [{ name: 'c', image: 'app:1' }] },
    });

  it('asks custom resources for their scale, where their definition says it is', async () => {
    const count = { type: 'object', properties: { count: { type: 'integer' } } };
    const schema = { type: 'object', properties: { spec: count, status: count } };
    await world.client.create(CUSTOM_RESOURCE_DEFINITIONS, {
      ...{ apiVersion: 'apiextensions.k8s.io/v1', kind: 'CustomResourceDefinition' },
      metadata: { name: 'fleets.example.org' },
      spec: {
        ...{ group: 'example.org', scope: 'Namespaced' },
        names: { kind: 'Fleet', plural: 'fleets' },
        versions: [
          {
            ...{ name: 'v1', served: true, storage: true, schema: { openAPIV3Schema: schema } },
            subresources: {
              scale: { specReplicasPath: '.spec.count', statusReplicasPath: '.status.count' },
            },
          },
        ],
      },
    });
    await world.advance(5_000);
    const fleets: Resource = {
      ...{ group: 'example.org', version: 'v1', kind: 'Fleet', plural: 'fleets' },
      isNamespaced: true,
    };
    const fleet = await world.client.create(fleets, {
      ...{ apiVersion: 'example.org/v1', kind: 'Fleet', metadata: { ...WEB } },
      ...{ spec: { count: 7 } },
    });
    await podOf(fleet);
    await protect(world, { maxUnavailable: '50%' });
    await world.advance(10_000);
    expect(await status(world)).toMatchObject({ expectedPods: 7, desiredHealthy: 3 });
  });

  it('says of owners without a scale that they have none', async () => {
    const [node] = (await world.client.list(NODES)).items;
    await podOf(node!);
    await protect(world, { maxUnavailable: 1 });
    await world.advance(10_000);
    expect((await status(world))?.conditions).toMatchObject([
      { reason: 'SyncFailed', message: 'nodes does not implement the scale subresource' },
    ]);
  });

  it('tells of pods that nobody owns, of no pods, and of a pod under two budgets', async () => {
    await protect(world, { maxUnavailable: 1 });
    await world.advance(5_000);
    expect(await reasons(world)).toContain('NoPods');
    await world.client.create(POD_DISRUPTION_BUDGETS, {
      apiVersion: 'policy/v1',
      kind: 'PodDisruptionBudget',
      metadata: { namespace: 'default', name: 'all' },
      spec: { minAvailable: 1, selector: {} },
    });
    await world.client.create(PODS, {
      ...{ apiVersion: 'v1', kind: 'Pod' },
      metadata: { namespace: 'default', name: 'a', labels: { app: 'web' } },
      spec: { containers: [{ name: 'c', image: 'app:1' }] },
    });
    await world.advance(5_000);
    expect(await reasons(world)).toContain('UnmanagedPods');
    expect(await reasons(world)).toContain('MultiplePodDisruptionBudgets');
    expect(await status(world)).toMatchObject({ disruptionsAllowed: 0, expectedPods: 0 });
  });
});
