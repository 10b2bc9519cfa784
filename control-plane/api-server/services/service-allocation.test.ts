import { clusterNetworkOf, DEFAULT_CLUSTER_NETWORK } from '../../../api/cluster-network';
import { ApiError } from '../../../api/errors';
import { MemoryStore } from '../../store/memory-store';
import { startTestServer, type TestServer } from '../testing';

const SERVICES = '/api/v1/namespaces/default/services';
const PORT = { name: 'a', port: 80 };
const service = (name: string, spec: object = {}) => ({
  ...{ apiVersion: 'v1', kind: 'Service', metadata: { name } },
  spec: { ports: [PORT], ...spec },
});
const NODE_PORT = { type: 'NodePort', ports: [PORT] };
const LOCAL = { type: 'LoadBalancer', externalTrafficPolicy: 'Local', ports: [PORT] };
const MERGE = { headers: { 'content-type': 'application/merge-patch+json' } };
const TAKEN =
  'spec.clusterIPs: Invalid value: ["10.96.0.9"]: failed to allocate IP 10.96.0.9: provided IP is already allocated';

let server: TestServer;
let fault: ApiError | undefined;

class FaultyStore extends MemoryStore {
  override async create(...args: Parameters<MemoryStore['create']>) {
    if (fault !== undefined && args[0].resource === 'services') throw fault;
    return super.create(...args);
  }
}

const start = async (options: object = {}) => {
  fault = undefined;
  server = await startTestServer({
    store: new FaultyStore(),
    network: clusterNetworkOf({ ...DEFAULT_CLUSTER_NETWORK, ...options }),
  });
};
const create = (name: string, spec: object = {}, query = '') =>
  server.request('POST', `${SERVICES}${query}`, service(name, spec));
const specOf = async (name: string) =>
  (await server.request('GET', `${SERVICES}/${name}`)).json.spec;
const patch = (name: string, spec: object) =>
  server.request('PATCH', `${SERVICES}/${name}`, { spec }, MERGE);
const remove = (name: string) => server.request('DELETE', `${SERVICES}/${name}`);

afterEach(async () => {
  await server[Symbol.asyncDispose]();
});

