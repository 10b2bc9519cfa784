import {
  CONFIG_MAPS,
  DEPLOYMENTS,
  EVENTS,
  NAMESPACES,
  PODS,
  REPLICA_SETS,
} from '../../api/resources';
import type { PodSpec } from '../../api/types';
import { folderOfWorlds } from './folder';
import { deploymentOf, World } from './world';

jest.setTimeout(300_000);

const directory = folderOfWorlds();
let world: World;

beforeEach(async () => {
  world = await World.start(1, directory(), 2);
});

afterEach(() => world[Symbol.asyncDispose]());

/** An app whose pods have `spec` besides their container. */
const startApp = (replicas: number, spec: Partial<PodSpec>, cpu = '100m') => {
  const app = deploymentOf('app', replicas, 1);
  const { template } = app.spec;
  const [container] = template.spec.containers;
  const containers = [{ ...container, name: 'main', resources: { requests: { cpu } } }];
  return world.client.create(DEPLOYMENTS, {
    ...app,
    spec: { ...app.spec, template: { ...template, spec: { containers, ...spec } } },
  });
};

const startPod = (spec: Partial<PodSpec>) =>
  world.client.create(PODS, {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'pod', namespace: 'default' },
    spec: { containers: [{ name: 'main', image: 'app:1' }], ...spec },
  });

const stuckNamespace = async () => {
  const metadata = { name: 'shop' };
  await world.client.create(NAMESPACES, { apiVersion: 'v1', kind: 'Namespace', metadata });
  await world.client.create(CONFIG_MAPS, {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { namespace: 'shop', name: 'kept', finalizers: ['example.com/keep'] },
  });
  await world.client.create(DEPLOYMENTS, deploymentOf('app', 2, 1, 'shop'));
  await world.client.delete(NAMESPACES, { namespace: '', name: 'shop' });
};

const ownedByStranger = () =>
  world.client.create(CONFIG_MAPS, {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: {
      namespace: 'default',
      name: 'owned',
      ownerReferences: [{ apiVersion: 'example.com/v1', kind: 'Boat', name: 'b', uid: 'b-1' }],
    },
  });

const silenceNodes = async () => {
  await startApp(2, { tolerations: [{ operator: 'Exists' }] });
  await world.advance(10_000);
  for (const node of world.nodes) node.isDown = true;
};

it.each<[string, () => Promise<unknown>]>([
  ['all is well', () => startApp(3, {})],
  ['a service account is missing', () => startApp(3, { serviceAccountName: 'no-such-account' })],
  ['a priority class is missing', () => startApp(3, { priorityClassName: 'no-such-class' })],
  ['pods fit nowhere', () => startApp(3, { nodeSelector: { disk: 'none' } })],
  ['pods are for another scheduler', () => startApp(1, { schedulerName: 'nobody' })],
  ['a pod is gated', () => startPod({ schedulingGates: [{ name: 'example.com/gate' }] })],
  ['a namespace cannot be emptied', stuckNamespace],
  ['an owner is of a kind that is not served', ownedByStranger],
  ['all nodes have fallen silent', silenceNodes],
])('no controller writes once things have settled: %s', async (_title, setUp) => {
  await setUp();
  // Silence is noticed, taints are set and progress deadlines (ten minutes) are seen to pass.
  await world.advance(12 * 60_000);
  world.writes.length = 0;
  await world.advance(5 * 60_000);
  expect(world.writes.filter(({ isRefused }) => !isRefused)).toEqual([]);
  // What is refused is tried again, at the pace of a long backoff.
  expect(world.writes.length).toBeLessThanOrEqual(20);
});

it.each<[string, Partial<PodSpec>, string, string]>([
  ['service account', { serviceAccountName: 'no-such-account' }, '100m', 'no-such-account'],
  ['priority class', { priorityClassName: 'no-such-class' }, '100m', 'no-such-class'],
  ['fitting node', { nodeName: 'node-1' }, '500', 'OutOfcpu'],
])(
  'creates few pods in vain, and says why up to the Deployment: no %s',
  async (_title, spec, cpu, cause) => {
    await startApp(3, spec, cpu);
    await world.advance(10_000);
    const tried = world.writes.filter(
      ({ verb, plural }) => verb === 'create' && plural === 'pods',
    ).length;
    expect(tried).toBeGreaterThan(3);
    expect(tried).toBeLessThanOrEqual(20);
    const name = { namespace: 'default', name: 'app' };
    const { status } = await world.client.get(DEPLOYMENTS, name);
    const failure = status.conditions?.find(({ type }) => type === 'ReplicaFailure');
    expect(failure).toMatchObject({ status: 'True' });
    expect(failure?.message).toContain(cause);
    const [set] = (await world.client.list(REPLICA_SETS)).items;
    expect(set?.status.conditions?.[0]?.message).toBe(failure?.message);
    world.writes.length = 0;
    await world.advance(60_000);
    const creations = world.writes.filter(({ verb }) => verb === 'create').length;
    expect(creations).toBeLessThanOrEqual(15);
  },
);

it('tells of one refusal in one counted event', async () => {
  await startApp(3, { serviceAccountName: 'no-such-account' });
  await world.advance(60_000);
  const { items } = await world.client.list(EVENTS);
  const failed = items.filter(({ reason }) => reason === 'FailedCreate');
  expect(failed).toHaveLength(1);
  expect(failed[0]?.count).toBeGreaterThan(3);
  expect(failed[0]?.message).toMatch(/^Error creating: pods "app-[a-z0-9]+-" is forbidden: /);
});

it('goes on at once when the cause is gone, and takes the condition back', async () => {
  await startApp(3, { priorityClassName: 'late' });
  await world.advance(10_000);
  await world.client.create(
    {
      group: 'scheduling.k8s.io',
      version: 'v1',
      kind: 'PriorityClass',
      plural: 'priorityclasses',
      isNamespaced: false,
    },
    {
      apiVersion: 'scheduling.k8s.io/v1',
      kind: 'PriorityClass',
      metadata: { name: 'late' },
      value: 7,
    } as never,
  );
  await world.advance(45_000);
  const { status } = await world.client.get(DEPLOYMENTS, { namespace: 'default', name: 'app' });
  expect(status.availableReplicas).toBe(3);
  expect(status.conditions?.map(({ type }) => type).sort()).toEqual(['Available', 'Progressing']);
});
