import { MIRRORING_CONTROLLER, SLICE_MANAGED_BY_LABEL } from '../../api/endpoint-slices';
import { ownerReference } from '../../api/owners';
import {
  apiVersionOf,
  CONFIG_MAPS,
  DEPLOYMENTS,
  ENDPOINT_SLICES,
  ENDPOINTS,
  EVENTS,
  LEASES,
  NAMESPACES,
  PODS,
  REPLICA_SETS,
  type Resource,
} from '../../api/resources';
import { kinds } from '../../api/scheme';
import { nameOf, type ApiObject } from '../../api/types';
import { folderOfWorlds } from './folder';
import { SAMPLES, type Sample } from './samples';
import { deploymentOf, World } from './world';

jest.setTimeout(600_000);

const MINUTE_MS = 60_000;

const directory = folderOfWorlds();
let world: World;

beforeEach(async () => {
  world = await World.start(1, directory(), 3);
});

afterEach(() => world[Symbol.asyncDispose]());

const STORED: readonly Resource[] = kinds()
  .filter(({ verbs }) => verbs.includes('create') && verbs.includes('list'))
  .map(({ resource }) => resource);

/** Each object that is stored, with its version: any write to any of them shows. */
const versions = async (): Promise<Map<string, string>> => {
  const found = new Map<string, string>();
  for (const { resource, object } of await everything()) {
    const { namespace = '', name, resourceVersion = '' } = object.metadata;
    found.set(`${resource.plural} ${namespace}/${name}`, resourceVersion);
  }
  return found;
};

/**
 * As upstream, the scheduler tries a pod that fits nowhere again every five minutes and says so, by
 * counting its event.
 */
const retries = async (): Promise<readonly string[]> => {
  const { items } = await world.client.list(EVENTS);
  const names = items
    .filter(({ reason }) => reason === 'FailedScheduling')
    .map(({ metadata }) => `events ${metadata.namespace ?? ''}/${metadata.name}`);
  expect(names.every((name) => name.startsWith('events default/large-'))).toBe(true);
  return names;
};

/** But for signs of life, which the nodes give by themselves. */
const everything = async () => {
  const found: { readonly resource: Resource; readonly object: ApiObject }[] = [];
  for (const resource of STORED.filter(({ plural }) => plural !== LEASES.plural)) {
    const { items } = await world.client.list(resource);
    found.push(...items.map((object) => ({ resource, object })));
  }
  return found;
};

/** What changed while `ms` passed, and what the components tried to change. */
const changesIn = async (ms: number) => {
  const before = await versions();
  world.writes.length = 0;
  await world.advance(ms);
  const after = await versions();
  for (const name of await retries()) before.set(name, after.get(name) ?? '');
  const names = new Set([...before.keys(), ...after.keys()]);
  const changed = [...names].filter((name) => before.get(name) !== after.get(name));
  return { changed, writes: [...world.writes] };
};

const QUIET = { changed: [], writes: [] };

const configMap = (name: string, owner?: ApiObject, namespace = 'default') =>
  world.client.create(CONFIG_MAPS, {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: {
      namespace,
      name,
      ...(owner === undefined ? {} : { ownerReferences: [ownerReference(owner)] }),
    },
  });

