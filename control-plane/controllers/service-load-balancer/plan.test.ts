import type { EndpointSlice, Node, Service } from '../../../api/types';
import { isBalancedByNodes, planLoadBalancer } from './plan';

const service = (name: string, spec: object = {}, createdSecond = 0): Service => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: {
    ...{ namespace: 'ns', name, uid: name },
    creationTimestamp: `2030-01-01T00:00:0${createdSecond}Z`,
  },
  spec: {
    ...{ type: 'LoadBalancer', ports: [{ port: 80, protocol: 'TCP' }], ipFamilies: ['IPv4'] },
    ...spec,
  },
});

const node = (name: string, addresses: readonly (readonly [string, string])[], more: object = {}) =>
  ({
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name, ...more },
    status: {
      conditions: [{ type: 'Ready', status: 'True' }],
      addresses: addresses.map(([type, address]) => ({ type, address })),
    },
  }) as unknown as Node;

const A = node('a', [
  ['InternalIP', '192.168.0.1'],
  ['InternalIP', 'fd00::1'],
  ['Hostname', 'a'],
]);
const B = node('b', [['InternalIP', '192.168.0.2']]);
const OUTER = node('c', [
  ['InternalIP', '192.168.0.3'],
  ['ExternalIP', '203.0.113.3'],
]);
const DOWN = {
  ...node('d', [['InternalIP', '192.168.0.4']]),
  status: { conditions: [{ type: 'Ready', status: 'Unknown' }] },
} as unknown as Node;
const EXCLUDED = node('e', [['InternalIP', '192.168.0.5']], {
  labels: { 'node.kubernetes.io/exclude-from-external-load-balancers': '' },
});

const plan = (
  one: Service,
  {
    others = [] as readonly Service[],
    nodes = [B, A] as readonly Node[],
    slices = [] as readonly EndpointSlice[],
    reserved = [] as readonly number[],
  } = {},
) => planLoadBalancer(one, others, nodes, slices, new Set(reserved));

it('gives the addresses of the nodes that are ready, the outer ones where there are some', () => {
  expect(plan(service('web'), { nodes: [B, A, OUTER, DOWN, EXCLUDED] })).toEqual({
    addresses: ['192.168.0.1', '192.168.0.2', '203.0.113.3'],
  });
});

it('gives addresses of the families that the service has, in their order', () => {
  const families = (...ipFamilies: readonly string[]) =>
    plan(service('web', { ipFamilies })).addresses;
  expect(families('IPv6')).toEqual(['fd00::1']);
  expect(families('IPv6', 'IPv4')).toEqual(['fd00::1', '192.168.0.1', '192.168.0.2']);
});

it('gives those that have an endpoint when traffic stays local', () => {
  const slices = [
    {
      endpoints: [
        { addresses: ['10.42.0.1'], nodeName: 'b', conditions: { ready: true } },
        { addresses: ['10.42.0.2'], nodeName: 'a', conditions: { ready: false } },
      ],
    },
  ] as unknown as EndpointSlice[];
  const local = service('web', { externalTrafficPolicy: 'Local' });
  expect(plan(local, { slices }).addresses).toEqual(['192.168.0.2']);
  expect(plan(local).addresses).toEqual([]);
});

it('gives a port of the nodes once: to the older service, and never their own', () => {
  const older = service('older', {}, 1);
  const newer = service('newer', {}, 2);
  expect(plan(older, { others: [newer] }).addresses).toHaveLength(2);
  expect(plan(newer, { others: [older] })).toEqual({
    addresses: [],
    conflict: 'port 80/TCP of the nodes is taken by service ns/older',
  });
  const other = [
    service('older', { ports: [{ port: 80, protocol: 'UDP' }] }, 1),
    service('older', { loadBalancerClass: 'example.com/lb' }, 1),
    service('older', { type: 'NodePort' }, 1),
  ];
  expect(plan(newer, { others: other }).addresses).toHaveLength(2);
  const own = service('own', { ports: [{ port: 6443 }] });
  expect(plan(own, { reserved: [6443] }).conflict).toBe(
    "port 6443 of the nodes is the cluster's own",
  );
});

it('leaves a port at which nodes serve ingresses to these, and takes the other nodes', () => {
  const proxied = (one: Node): Node => ({
    ...one,
    metadata: { ...one.metadata, annotations: { 'dhow.dev/ingress-ports': '80,443' } },
  });
  const nodes = [proxied(A), B];
  expect(plan(service('web'), { nodes }).addresses).toEqual(['192.168.0.2']);
  expect(plan(service('web'), { nodes: nodes.map(proxied) })).toEqual({
    addresses: [],
    conflict: 'port 80/TCP of the nodes serves ingresses',
  });
  const others = [{ port: 8080 }, { port: 443, protocol: 'UDP' }];
  for (const port of others)
    expect(plan(service('web', { ports: [port] }), { nodes }).addresses).toHaveLength(2);
});

it('leaves those that have a class to whoever that is', () => {
  expect(isBalancedByNodes(service('web'))).toBe(true);
  expect(isBalancedByNodes(service('web', { loadBalancerClass: 'example.com/lb' }))).toBe(false);
  expect(isBalancedByNodes(service('web', { type: 'NodePort' }))).toBe(false);
});
