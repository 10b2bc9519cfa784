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
  ['no address', { clusterIP: 'None', clusterIPs: ['None'] }, []],
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
      'spec.ports[1]: Duplicate value: {"Name":"","Protocol":"TCP","AppProtocol":null,"Port":80,"TargetPort":0,"NodePort":0}',
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
    'one port of two protocols',
    {
      ...{ type: 'NodePort' },
      ports: ['TCP', 'UDP'].map((protocol) => ({
        ...{ name: protocol.toLowerCase(), protocol, port: 53, nodePort: 30_053 },
      })),
    },
    [],
  ],
  [
    'one node port twice',
    {
      ...{ type: 'NodePort' },
      ports: [53, 54].map((port) => ({ name: `p${port}`, port, nodePort: 30_053 })),
    },
    ['spec.ports[1].nodePort: Duplicate value: 30053'],
  ],
  [
    'what only balancers have',
    { ports: [PORT], loadBalancerClass: 'a', loadBalancerSourceRanges: ['x'] },
    [
      "spec.LoadBalancerSourceRanges: Forbidden: may only be used when `type` is 'LoadBalancer'",
      'spec.LoadBalancerSourceRanges[0]: Invalid value: "x": must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)',
      "spec.loadBalancerClass: Forbidden: may only be used when `type` is 'LoadBalancer'",
    ],
  ],
  ['a balancer on any port', { type: 'LoadBalancer', ports: [{ port: 10_250 }] }, []],
  [
    'a port that is not said',
    { ports: [{}] },
    [
      'spec.ports[0].port: Invalid value: 0: must be between 1 and 65535, inclusive',
      'spec.ports[0].targetPort: Invalid value: 0: must be between 1 and 65535, inclusive',
    ],
  ],
  [
    'ports of wrong names and protocols',
    {
      ports: [
        { name: 'A', port: 80, protocol: 'ICMP', targetPort: 'a_b' },
        { name: 'b', port: 81, targetPort: 0 },
        { name: 'b', port: 82, targetPort: -1 },
      ],
    },
    [
      "spec.ports[0].name: Invalid value: \"A\": a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')",
      'spec.ports[0].protocol: Unsupported value: "ICMP": supported values: "SCTP", "TCP", "UDP"',
      'spec.ports[0].targetPort: Invalid value: "a_b": must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)',
      'spec.ports[2].name: Duplicate value: "b"',
      'spec.ports[2].targetPort: Invalid value: -1: must be between 1 and 65535, inclusive',
    ],
  ],
  [
    'clients that stick for too long',
    {
      ...{ ports: [PORT], sessionAffinity: 'ClientIP' },
      sessionAffinityConfig: { clientIP: { timeoutSeconds: 86_401 } },
    },
    [
      'spec.sessionAffinityConfig.clientIP.timeoutSeconds: Invalid value: 86401: must be greater than 0 and less than 86400',
    ],
  ],
  [
    'an affinity of nobody',
    { ports: [PORT], sessionAffinity: 'Pigeon' },
    ['spec.sessionAffinity: Unsupported value: "Pigeon": supported values: "ClientIP", "None"'],
  ],
  [
    'no address and a type that needs one',
    { type: 'LoadBalancer', ports: [PORT], clusterIP: 'None', clusterIPs: ['None'] },
    [
      'spec.clusterIPs[0]: Invalid value: "None": may not be set to \'None\' for LoadBalancer services',
    ],
  ],
  [
    'no address and one',
    { ports: [PORT], clusterIP: 'None', clusterIPs: ['None', '10.96.0.9'] },
    [
      'spec.clusterIPs: Invalid value: ["None","10.96.0.9"]: \'None\' must be the first and only value',
    ],
  ],
  [
    'addresses that do not agree',
    { ports: [PORT], clusterIPs: ['10.96.0.9'] },
    [
      'spec.clusterIPs: Invalid value: ["10.96.0.9"]: must be empty when `clusterIP` is not specified',
    ],
  ],
  [
    'families of nobody',
    { ports: [PORT], ipFamilies: ['IPv5'], ipFamilyPolicy: 'Triple' },
    [
      'spec.ipFamilies[0]: Unsupported value: "IPv5": supported values: "IPv4", "IPv6"',
      'spec.ipFamilyPolicy: Unsupported value: "Triple": supported values: "PreferDualStack", "RequireDualStack", "SingleStack"',
    ],
  ],
  [
    'a name elsewhere and families',
    {
      ...{ type: 'ExternalName', externalName: 'A..', ipFamilies: ['IPv4'] },
      ipFamilyPolicy: 'SingleStack',
    },
    [
      'spec.ipFamilies: Forbidden: may not be set for ExternalName services',
      'spec.ipFamilyPolicy: Forbidden: may not be set for ExternalName services',
      "spec.externalName: Invalid value: \"A.\": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')",
    ],
  ],
  [
    'node ports for no balancer',
    { ports: [PORT], allocateLoadBalancerNodePorts: false },
    [
      "spec.allocateLoadBalancerNodePorts: Forbidden: may only be used when `type` is 'LoadBalancer'",
    ],
  ],
  [
    'a class of no name',
    { type: 'LoadBalancer', ports: [PORT], loadBalancerClass: '-' },
    [
      "spec.loadBalancerClass: Invalid value: \"-\": name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')",
    ],
  ],
  [
    'a port for health checks that nobody makes',
    { type: 'NodePort', ports: [PORT], healthCheckNodePort: 30_000 },
    [
      "spec.healthCheckNodePort: Invalid value: 30000: may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'",
    ],
  ],
  [
    'no port for the health checks that are made',
    { type: 'LoadBalancer', ports: [PORT], externalTrafficPolicy: 'Local' },
    ['spec.healthCheckNodePort: Required value'],
  ],
  [
    'a port for health checks beyond all',
    {
      ...{ type: 'LoadBalancer', ports: [PORT], externalTrafficPolicy: 'Local' },
      healthCheckNodePort: 70_000,
    },
    ['spec.healthCheckNodePort: Invalid value: 70000: must be between 1 and 65535, inclusive'],
  ],
  [
    'ranges with blanks and bits beyond the prefix',
    { type: 'LoadBalancer', ports: [PORT], loadBalancerSourceRanges: [' 10.9.8.7/24 '] },
    [],
  ],
  [
    'policies of nobody',
    { ports: [PORT], internalTrafficPolicy: 'Far', externalTrafficPolicy: 'Local' },
    [
      'spec.externalTrafficPolicy: Invalid value: "Local": may only be set for externally-accessible services',
      'spec.internalTrafficPolicy: Unsupported value: "Far": supported values: "Cluster", "Local"',
    ],
  ],
  [
    'ways and protocols of nobody',
    { ports: [{ port: 80, appProtocol: '-' }], trafficDistribution: 'Far' },
    [
      "spec.ports[0].appProtocol: Invalid value: \"-\": name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')",
      'spec.trafficDistribution: Unsupported value: "Far": supported values: "PreferClose", "PreferSameNode", "PreferSameZone"',
    ],
  ],
  [
    'a name elsewhere and an address',
    { type: 'ExternalName', externalName: 'a.example', clusterIP: '10.96.0.9' },
    ['spec.clusterIPs: Forbidden: may not be set for ExternalName services'],
  ],
  [
    'three addresses',
    {
      ...{ ports: [PORT], clusterIP: '10.96.0.9', ipFamilies: ['IPv6', 'IPv6'] },
      clusterIPs: ['10.96.0.9', '10.96.0.8', '10.96.0.7'],
    },
    [
      'spec.ipFamilies[1]: Duplicate value: "IPv6"',
      'spec.clusterIPs: Invalid value: ["10.96.0.9","10.96.0.8","10.96.0.7"]: may only hold up to 2 values',
      'spec.clusterIPs: Invalid value: ["10.96.0.9","10.96.0.8","10.96.0.7"]: may specify no more than one IP for each IP family',
      'spec.clusterIPs[0]: Invalid value: "10.96.0.9": expected an IPv6 value as indicated by `ipFamilies[0]`',
      'spec.clusterIPs[1]: Invalid value: "10.96.0.8": expected an IPv6 value as indicated by `ipFamilies[1]`',
    ],
  ],
  [
    'an address that is special',
    { ports: [PORT], externalIPs: ['127.0.0.1'] },
    [
      'spec.externalIPs[0]: Invalid value: "127.0.0.1": may not be in the loopback range (127.0.0.0/8, ::1/128)',
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

it('needs no body to be judged', () => {
  expect(refusal(SERVICES, { metadata: { name: 'a' } })).toEqual(['spec.ports: Required value']);
});

it('is called as a host is, also by a number', () => {
  expect(refusal(SERVICES, service({ ports: [PORT] }, 'a.b'))).toEqual([
    'metadata.name: Invalid value: "a.b": must not contain dots',
  ]);
  expect(refusal(SERVICES, service({ ports: [PORT] }, '1a'))).toEqual([]);
});
