import { clusterNetworkOf, DEFAULT_CLUSTER_NETWORK } from '../../../api/cluster-network';
import { startTestServer, type TestServer } from '../testing';

const SERVICES = '/api/v1/namespaces/default/services';
const RANGES = '/apis/networking.k8s.io/v1/servicecidrs';
const FINALIZER = 'networking.k8s.io/service-cidr-finalizer';

let server: TestServer;

beforeEach(async () => {
  server = await startTestServer({
    network: clusterNetworkOf({
      ...DEFAULT_CLUSTER_NETWORK,
      serviceClusterIpRange: '10.96.0.0/28',
    }),
  });
});

afterEach(async () => {
  await server[Symbol.asyncDispose]();
});

const addRange = (name: string, cidrs: readonly string[]) =>
  server.request('POST', RANGES, {
    ...{ apiVersion: 'networking.k8s.io/v1', kind: 'ServiceCIDR' },
    metadata: { name, finalizers: [FINALIZER] },
    spec: { cidrs },
  });
const addService = (name: string, clusterIP?: string) =>
  server.request('POST', SERVICES, {
    ...{ apiVersion: 'v1', kind: 'Service', metadata: { name } },
    spec: { ports: [{ port: 80 }], ...(clusterIP === undefined ? {} : { clusterIP }) },
  });
const ELSEWHERE = 'the provided network does not match the current range';

it('gives addresses of all ranges that are ready', async () => {
  const asked = await addService('early', '10.97.0.3');
  expect(asked.json.message).toContain(ELSEWHERE);
  expect((await addRange('more', ['10.97.0.0/29'])).status).toBe(201);
  expect((await addService('early', '10.97.0.3')).status).toBe(201);
  const answers = await Promise.all(Array.from({ length: 22 }, (_none, i) => addService(`a${i}`)));
  const addresses = answers.flatMap(({ json }) => json.spec?.clusterIP ?? []) as string[];
  // 14 of the server's own, and 6 of the other but the one that was asked for.
  expect(new Set(addresses).size).toBe(19);
  expect(addresses).toHaveLength(19);
  expect(addresses.filter((each) => each.startsWith('10.97.0.'))).toHaveLength(5);
  expect(answers.find(({ status }) => status !== 201)?.json.message).toContain('range is full');
});

it('gives none of a range that is on its way out or not ready', async () => {
  await addRange('more', ['10.97.0.0/29']);
  await addRange('same', ['10.98.0.0/29']);
  const status = {
    conditions: [
      {
        ...{ type: 'Ready', status: 'False', reason: 'Terminating', message: '' },
        lastTransitionTime: '2026-01-01T00:00:00Z',
      },
    ],
  };
  const told = await server.request(
    'PATCH',
    `${RANGES}/same/status`,
    { status },
    { headers: { 'content-type': 'application/merge-patch+json' } },
  );
  expect(told.status).toBe(200);
  expect((await server.request('DELETE', `${RANGES}/more`)).json.metadata.finalizers).toEqual([
    FINALIZER,
  ]);
  for (const address of ['10.97.0.3', '10.98.0.3'])
    expect((await addService('a', address)).json.message).toContain(ELSEWHERE);
});

it('gives none of its own range while the object of that is on its way out', async () => {
  await addRange('kubernetes', ['10.96.0.0/28']);
  expect((await addService('a', '10.96.0.3')).status).toBe(201);
  await server.request('DELETE', `${RANGES}/kubernetes`);
  expect((await addService('b', '10.96.0.4')).json.message).toContain(ELSEWHERE);
  const full = await addService('b');
  expect(full.json.message).toContain('range is full');
});

it.each([
  ['10.0.0.0/8', 'Forbidden: 10.0.0.0/8 is too large: it may hold 2^20 addresses'],
  ['127.0.0.0/24', 'Forbidden: 127.0.0.0/24 overlaps 127.0.0.0/8, which every machine has'],
  ['224.0.0.0/24', 'Forbidden: 224.0.0.0/24 overlaps 224.0.0.0/4, which every machine has'],
  ['fe80::/112', 'Forbidden: fe80::/112 overlaps fe80::/10, which every machine has'],
  ['10.42.7.0/24', 'Forbidden: 10.42.7.0/24 overlaps 10.42.0.0/16, where pods are'],
  [
    '192.0.2.0/24',
    'Forbidden: 192.0.2.0/24 contains 192.0.2.7, which is an address of a node or of the API',
  ],
])('keeps services away from others, as in %s', async (cidr, why) => {
  await server.request('POST', '/apis/discovery.k8s.io/v1/namespaces/default/endpointslices', {
    ...{ apiVersion: 'discovery.k8s.io/v1', kind: 'EndpointSlice', addressType: 'IPv4' },
    metadata: { name: 'kubernetes', labels: { 'kubernetes.io/service-name': 'kubernetes' } },
    endpoints: [{ addresses: ['192.0.2.7'] }],
  });
  const { status, json } = await addRange('more', [cidr]);
  expect(json.message).toBe(
    `ServiceCIDR.networking.k8s.io "more" is invalid: spec.cidrs[0]: ${json.message.split('spec.cidrs[0]: ')[1]}`,
  );
  expect(json.message).toContain(why);
  expect(status).toBe(422);
});

it('prints a range as upstream', async () => {
  await addRange('more', ['10.97.0.0/29']);
  const accept = 'application/json;as=Table;v=v1;g=meta.k8s.io';
  const { json } = await server.request('GET', RANGES, undefined, { headers: { accept } });
  expect(json.columnDefinitions.map(({ name }: { name: string }) => name)).toEqual([
    'Name',
    'CIDRs',
    'Age',
  ]);
  expect(json.rows[0].cells.slice(0, 2)).toEqual(['more', '10.97.0.0/29']);
});