/** Objects of every kind that a controller makes, changes or watches, each as it may be for long. */
const populate = async () => {
  const { client } = world;
  await client.create(NAMESPACES, {
    apiVersion: 'v1',
    kind: 'Namespace',
    metadata: { name: 'shop' },
  });
  const app = await client.create(DEPLOYMENTS, deploymentOf('app', 3, 1));
  const paused = deploymentOf('paused', 1, 1, 'shop');
  await client.create(DEPLOYMENTS, { ...paused, spec: { ...paused.spec, paused: true } });
  await client.create(DEPLOYMENTS, deploymentOf('none', 0, 1, 'shop'));
  const large = deploymentOf('large', 1, 1);
  const [container] = large.spec.template.spec.containers;
  const resources = { requests: { cpu: '64', memory: '1Gi' } };
  const spec = { containers: [{ ...container, name: 'main', resources }] };
  const template = { ...large.spec.template, spec };
  await client.create(DEPLOYMENTS, { ...large, spec: { ...large.spec, template } });
  const { selector, template: made } = deploymentOf('alone', 2, 1).spec;
  await client.create(REPLICA_SETS, {
    apiVersion: 'apps/v1',
    kind: 'ReplicaSet',
    metadata: { name: 'alone', namespace: 'default' },
    spec: { replicas: 2, selector, template: made },
  });
  const pod = (name: string, more: object = {}) =>
    client.create(PODS, {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name, namespace: 'shop' },
      spec: { containers: [{ name: 'main', image: 'app:1' }], ...more },
    });
  await pod('bare');
  await pod('gated', { schedulingGates: [{ name: 'example.com/gate' }] });
  await pod('tolerant', { tolerations: [{ operator: 'Exists' }] });
  const owner = await configMap('owner');
  await configMap('owned', owner);
  await configMap('of-app', app);
  for (const sample of SAMPLES) await createSample(sample);
  await world.advance(2 * MINUTE_MS);
  // A rollout leaves an old set, and a node that fell silent its taints.
  const change = {
    spec: { template: { spec: { containers: [{ name: 'main', image: 'app:2' }] } } },
  };
  await client.patch(DEPLOYMENTS, nameOf(app), 'strategic', change);
  const [silent] = world.nodes;
  silent!.isDown = true;
};

const createSample = async ({ group, kind, name = 'some', more }: Sample): Promise<void> => {
  const resource = STORED.find((each) => each.group === group && each.kind === kind)!;
  const metadata = { name, ...(resource.isNamespaced ? { namespace: 'shop' } : {}) };
  const sample = { apiVersion: apiVersionOf(resource), kind, metadata, ...more };
  await world.client.create(resource, sample);
};

/** Kinds that the components themselves write: what keeps quiet has to be there. */
const OWNED = [
  ...['configmaps', 'controllerrevisions', 'deployments', 'nodes', 'pods', 'replicasets'],
  ...['serviceaccounts', 'statefulsets'],
];

it('no component writes to a world that does not change, however it came to be', async () => {
  await populate();
  // Silence is noticed, pods are evicted and progress deadlines (ten minutes) are seen to pass.
  await world.advance(14 * MINUTE_MS);
  const written = new Set(world.writes.map(({ plural }) => plural));
  expect(OWNED.filter((plural) => !written.has(plural))).toEqual([]);
  const present = new Set((await everything()).map(({ resource }) => resource));
  expect(STORED.filter((each) => each.plural !== LEASES.plural && !present.has(each))).toEqual([]);
  expect(await changesIn(10 * MINUTE_MS)).toEqual(QUIET);
});

it('no component answers a change that is none of its own, and what it copies it copies once', async () => {
  await populate();
  await world.advance(14 * MINUTE_MS);
  for (const { resource, object } of await everything()) {
    if (resource.plural === EVENTS.plural) continue;
    const { plural } = resource;
    const { name } = object.metadata;
    world.writes.length = 0;
    const body = { metadata: { annotations: { 'example.com/touched': plural } } };
    await world.client.patch(resource, nameOf(object), 'merge', body);
    await world.advance(2_000);
    // As upstream: the annotations of a Deployment go to the set of its template.
    const hasSet = plural === DEPLOYMENTS.plural && name !== 'paused';
    // And those of Endpoints to the slices that mirror them, which are set right likewise.
    const mirrors = object.metadata.labels?.[SLICE_MANAGED_BY_LABEL] === MIRRORING_CONTROLLER;
    const isMirrored = plural === ENDPOINTS.plural || mirrors;
    const allowed = hasSet ? [REPLICA_SETS.plural] : isMirrored ? [ENDPOINT_SLICES.plural] : [];
    const written = world.writes.map((write) => write.plural);
    expect({ plural, name, written }).toEqual({ plural, name, written: allowed });
  }
  expect(await changesIn(5 * MINUTE_MS)).toEqual(QUIET);
});
