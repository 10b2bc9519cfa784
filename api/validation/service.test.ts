import { SERVICES } from '../resources';
import { made, refusal } from '../testing';

const service = (spec: object, name = 'a') => ({ metadata: { name }, spec });
const PORT = { port: 80 };

it('fills in what all services have, but no address', () => {
  const { spec } = made(SERVICES, service({ type: 'LoadBalancer', ports: [PORT] })) as unknown as {
    spec: object;
  };
  expect(spec).toEqual({
    ...{ type: 'LoadBalancer', sessionAffinity: 'None', allocateLoadBalancerNodePorts: true },
    ...{ externalTrafficPolicy: 'Cluster', internalTrafficPolicy: 'Cluster' },
    ports: [{ port: 80, protocol: 'TCP', targetPort: 80 }],
  });
});

it.each<[string, object, readonly string[]]>([
  ['one port', { ports: [PORT], selector: { a: 'b' } }, []],
  ['no address', { clusterIP: 'None' }, []],
  ['a name elsewhere', { type: 'ExternalName', externalName: 'a.example' }, []],
  ['no ports', { selector: { a: 'b' } }, ['spec.ports: Required value']],
  ['no name elsewhere', { type: 'ExternalName' }, ['spec.externalName: Required value']],
  [
    'a type of nobody',
    { type: 'Pigeon', ports: [PORT] },
    [
      'spec.type: Unsupported value: "Pigeon": supported values: "ClusterIP", "ExternalName", "LoadBalancer", "NodePort"',
    ],
  ],
  [
    'two ports without names',
    { ports: [PORT, { port: 80 }] },
    [
      'spec.ports[0].name: Required value',
      'spec.ports[1].name: Required value',
      'spec.ports[1]: Duplicate value: {"protocol":"TCP","port":80}',
    ],
  ],
  [
    'a port beyond all',
    { ports: [{ port: 70_000 }] },
    [
      'spec.ports[0].port: Invalid value: 70000: must be between 1 and 65535, inclusive',
      'spec.ports[0].targetPort: Invalid value: 70000: must be between 1 and 65535, inclusive',
    ],
  ],
  [
    'a node port out of range',
    { type: 'NodePort', ports: [{ port: 80, nodePort: 1 }] },
    [
      'spec.ports[0].nodePort: Invalid value: 1: provided port is not in the valid range. The range of valid ports is 30000-32767',
    ],
  ],
  [
    'a node port inside',
    { ports: [{ port: 80, nodePort: 30_080 }] },
    ["spec.ports[0].nodePort: Forbidden: may not be used when `type` is 'ClusterIP'"],
  ],
  [
    'addresses that are none',
    { ports: [PORT], externalIPs: ['x'] },
    [
      'spec.externalIPs[0]: Invalid value: "x": must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)',
    ],
  ],
])('judges a service with %s', (_what, spec, expected) => {
  expect(refusal(SERVICES, service(spec))).toEqual(expected);
});

it('keeps its address', () => {
  const [old, next] = ['10.96.0.9', '10.96.9.9'].map((clusterIP) =>
    service({ ports: [PORT], clusterIP, clusterIPs: [clusterIP] }),
  );
  expect(refusal(SERVICES, next ?? {}, old)).toEqual([
    'spec.clusterIPs[0]: Invalid value: ["10.96.9.9"]: may not change once set',
  ]);
});

it('is called as a host is', () => {
  expect(refusal(SERVICES, service({ ports: [PORT] }, 'a.b'))).toEqual([
    'metadata.name: Invalid value: "a.b": must not contain dots',
  ]);
});