describe('in an ordinary cluster', () => {
  beforeEach(() => start());

  it('gives a service an address of the upper band, and says of which family', async () => {
    const { status, json } = await create('a');
    expect(status).toBe(201);
    const { clusterIP, clusterIPs, ipFamilies, ipFamilyPolicy } = json.spec;
    expect(clusterIP).toMatch(/^10\.96\.([1-9]\d*)\.\d+$/);
    expect({ clusterIPs, ipFamilies, ipFamilyPolicy }).toEqual({
      ...{ clusterIPs: [clusterIP], ipFamilies: ['IPv4'], ipFamilyPolicy: 'SingleStack' },
    });
    expect(json.status).toEqual({ loadBalancer: {} });
  });

  it('gives what is asked for, to one alone', async () => {
    expect((await create('a', { clusterIP: '10.96.0.9' })).status).toBe(201);
    const refused = await create('b', { clusterIP: '10.96.0.9' });
    expect(refused.status).toBe(422);
    expect(refused.json.message).toBe(`Service "b" is invalid: ${TAKEN}`);
    expect((await remove('a')).status).toBe(200);
    expect((await create('b', { clusterIP: '10.96.0.9' })).status).toBe(201);
  });

  it.each([
    [
      { clusterIP: '10.97.0.9' },
      'failed to allocate IP 10.97.0.9: the provided network does not match the current range',
    ],
    [{ clusterIP: '10.96.0.0' }, 'the provided network does not match the current range'],
    [
      { clusterIP: 'fd00::1' },
      'spec.clusterIPs[0]: Invalid value: ["fd00::1"]: IPv6 is not configured on this cluster',
    ],
    [
      { ipFamilies: ['IPv6'] },
      'spec.ipFamilies[0]: Invalid value: "IPv6": not configured on this cluster',
    ],
    [
      { ipFamilyPolicy: 'RequireDualStack' },
      'spec.ipFamilyPolicy: Invalid value: "RequireDualStack": this cluster is not configured for dual-stack services',
    ],
    [
      { clusterIP: '10.96.0.9', clusterIPs: ['10.96.0.8'] },
      'spec.clusterIPs: Invalid value: ["10.96.0.8"]: first value must match `clusterIP`',
    ],
    [{ clusterIP: 'x' }, 'spec.clusterIPs[0]: Invalid value: "x": must be a valid IP address'],
    [
      { type: 'NodePort', clusterIP: 'None' },
      'spec.clusterIPs[0]: Invalid value: "None": may not be set to \'None\' for NodePort services',
    ],
    [
      { type: 'NodePort', ports: [{ ...PORT, nodePort: 1 }] },
      'spec.ports[0].nodePort: Invalid value: 1: provided port is not in the valid range. The range of valid ports is 30000-32767',
    ],
    [{ ports: [] }, 'spec.ports: Required value'],
  ])('refuses %j', async (spec, why) => {
    const { status, json } = await create('a', spec);
    expect(json.message).toContain(why);
    expect(status).toBe(422);
  });

  it('leaves those without an address alone', async () => {
    expect(
      (await create('a', { clusterIP: 'None', selector: { a: 'b' } })).json.spec,
    ).toMatchObject({
      ...{ clusterIP: 'None', clusterIPs: ['None'], ipFamilies: ['IPv4'] },
      ipFamilyPolicy: 'SingleStack',
    });
    const alone = await create('b', { clusterIP: 'None' });
    expect(alone.json.spec).toMatchObject({
      ...{ ipFamilies: ['IPv4', 'IPv6'], ipFamilyPolicy: 'RequireDualStack' },
    });
    const named = await create('c', {
      type: 'ExternalName',
      externalName: 'a.example.',
      ports: [],
    });
    expect(named.json.spec).toEqual({
      ...{ type: 'ExternalName', externalName: 'a.example.', sessionAffinity: 'None' },
    });
  });

  it('gives addresses up and takes new ones as the type changes', async () => {
    const { clusterIP } = (await create('a', { clusterIP: '10.96.0.9' })).json.spec;
    const named = await patch('a', { type: 'ExternalName', externalName: 'a.example' });
    expect(named.json.spec).not.toHaveProperty('clusterIP');
    expect(named.json.spec).not.toHaveProperty('ipFamilies');
    expect((await create('b', { clusterIP })).status).toBe(201);
    const back = await patch('a', { type: 'ClusterIP', externalName: null });
    expect(back.json.spec.clusterIP).toMatch(/^10\.96\./);
    expect(back.json.spec.clusterIP).not.toBe(clusterIP);
  });

  it('keeps what a client leaves out, and lets no one change an address', async () => {
    const before = (await create('a', NODE_PORT)).json;
    const { resourceVersion } = before.metadata;
    const again = await server.request('PUT', `${SERVICES}/a`, {
      ...service('a', NODE_PORT),
      metadata: { name: 'a', labels: { a: 'b' } },
    });
    expect(again.json.spec).toEqual(before.spec);
    expect(again.json.metadata.resourceVersion).not.toBe(resourceVersion);
    const moved = await patch('a', { clusterIP: '10.96.0.77' });
    expect(moved.json.message).toBe(
      'Service "a" is invalid: spec.clusterIPs[0]: Invalid value: ["10.96.0.77"]: may not change once set',
    );
    expect((await create('b', { clusterIP: '10.96.0.77' })).status).toBe(201);
  });

  it('gives node ports, and frees them when the type needs none', async () => {
    const { ports } = (await create('a', NODE_PORT)).json.spec;
    expect(ports[0].nodePort).toBeGreaterThanOrEqual(30_086);
    const asked = { type: 'NodePort', ports: [{ ...PORT, nodePort: 30_080 }] };
    expect((await create('b', asked)).status).toBe(201);
    expect((await create('c', asked)).json.message).toBe(
      'Service "c" is invalid: spec.ports[0].nodePort: Invalid value: 30080: provided port is already allocated',
    );
    const inner = await patch('b', { type: 'ClusterIP' });
    expect(inner.json.spec.ports[0]).not.toHaveProperty('nodePort');
    expect(inner.json.spec).not.toHaveProperty('externalTrafficPolicy');
    expect((await create('c', asked)).status).toBe(201);
  });

  it('shares a node port between the protocols of one port', async () => {
    const both = [
      { name: 'dns', port: 53, protocol: 'UDP' },
      { name: 'dns-tcp', port: 53, protocol: 'TCP' },
    ];
    const { ports } = (await create('a', { type: 'NodePort', ports: both })).json.spec;
    expect(ports[0].nodePort).toBe(ports[1].nodePort);
    const named = both.map((port, i) => (i === 1 ? { ...port, nodePort: 30_053 } : port));
    const chosen = (await create('b', { type: 'NodePort', ports: named })).json.spec.ports;
    expect(chosen.map(({ nodePort }: { nodePort: number }) => nodePort)).toEqual([30_053, 30_053]);
  });

  it('gives no node ports to a balancer that wants none', async () => {
    const made = await create('a', {
      ...{ type: 'LoadBalancer', allocateLoadBalancerNodePorts: false, ports: [PORT] },
    });
    expect(made.json.spec.ports[0]).not.toHaveProperty('nodePort');
  });

  it('gives a port for health checks where balancers must know which nodes serve', async () => {
    const { healthCheckNodePort, ports } = (await create('a', LOCAL)).json.spec;
    expect(healthCheckNodePort).toBeGreaterThanOrEqual(30_000);
    expect(healthCheckNodePort).not.toBe(ports[0].nodePort);
    const taken = await create('b', { ...LOCAL, healthCheckNodePort });
    expect(taken.status).toBe(500);
    expect(taken.json.message).toBe(
      `Internal error occurred: failed to allocate requested HealthCheck NodePort ${healthCheckNodePort}: provided port is already allocated`,
    );
    expect((await patch('a', { healthCheckNodePort: 30_001 })).json.message).toContain(
      'spec.healthCheckNodePort: Forbidden: field is immutable',
    );
    const open = await patch('a', { externalTrafficPolicy: 'Cluster' });
    expect(open.json.spec).not.toHaveProperty('healthCheckNodePort');
    expect((await create('b', { ...LOCAL, healthCheckNodePort })).status).toBe(201);
  });

  it('shows in a dry run what would be given, and gives nothing', async () => {
    const asked = {
      clusterIP: '10.96.0.9',
      type: 'NodePort',
      ports: [{ ...PORT, nodePort: 30_080 }],
    };
    const tried = await create('a', asked, '?dryRun=All');
    expect(tried.json.spec).toMatchObject({ clusterIP: '10.96.0.9' });
    expect((await create('a', NODE_PORT, '?dryRun=All')).json.spec.ports[0].nodePort).toBeDefined();
    expect((await create('b', asked)).status).toBe(201);
    expect((await create('a', asked, '?dryRun=All')).json.message).toContain(TAKEN);
  });

  it('gives back what a service that is refused was to have', async () => {
    const wrong = { clusterIP: '10.96.0.9', sessionAffinity: 'Pigeon' };
    expect((await create('a', wrong)).status).toBe(422);
    fault = new ApiError('Forbidden', 'no');
    expect((await create('a', { clusterIP: '10.96.0.9' })).status).toBe(403);
    fault = undefined;
    expect((await create('a', { clusterIP: '10.96.0.9' })).status).toBe(201);
  });

  it('keeps what may have been stored until that is certain', async () => {
    fault = new ApiError('Timeout', 'nobody knows');
    expect((await create('a', { clusterIP: '10.96.0.9' })).status).toBe(504);
    fault = undefined;
    expect((await create('b', { clusterIP: '10.96.0.9' })).json.message).toContain(TAKEN);
    await server.clock.advance(61_000);
    expect((await create('b', { clusterIP: '10.96.0.9' })).status).toBe(201);
  });

  it('drops the status of a balancer that is none any more', async () => {
    await create('a', { type: 'LoadBalancer' });
    const point = { loadBalancer: { ingress: [{ ip: '192.0.2.1' }] } };
    const told = await server.request('PATCH', `${SERVICES}/a/status`, { status: point }, MERGE);
    expect(told.json.status.loadBalancer.ingress).toEqual([{ ip: '192.0.2.1', ipMode: 'VIP' }]);
    expect((await patch('a', { type: 'ClusterIP' })).json.status).toEqual({ loadBalancer: {} });
    const refused = await server.request('PATCH', `${SERVICES}/a/status`, { status: point }, MERGE);
    expect(refused.json.message).toContain(
      'status.loadBalancer.ingress: Forbidden: may only be used when `spec.type` is LoadBalancer',
    );
  });
});

