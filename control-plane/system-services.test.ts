import { clusterNetworkOf, DEFAULT_CLUSTER_NETWORK } from '../api/cluster-network';
import { silentLog } from '../lib/log';
import { startTestServer, type TestServer } from './api-server/testing';
import { ensureSystemServices } from './system-services';

const API = '/api/v1/namespaces/default/services/kubernetes';
const DNS = '/api/v1/namespaces/kube-system/services/kube-dns';
const SLICE = '/apis/discovery.k8s.io/v1/namespaces/default/endpointslices/kubernetes';
const ENDPOINTS = '/api/v1/namespaces/default/endpoints/kubernetes';
const MERGE = { headers: { 'content-type': 'application/merge-patch+json' } };

let server: TestServer;

beforeEach(async () => {
  server = await startTestServer();
});
afterEach(async () => {
  await server[Symbol.asyncDispose]();
});

const others = (...addresses: readonly string[]) =>
  addresses.map((host, n) => ({
    ...{ id: `server-${n}`, instance: `start-${n}`, hostName: 'h', version: '1', sinceMs: 0 },
    ...{ api: { host, port: 6443 }, agents: { host, port: 6444 } },
  }));
const ensure = (
  { apiAddress }: { apiAddress?: string } = { apiAddress: '192.0.2.7' },
  live: ReturnType<typeof others> = [],
) =>
  ensureSystemServices({
    client: server.api.client,
    network: clusterNetworkOf(DEFAULT_CLUSTER_NETWORK),
    ...{ apiAddress, apiPort: 6443, servers: serversOf(live), clock: server.clock, log: silentLog },
  });
const serversOf = (live: ReturnType<typeof others>) => ({
  live: () => live,
  onChange: () => () => undefined,
});
const get = async (path: string) => (await server.request('GET', path)).json;
const versions = async () =>
  Promise.all([API, DNS, SLICE, ENDPOINTS].map(async (each) => (await get(each)).metadata));

it('makes the services by which pods find the API and their resolver', async () => {
  await ensure();
  const { spec, metadata } = await get(API);
  expect(metadata.labels).toEqual({ component: 'apiserver', provider: 'kubernetes' });
  expect(spec).toMatchObject({
    ...{ type: 'ClusterIP', clusterIP: '10.96.0.1', ipFamilies: ['IPv4'] },
    ports: [{ name: 'https', port: 443, protocol: 'TCP', targetPort: 6443 }],
  });
  expect((await get(DNS)).spec).toMatchObject({ clusterIP: '10.96.0.10' });
  expect(await get(SLICE)).toMatchObject({
    metadata: { labels: { 'kubernetes.io/service-name': 'kubernetes' } },
    addressType: 'IPv4',
    endpoints: [{ addresses: ['192.0.2.7'], conditions: { ready: true } }],
    ports: [{ name: 'https', port: 6443, protocol: 'TCP' }],
  });
  expect((await get(ENDPOINTS)).subsets).toEqual([
    {
      addresses: [{ ip: '192.0.2.7' }],
      ports: [{ name: 'https', port: 6443, protocol: 'TCP' }],
    },
  ]);
});

it('writes nothing when all is as it should be', async () => {
  await ensure();
  const before = await versions();
  await ensure();
  expect(await versions()).toEqual(before);
});

it('makes good what somebody has changed or deleted', async () => {
  await ensure();
  const ports = [{ name: 'other', port: 1 }];
  const changed = { metadata: { labels: { mine: 'too' } }, spec: { ports, selector: { a: 'b' } } };
  await server.request('PATCH', DNS, changed, MERGE);
  for (const path of [API, SLICE]) await server.request('DELETE', path);
  await ensure();
  expect((await get(API)).spec.clusterIP).toBe('10.96.0.1');
  expect((await get(SLICE)).endpoints[0].addresses).toEqual(['192.0.2.7']);
  const dns = await get(DNS);
  expect(dns.metadata.labels).toEqual({ mine: 'too', 'k8s-app': 'kube-dns' });
  expect(dns.spec.ports.map(({ name }: { name: string }) => name)).toEqual(['dns', 'dns-tcp']);
  expect(dns.spec).not.toHaveProperty('selector');
});

it('leads nobody to an address that only this machine reaches', async () => {
  await ensure();
  await ensure({});
  expect((await get(API)).spec.clusterIP).toBe('10.96.0.1');
  for (const path of [SLICE, ENDPOINTS])
    expect((await server.request('GET', path)).status).toBe(404);
});

it('names all servers that live, of the family and the port of this one', async () => {
  const elsewhere = { ...others('192.0.2.3')[0]!, api: { host: '192.0.2.3', port: 7443 } };
  const live = [
    ...others('192.0.2.9', '192.0.2.7', 'fd00::7', '127.0.0.1', 'a.example'),
    elsewhere,
  ];
  await ensure({ apiAddress: '192.0.2.7' }, live);
  const addressesIn = async () =>
    (await get(SLICE)).endpoints.flatMap(({ addresses }: { addresses: string[] }) => addresses);
  expect(await addressesIn()).toEqual(['192.0.2.7', '192.0.2.9']);
  expect((await get(ENDPOINTS)).subsets[0].addresses).toEqual([
    { ip: '192.0.2.7' },
    { ip: '192.0.2.9' },
  ]);
  await ensure({ apiAddress: '192.0.2.7' });
  expect(await addressesIn()).toEqual(['192.0.2.7']);
});

it('gives addresses to services that were stored without', async () => {
  const key = { resource: 'services', namespace: 'default', name: 'old' };
  const metadata = { name: 'old', namespace: 'default', uid: 'u1' };
  const spec = { type: 'ClusterIP', ports: [{ port: 80, protocol: 'TCP', targetPort: 80 }] };
  await server.store.create(key, { apiVersion: 'v1', kind: 'Service', metadata, spec } as never);
  await ensure();
  const { clusterIP, clusterIPs } = (await get('/api/v1/namespaces/default/services/old')).spec;
  expect(clusterIP).toMatch(/^10\.96\./);
  expect(clusterIPs).toEqual([clusterIP]);
});
