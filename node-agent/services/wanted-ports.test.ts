import fc from 'fast-check';

import type { EndpointSlice, Service } from '../../api/types';
import { chooseEndpoints, type CandidateEndpoint } from './endpoint-choice';
import { wantedService } from './wanted-ports';

const NODE = { name: 'n1', zone: 'z1', dnsAddresses: ['10.96.0.10'] };

const candidate = (name: string, more: Partial<CandidateEndpoint> = {}): CandidateEndpoint => ({
  address: name,
  port: 80,
  isReady: true,
  isServing: true,
  isTerminating: false,
  isLocal: false,
  ...more,
});
const ending = { isReady: false, isTerminating: true };
const chosen = (...candidates: readonly CandidateEndpoint[]) => {
  const { endpoints, localEndpoints } = chooseEndpoints(candidates, NODE);
  const names = (list: readonly CandidateEndpoint[]) => list.map(({ address }) => address);
  return [names(endpoints), names(localEndpoints)];
};

describe('the endpoints of a node', () => {
  it('are the ready ones, else those that serve while they end, else none', () => {
    const notReady = candidate('c', { isReady: false, isServing: false });
    expect(chosen(candidate('a'), candidate('b', ending), notReady)).toEqual([['a'], []]);
    expect(chosen(candidate('b', ending), notReady)).toEqual([['b'], []]);
    expect(chosen(candidate('b', { ...ending, isServing: false }), notReady)).toEqual([[], []]);
  });

  it('are chosen among those on the node by themselves', () => {
    const local = { isLocal: true };
    expect(chosen(candidate('a'), candidate('b', { ...ending, ...local }))).toEqual([['a'], ['b']]);
    expect(
      chosen(candidate('a', local), candidate('b', { ...ending, ...local }), candidate('c')),
    ).toEqual([['a', 'c'], ['a']]);
  });

  it('are those meant for the node, else for its zone, if all say whom they are for', () => {
    const forNodes = (...names: string[]) => ({ forNodes: new Set(names) });
    const forZones = (...names: string[]) => ({ forZones: new Set(names) });
    expect(chosen(candidate('a', forZones('z1')), candidate('b', forZones('z2', 'z1')))).toEqual([
      ['a', 'b'],
      [],
    ]);
    expect(chosen(candidate('a', forZones('z1')), candidate('b', forZones('z2')))).toEqual([
      ['a'],
      [],
    ]);
    expect(chosen(candidate('a', forZones('z1')), candidate('b'))).toEqual([['a', 'b'], []]);
    expect(chosen(candidate('a', forZones('z3')), candidate('b', forZones('z2')))).toEqual([
      ['a', 'b'],
      [],
    ]);
    const both = (node: string, zone: string) => ({ ...forNodes(node), ...forZones(zone) });
    expect(chosen(candidate('a', both('n1', 'z2')), candidate('b', both('n2', 'z1')))).toEqual([
      ['a'],
      [],
    ]);
    expect(chosen(candidate('a', both('n3', 'z2')), candidate('b', both('n2', 'z1')))).toEqual([
      ['b'],
      [],
    ]);
  });

  it('are some whenever one is ready', () => {
    fc.assert(
      fc.property(
        fc.array(
          fc.record({
            address: fc.string(),
            port: fc.constant(80),
            isReady: fc.boolean(),
            isServing: fc.boolean(),
            isTerminating: fc.boolean(),
            isLocal: fc.boolean(),
            forZones: fc.subarray(['z1', 'z2'], { minLength: 1 }).map((zones) => new Set(zones)),
          }),
        ),
        (candidates) => {
          const { endpoints } = chooseEndpoints(candidates, NODE);
          const isAnyReady = candidates.some(({ isReady }) => isReady);
          if (isAnyReady) expect(endpoints.length).toBeGreaterThan(0);
          for (const one of endpoints) expect(one.isReady).toBe(isAnyReady);
        },
      ),
    );
  });
});

const service = (spec: object, more: object = {}): Service => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { namespace: 'ns', name: 'web' },
  spec: { clusterIP: '10.96.1.1', clusterIPs: ['10.96.1.1'], type: 'ClusterIP', ...spec },
  ...more,
});

const slice = (more: object = {}): EndpointSlice => ({
  apiVersion: 'discovery.k8s.io/v1',
  kind: 'EndpointSlice',
  metadata: { namespace: 'ns', name: 'web-1' },
  addressType: 'IPv4',
  ports: [
    { name: 'http', port: 8080, protocol: 'TCP' },
    { name: 'dns', port: 5353, protocol: 'UDP' },
  ],
  endpoints: [
    { addresses: ['10.42.1.1'], nodeName: 'n1', conditions: { ready: true } },
    { addresses: ['10.42.2.1'], nodeName: 'n2' },
  ],
  ...more,
});

const PORTS = [
  { name: 'http', port: 80, protocol: 'TCP', nodePort: 30080 },
  { name: 'dns', port: 53, protocol: 'UDP', nodePort: 30053 },
];

