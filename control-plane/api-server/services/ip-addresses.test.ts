import fc from 'fast-check';
import { clusterNetworkOf, DEFAULT_CLUSTER_NETWORK } from '../../../api/cluster-network';
import type { IpAddress } from '../../../api/types';
import type { StoredObject, StoreEvent } from '../../store/store';
import { startTestServer, type TestServer } from '../testing';
import { changesOf } from './ip-addresses';

const ADDRESSES = '/apis/networking.k8s.io/v1/ipaddresses';
const SERVICES = '/api/v1/namespaces/default/services';
const TABLE = { headers: { accept: 'application/json;as=Table;v=v1;g=meta.k8s.io' } };

let server: TestServer;

beforeEach(async () => {
  server = await startTestServer({
    network: clusterNetworkOf({
      ...DEFAULT_CLUSTER_NETWORK,
      clusterCidr: '10.42.0.0/16,fd42::/56',
      serviceClusterIpRange: '10.96.0.0/16,fd00::/112',
    }),
  });
});

afterEach(async () => {
  await server[Symbol.asyncDispose]();
});

const addService = async (name: string, spec: object) => {
  const { status, json } = await server.request('POST', SERVICES, {
    ...{ apiVersion: 'v1', kind: 'Service', metadata: { name } },
    spec: { ports: [{ port: 80 }], ...spec },
  });
  expect([status, json.message]).toEqual([201, undefined]);
  return json;
};
const BOTH = {
  ipFamilyPolicy: 'RequireDualStack',
  clusterIP: '10.96.0.20',
  clusterIPs: ['10.96.0.20', 'fd00::20'],
};
const namesIn = (json: { items: readonly IpAddress[] }) =>
  json.items.map(({ metadata }) => metadata.name);

it('shows each address of each service by upstream names, labels and columns', async () => {
  const service = await addService('web', BOTH);
  await addService('outside', { type: 'ExternalName', externalName: 'a.example' });
  await addService('headless', { clusterIP: 'None' });
  const { json } = await server.request('GET', `${ADDRESSES}/fd00::20`);
  expect(json).toEqual({
    apiVersion: 'networking.k8s.io/v1',
    kind: 'IPAddress',
    metadata: {
      name: 'fd00::20',
      resourceVersion: service.metadata.resourceVersion,
      creationTimestamp: service.metadata.creationTimestamp,
      labels: {
        'ipaddress.kubernetes.io/ip-family': 'IPv6',
        'ipaddress.kubernetes.io/managed-by': 'ipallocator.k8s.io',
      },
    },
    spec: { parentRef: { resource: 'services', namespace: 'default', name: 'web' } },
  });
  const { json: table } = await server.request('GET', ADDRESSES, undefined, TABLE);
  expect(table.columnDefinitions.map(({ name }: { name: string }) => name)).toEqual([
    'Name',
    'ParentRef',
  ]);
  expect(table.rows.map(({ cells }: { cells: unknown }) => cells)).toEqual([
    ['10.96.0.20', 'services/default/web'],
    ['fd00::20', 'services/default/web'],
  ]);
});

it('lists by selectors, and page by page in the order of names', async () => {
  await addService('web', BOTH);
  await addService('other', { clusterIP: '10.96.0.3' });
  const list = async (query: string) => (await server.request('GET', `${ADDRESSES}?${query}`)).json;
  const family = encodeURIComponent('ipaddress.kubernetes.io/ip-family=IPv4');
  expect(namesIn(await list(`labelSelector=${family}`))).toEqual(['10.96.0.20', '10.96.0.3']);
  expect(namesIn(await list('fieldSelector=metadata.name%3Dfd00::20'))).toEqual(['fd00::20']);
  const first = await list('limit=2');
  expect(namesIn(first)).toEqual(['10.96.0.20', '10.96.0.3']);
  expect(first.metadata.remainingItemCount).toBe(1);
  // The pages are of one moment.
  await addService('late', { clusterIP: '10.96.0.1' });
  const next = encodeURIComponent(String(first.metadata.continue));
  expect(namesIn(await list(`limit=2&continue=${next}`))).toEqual(['fd00::20']);
  await server.request('DELETE', `${SERVICES}/web`);
  expect(namesIn(await list(''))).toEqual(['10.96.0.1', '10.96.0.3']);
});

