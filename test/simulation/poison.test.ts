import { hasReason } from '../../api/errors';
import { isPodReady } from '../../api/pods';
import { definitionOf, resolveSchema } from '../../api/schema/definitions';
import type { Schema } from '../../api/schema/schema';
import {
  CONFIG_MAPS,
  DAEMON_SETS,
  DEPLOYMENTS,
  LEASES,
  NAMESPACES,
  NODES,
  POD_DISRUPTION_BUDGETS,
  PODS,
  PRIORITY_CLASSES,
  REPLICA_SETS,
  type Resource,
} from '../../api/resources';
import { nameOf, type ApiObject } from '../../api/types';
import { parseJson, stringifyJson } from '../../lib/json';
import { folderOfWorlds } from './folder';
import { deploymentOf, World } from './world';

jest.setTimeout(600_000);

const directory = folderOfWorlds();
let world: World;

beforeEach(async () => {
  world = await World.start(1, directory(), 3);
});

afterEach(() => world[Symbol.asyncDispose]());

/** JSON texts at the edges of each type: what a parser lets through may still break a consumer. */
const extremesOf = ({ type, format, oneOf }: Schema, name = ''): readonly string[] => {
  if (name.endsWith('.Quantity'))
    return ['"9223372036854775807"', '"1e-9"', '"0"', '"999999999999Ei"', '"1n"'];
  if (oneOf !== undefined || name.endsWith('.IntOrString'))
    return ['2147483647', '-1', '"100%"', '"999999999%"', '""'];
  if (format === 'date-time')
    return ['"0001-01-01T00:00:00Z"', '"9999-12-31T23:59:59Z"', '"1969-12-31T23:59:59.999999Z"'];
  switch (type) {
    case 'integer':
      return [
        '9007199254740993',
        '9223372036854775807',
        '-9223372036854775808',
        '-1',
        '2147483647',
      ];
    case 'number':
      return ['1.7976931348623157e308', '-0.0', '5e-324'];
    default:
      // Texts and switches are data to every consumer: they are compared, not reckoned with.
      return [];
  }
};

type Step = string | typeof ITEM | typeof VALUE;
const ITEM = Symbol('first item');
const VALUE = Symbol('a value of the map');

interface Leaf {
  readonly path: readonly Step[];
  readonly values: readonly string[];
}

/** Every leaf below a schema, types that contain themselves once. */
function* leavesOf(
  schema: Schema,
  path: readonly Step[] = [],
  seen: readonly string[] = [],
): Generator<Leaf> {
  const { name = '', schema: target } = resolveSchema(schema);
  if (seen.includes(name)) return;
  const inside = name === '' ? seen : [...seen, name];
  const { properties, items, additionalProperties } = target;
  if (properties !== undefined) {
    for (const [field, inner] of Object.entries(properties))
      yield* leavesOf(inner, [...path, field], inside);
  } else if (items !== undefined) yield* leavesOf(items, [...path, ITEM], inside);
  else if (additionalProperties !== undefined)
    yield* leavesOf(additionalProperties, [...path, VALUE], inside);
  else {
    const values = extremesOf(target, name);
    if (values.length > 0) yield { path, values };
  }
}

/** `object` with the value at the path, making what is missing on the way. */
const withValue = (object: unknown, path: readonly Step[], value: unknown): unknown => {
  const [step, ...rest] = path;
  if (step === undefined) return value;
  if (step === ITEM) {
    const [first, ...others] = (Array.isArray(object) ? object : []) as unknown[];
    return [withValue(first, rest, value), ...others];
  }
  const field = typeof step === 'string' ? step : 'example.com/key';
  const fields = (object ?? {}) as Record<string, unknown>;
  return { ...fields, [field]: withValue(fields[field], rest, value) };
};

interface Seed {
  readonly resource: Resource;
  readonly object: object;
  /** Plants only below these. */
  readonly parts: readonly string[];
}

const meta = { namespace: 'default', name: 'x' };
const podSpec = {
  containers: [{ name: 'main', image: 'app:1' }],
  tolerations: [{ key: 'maint', operator: 'Exists', effect: 'NoExecute' }],
};
const template = { metadata: { labels: { app: 'x' } }, spec: podSpec };
const workload = { replicas: 1, selector: { matchLabels: { app: 'x' } }, template };

const SEEDS: readonly Seed[] = [
  { resource: PODS, object: { metadata: meta, spec: podSpec }, parts: ['metadata', 'spec'] },
  {
    resource: PODS,
    object: { metadata: meta, spec: { ...podSpec, nodeName: 'node-3' } },
    parts: ['spec', 'status'],
  },
  { resource: DEPLOYMENTS, object: { metadata: meta, spec: workload }, parts: ['spec', 'status'] },
  { resource: REPLICA_SETS, object: { metadata: meta, spec: workload }, parts: ['status'] },
  {
    resource: DAEMON_SETS,
    object: { metadata: meta, spec: { selector: workload.selector, template } },
    parts: ['spec', 'status'],
  },
  {
    resource: POD_DISRUPTION_BUDGETS,
    object: { metadata: meta, spec: { selector: {}, maxUnavailable: '50%' } },
    parts: ['spec', 'status'],
  },
  { resource: NODES, object: { metadata: meta, spec: {} }, parts: ['metadata', 'spec', 'status'] },
  { resource: LEASES, object: { metadata: meta, spec: {} }, parts: ['spec'] },
  { resource: NAMESPACES, object: { metadata: meta }, parts: ['spec', 'status'] },
  { resource: CONFIG_MAPS, object: { metadata: meta }, parts: ['metadata', 'data'] },
  {
    resource: PRIORITY_CLASSES,
    object: { metadata: meta, value: 1 },
    parts: ['value', 'preemptionPolicy'],
  },
];