describe('a Service', () => {
  it('has a port for each of its ports, with the endpoints of that name', () => {
    const { ports } = wantedService(service({ ports: PORTS }), [slice()], NODE);
    expect([...ports.keys()]).toEqual(['http', 'dns']);
    expect(ports.get('http')).toEqual({
      protocol: 'tcp',
      port: 80,
      clusterAddresses: ['10.96.1.1'],
      externalAddresses: [],
      endpoints: [
        { address: '10.42.1.1', port: 8080 },
        { address: '10.42.2.1', port: 8080 },
      ],
      localEndpoints: [{ address: '10.42.1.1', port: 8080 }],
      internalPolicy: 'cluster',
      externalPolicy: 'cluster',
    });
    expect(ports.get('dns')?.endpoints[0]).toEqual({ address: '10.42.1.1', port: 5353 });
  });

  it('has node ports and the addresses of its load balancer as its type says', () => {
    const status = {
      loadBalancer: {
        ingress: [{ ip: '192.168.0.1' }, { ip: '192.168.0.2', ipMode: 'Proxy' }, { hostname: 'x' }],
      },
    };
    const spec = {
      ports: PORTS,
      externalIPs: ['203.0.113.1', '192.168.0.1'],
      loadBalancerSourceRanges: ['10.0.0.0/8', 'fd00::/8'],
    };
    const first = (type: string) => {
      const of = service({ ...spec, type }, { status });
      return wantedService(of, [slice()], NODE).ports.get('http');
    };
    expect(first('LoadBalancer')).toMatchObject({
      nodePort: 30080,
      externalAddresses: [
        { address: '192.168.0.1', sources: ['10.0.0.0/8'] },
        { address: '203.0.113.1' },
      ],
    });
    expect(first('NodePort')).toMatchObject({
      nodePort: 30080,
      externalAddresses: [{ address: '203.0.113.1' }, { address: '192.168.0.1' }],
    });
    expect(first('ClusterIP')).not.toHaveProperty('nodePort');
  });

  it('carries its policies, and how long clients stay', () => {
    const spec = {
      ports: PORTS,
      internalTrafficPolicy: 'Local',
      externalTrafficPolicy: 'Local',
      sessionAffinity: 'ClientIP',
    };
    const of = (more: object) =>
      wantedService(service({ ...spec, ...more }), [], NODE).ports.get('http');
    const config = { sessionAffinityConfig: { clientIP: { timeoutSeconds: 4 } } };
    expect(of({})).toMatchObject({
      internalPolicy: 'local',
      externalPolicy: 'local',
      affinitySeconds: 10_800,
    });
    expect(of(config)?.affinitySeconds).toBe(4);
  });

  it('is not served when it has no address, is elsewhere, or is for another proxy', () => {
    const others = [
      service({ ports: PORTS, clusterIP: 'None', clusterIPs: ['None'] }),
      service({ type: 'ExternalName', externalName: 'x', clusterIP: '', clusterIPs: undefined }),
      service(
        { ports: PORTS },
        {
          metadata: {
            ...{ namespace: 'ns', name: 'web' },
            labels: { 'service.kubernetes.io/service-proxy-name': 'other' },
          },
        },
      ),
    ];
    for (const one of others) expect(wantedService(one, [slice()], NODE).ports.size).toBe(0);
  });

  it('at the address of the resolver is left to the resolver', () => {
    const dns = service({ ports: PORTS, clusterIP: '10.96.0.10', clusterIPs: ['10.96.0.10'] });
    const { ports } = wantedService(dns, [], NODE);
    for (const { clusterAddresses } of ports.values()) expect(clusterAddresses).toEqual([]);
  });

  it('counts the addresses that are ready here for its health check', () => {
    const spec = {
      ...{ type: 'LoadBalancer', externalTrafficPolicy: 'Local', ports: PORTS },
      healthCheckNodePort: 31000,
    };
    const check = (slices: EndpointSlice[], more: object = {}) =>
      wantedService(service({ ...spec, ...more }), slices, NODE).healthCheck;
    const expected = { namespace: 'ns', name: 'web', port: 31000 };
    expect(check([slice(), slice()])).toEqual({ ...expected, localEndpointCount: 1 });
    const onlyEnding = slice({
      endpoints: [
        {
          addresses: ['10.42.1.1'],
          nodeName: 'n1',
          conditions: { ready: false, serving: true, terminating: true },
        },
      ],
    });
    expect(check([onlyEnding])).toEqual({ ...expected, localEndpointCount: 0 });
    expect(check([slice()], { externalTrafficPolicy: 'Cluster' })).toBeUndefined();
  });
});

it('chooses among the endpoints of each family by itself', () => {
  const slice = (addressType: string, address: string, conditions: object) =>
    ({
      ...{ apiVersion: 'discovery.k8s.io/v1', kind: 'EndpointSlice', metadata: { name: address } },
      ...{ addressType, ports: [{ name: '', port: 8080, protocol: 'TCP' }] },
      endpoints: [{ addresses: [address], conditions, nodeName: 'n1' }],
    }) as unknown as Parameters<typeof wantedService>[1][number];
  const dual = service({
    ...{ clusterIPs: ['10.96.1.1', 'fd96::1'], ports: [{ port: 80, protocol: 'TCP' }] },
  });
  const ending = { ready: false, serving: true, terminating: true };
  const slices = [
    slice('IPv4', '10.42.0.1', { ready: true }),
    slice('IPv6', 'fd42::1', ending),
    slice('FQDN', 'web.example', { ready: true }),
  ];
  const { ports } = wantedService(dual, slices, { name: 'n1', zone: undefined, dnsAddresses: [] });
  expect(ports.get('')).toMatchObject({
    clusterAddresses: ['10.96.1.1', 'fd96::1'],
    endpoints: [
      { address: '10.42.0.1', port: 8080 },
      { address: 'fd42::1', port: 8080 },
    ],
  });
});