it('knows an address by its canonical text alone', async () => {
  await addService('web', BOTH);
  for (const name of ['fd00:0::20', 'FD00::20', '10.96.0.21', 'web']) {
    const { status, json } = await server.request('GET', `${ADDRESSES}/${name}`);
    expect([status, json.message]).toEqual([
      404,
      `ipaddresses.networking.k8s.io "${name}" not found`,
    ]);
  }
});

it.each([
  ['POST', ''],
  ['DELETE', ''],
  ['PUT', '/10.96.0.20'],
  ['PATCH', '/10.96.0.20'],
  ['DELETE', '/10.96.0.20'],
])('refuses %s, and says what to change instead', async (method, name) => {
  await addService('web', BOTH);
  const { status, json } = await server.request(method, `${ADDRESSES}${name}`, {
    ...{ apiVersion: 'networking.k8s.io/v1', kind: 'IPAddress', metadata: { name: '10.96.0.20' } },
    spec: { parentRef: { resource: 'services', namespace: 'default', name: 'web' } },
  });
  expect([status, json.reason]).toEqual([405, 'MethodNotAllowed']);
  expect(json.message).toContain('an address comes and goes with its Service');
  expect((await server.request('GET', `${ADDRESSES}/10.96.0.20`)).status).toBe(200);
});

it('is watched from a list on, through selectors', async () => {
  await addService('web', BOTH);
  const { json } = await server.request('GET', ADDRESSES);
  const from = `resourceVersion=${json.metadata.resourceVersion}`;
  await addService('late', { clusterIP: '10.96.0.3' });
  await server.request('DELETE', `${SERVICES}/web`);
  const told = (lines: Awaited<ReturnType<TestServer['watch']>>) =>
    lines.map(({ type, object }) => [type, object.metadata.name]);
  expect(told(await server.watch(`${ADDRESSES}?watch=1&${from}`, 3))).toEqual([
    ['ADDED', '10.96.0.3'],
    ['DELETED', '10.96.0.20'],
    ['DELETED', 'fd00::20'],
  ]);
  const family = encodeURIComponent('ipaddress.kubernetes.io/ip-family=IPv6');
  const narrow = `${ADDRESSES}?watch=1&${from}&labelSelector=${family}`;
  expect(told(await server.watch(narrow, 1))).toEqual([['DELETED', 'fd00::20']]);
  expect(told(await server.watch(`${ADDRESSES}?watch=1`, 1))).toEqual([['ADDED', '10.96.0.3']]);
});

const POOL = ['10.96.0.2', '10.96.0.3', 'fd00::2', 'fd00::3'];

const stored = (name: string, clusterIPs: readonly string[], version: number): StoredObject => ({
  key: { resource: 'services', namespace: 'default', name },
  resourceVersion: version,
  raw: new Uint8Array(),
  object: {
    ...{ apiVersion: 'v1', kind: 'Service', metadata: { name, namespace: 'default' } },
    ...{ spec: { type: 'ClusterIP', clusterIPs } },
  },
});

/** Of one service after the other: what each state holds; undefined: it is gone. */
const histories = fc.array(fc.option(fc.subarray(POOL, { maxLength: 2 }), { nil: undefined }), {
  maxLength: 8,
});

const eventsIn = (states: readonly (readonly string[] | undefined)[]): readonly StoreEvent[] => {
  let previous: StoredObject | undefined;
  return states.flatMap((state, i): readonly StoreEvent[] => {
    const version = (i + 1) * 128;
    const last = previous;
    previous = state && stored('a', state, version);
    if (previous !== undefined) return [{ type: 'put', current: previous, previous: last }];
    if (last === undefined) return [];
    return [{ type: 'delete', current: { ...last, resourceVersion: version }, previous: last }];
  });
};

it('tells all of a change to a watch that ends anywhere and goes on from what it saw last', () => {
  fc.assert(
    fc.property(histories, fc.nat(), (states, cut) => {
      const events = eventsIn(states);
      const all = events.flatMap(changesOf);
      const seen = new Map<string, IpAddress>();
      const see = (changes: typeof all) => {
        let last = 0;
        for (const change of changes) {
          if (change.type === 'BOOKMARK') continue;
          const { name, resourceVersion } = change.object.metadata;
          if (change.type === 'DELETED') seen.delete(name);
          else seen.set(name, change.object);
          last = Number(resourceVersion);
        }
        return last;
      };
      const from = see(all.slice(0, cut % (all.length + 1)));
      see(events.filter(({ current }) => current.resourceVersion > from).flatMap(changesOf));
      expect([...seen.keys()].sort()).toEqual([...(states.at(-1) ?? [])].sort());
    }),
  );
});