let planted = 0;

/** Plants one object with one extreme value; false where the API refuses it. */
const plant = async (
  { resource, object }: Seed,
  { path }: Leaf,
  text: string,
): Promise<boolean> => {
  const fresh = `x-${++planted}`;
  const draft = withValue(object, path, parseJson(text)) as { metadata: object };
  const { namespace: _namespace, ...clusterMeta } = meta;
  const own = path[0] === 'metadata' && path[1] === 'name' ? {} : { name: fresh };
  const base = resource.isNamespaced ? meta : clusterMeta;
  const metadata = { ...base, ...draft.metadata, ...own };
  const apiVersion =
    resource.group === '' ? resource.version : `${resource.group}/${resource.version}`;
  const full = { ...draft, apiVersion, kind: resource.kind, metadata } as ApiObject;
  try {
    const name = nameOf(await world.client.create(resource, full));
    if (path[0] !== 'status') return true;
    const { status } = full as { status?: unknown };
    for (;;) {
      const current = await world.client.get(resource, name);
      const next = { ...current, status } as ApiObject;
      try {
        await world.client.update(resource, next, { subresource: 'status' });
        return true;
      } catch (error) {
        // Its controller has written meanwhile.
        if (!hasReason(error, 'Conflict')) throw error;
      }
    }
  } catch {
    return false;
  }
};

/** There is a node that what is planted has to leave alone: it may fill all others. */
const RESERVED = { key: 'reserved', effect: 'NoSchedule' } as const;

const reserveNode = async (): Promise<void> => {
  await world.addNode('node-4');
  const node = await world.client.get(NODES, { namespace: '', name: 'node-4' });
  await world.client.update(NODES, { ...node, spec: { ...node.spec, taints: [RESERVED] } });
};

const tolerant = (deployment: ReturnType<typeof deploymentOf>): typeof deployment => {
  const { template } = deployment.spec;
  const spec = { ...template.spec, tolerations: [RESERVED] };
  return { ...deployment, spec: { ...deployment.spec, template: { ...template, spec } } };
};

/** Healthy work of every kind goes on: made, placed, run, scaled, evicted, collected. */
const expectProgress = async (app: string): Promise<void> => {
  await world.client.create(DEPLOYMENTS, tolerant(deploymentOf(app, 2, 1)));
  await world.advance(15_000);
  const own = async () =>
    (await world.client.list(PODS)).items.filter(
      ({ metadata }) => metadata.labels?.['app'] === app,
    );
  expect((await own()).map(isPodReady)).toEqual([true, true]);
  const name = { namespace: 'default', name: app };
  const { status } = await world.client.get(DEPLOYMENTS, name);
  expect(status).toMatchObject({ availableReplicas: 2 });
  await world.client.delete(DEPLOYMENTS, name, { propagationPolicy: 'Background' });
  await world.advance(15_000);
  expect(await own()).toEqual([]);
};

it.each(SEEDS.map((seed) => [`${seed.resource.plural} ${seed.parts.join(', ')}`, seed] as const))(
  'works on whatever extreme objects are planted: %s',
  async (_title, seed) => {
    const { schema } = definitionOf(seed.resource);
    const { schema: root } = resolveSchema(schema);
    // Room for whatever is planted on a node of its own.
    const node = await world.client.get(NODES, { namespace: '', name: 'node-3' });
    const allocatable = { ...node.status.allocatable, pods: '1000' };
    const roomy = { ...node, status: { ...node.status, allocatable } };
    await world.client.update(NODES, roomy, { subresource: 'status' });
    await reserveNode();
    let accepted = 0;
    for (const part of seed.parts) {
      for (const leaf of leavesOf(root.properties?.[part] ?? {}, [part])) {
        for (const text of leaf.values) if (await plant(seed, leaf, text)) accepted++;
      }
    }
    expect(accepted).toBeGreaterThan(0);
    await expectProgress('healthy');
    const down = world.nodes.find(({ name }) => name === 'node-2');
    if (down !== undefined) down.isDown = true;
    await world.advance(60_000);
    const { status, spec } = await world.client.get(NODES, { namespace: '', name: 'node-2' });
    const ready = status.conditions?.find(({ type }) => type === 'Ready');
    expect(ready?.status).toBe('Unknown');
    expect(stringifyJson(spec.taints)).toContain('unreachable');
  },
);