it('says when there is nothing left, and goes on when there is', async () => {
  await start({ serviceClusterIpRange: '10.96.0.0/28', serviceNodePortRange: '30000-30001' });
  const answers = await Promise.all(Array.from({ length: 20 }, (_none, i) => create(`a${i}`)));
  const made = answers.filter(({ status }) => status === 201);
  expect(new Set(made.map(({ json }) => json.spec.clusterIP)).size).toBe(14);
  expect(made).toHaveLength(14);
  const refused = answers.find(({ status }) => status !== 201);
  expect(refused?.json.message).toBe(
    'Internal error occurred: failed to allocate a serviceIP: range is full',
  );
  await remove(made[3]?.json.metadata.name);
  const { clusterIP } = (await create('next', NODE_PORT)).json.spec;
  expect(clusterIP).toBe(made[3]?.json.spec.clusterIP);
  await patch('next', { ports: [PORT, { name: 'b', port: 81 }] });
  expect((await specOf('next')).ports).toHaveLength(2);
  expect(
    (await patch('next', { ports: [PORT, { name: 'b', port: 81 }, { name: 'c', port: 82 }] })).json
      .message,
  ).toBe('Internal error occurred: failed to allocate a nodePort: range is full');
});

it('gives two families where the cluster has both', async () => {
  await start({
    clusterCidr: '10.42.0.0/16,fd42::/48',
    serviceClusterIpRange: '10.96.0.0/16,fd00::/112',
  });
  const { spec } = (await create('a', { ipFamilyPolicy: 'PreferDualStack' })).json;
  expect(spec.clusterIPs).toHaveLength(2);
  expect(spec.ipFamilies).toEqual(['IPv4', 'IPv6']);
  const one = await patch('a', { ipFamilyPolicy: 'SingleStack' });
  expect(one.json.spec.clusterIPs).toEqual([spec.clusterIP]);
  const again = await patch('a', { ipFamilyPolicy: 'RequireDualStack' });
  expect(again.json.spec.clusterIPs).toHaveLength(2);
  expect(again.json.spec.clusterIP).toBe(spec.clusterIP);
});
