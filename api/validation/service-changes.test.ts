import { SERVICES } from '../resources';
import { refusal } from '../testing';

const PORT = { port: 80 };
const FOUR = ['10.96.0.9'];
const BOTH = ['10.96.0.9', 'fd00::9'];
const PREFER = { ipFamilyPolicy: 'PreferDualStack' };
const at = (clusterIPs: readonly string[], ipFamilies: readonly string[], more: object = {}) => ({
  ...{ clusterIP: clusterIPs[0], clusterIPs, ipFamilies, ...more },
});
const service = (spec: object, more: object = {}) => ({
  metadata: { name: 'a', ...more },
  spec: { ports: [PORT], ...spec },
});
const BALANCER = { type: 'LoadBalancer' };
const LOCAL = { ...BALANCER, externalTrafficPolicy: 'Local', healthCheckNodePort: 30_001 };
const BAD_CLASS =
  "spec.loadBalancerClass: Invalid value: \"-\": name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";
const ONLY_BALANCED =
  "spec.loadBalancerClass: Forbidden: may only be used when `type` is 'LoadBalancer'";

it.each<[string, object, object, readonly string[]]>([
  ['of nothing', at(FOUR, ['IPv4']), at(FOUR, ['IPv4']), []],
  ['that adds a second address', at(FOUR, ['IPv4']), at(BOTH, ['IPv4', 'IPv6'], PREFER), []],
  [
    'that adds one and takes another for the first',
    at(FOUR, ['IPv4']),
    at(['fd00::9', '10.96.0.9'], ['IPv6', 'IPv4'], PREFER),
    [
      'spec.clusterIPs[0]: Invalid value: ["fd00::9","10.96.0.9"]: may not change once set',
      'spec.ipFamilies[0]: Invalid value: ["fd00::9","10.96.0.9"]: may not change once set',
    ],
  ],
  [
    'that gives up the second address without a word',
    at(BOTH, ['IPv4', 'IPv6'], PREFER),
    at(FOUR, ['IPv4'], PREFER),
    [
      'spec.ipFamilyPolicy: Invalid value: "PreferDualStack": must be set to \'SingleStack\' when releasing the secondary clusterIP',
      'spec.ipFamilyPolicy: Invalid value: "PreferDualStack": must be set to \'SingleStack\' when releasing the secondary ipFamily',
    ],
  ],
  [
    'that gives up the second address',
    at(BOTH, ['IPv4', 'IPv6'], PREFER),
    at(FOUR, ['IPv4'], { ipFamilyPolicy: 'SingleStack' }),
    [],
  ],
  [
    'that gives up the first address',
    at(BOTH, ['IPv4', 'IPv6'], PREFER),
    at(['fd00::9'], ['IPv6'], { ipFamilyPolicy: 'SingleStack' }),
    [
      'spec.clusterIPs[0]: Invalid value: ["fd00::9"]: may not change once set',
      'spec.ipFamilies[0]: Invalid value: ["fd00::9"]: may not change once set',
    ],
  ],
  [
    'that gives up all addresses',
    at(FOUR, ['IPv4']),
    {},
    [
      'spec.clusterIPs[0]: Invalid value: null: primary clusterIP can not be unset',
      'spec.ipFamilies[0]: Invalid value: null: primary ipFamily can not be unset',
    ],
  ],
  [
    'of the family',
    at(FOUR, ['IPv4']),
    at(FOUR, ['IPv6']),
    [
      'spec.ipFamilies[0]: Invalid value: ["IPv6"]: may not change once set',
      'spec.clusterIPs[0]: Invalid value: "10.96.0.9": expected an IPv6 value as indicated by `ipFamilies[0]`',
    ],
  ],
  [
    'to no address',
    at(FOUR, ['IPv4']),
    at(['None'], ['IPv4']),
    ['spec.clusterIPs[0]: Invalid value: ["None"]: may not change once set'],
  ],
  [
    'of the class',
    { ...BALANCER, loadBalancerClass: 'a' },
    { ...BALANCER, loadBalancerClass: '-' },
    [
      'spec.loadBalancerClass: Invalid value: "-": may not change once set',
      ...[BAD_CLASS, BAD_CLASS],
    ],
  ],
  [
    'that takes the class away',
    { ...BALANCER, loadBalancerClass: 'a' },
    BALANCER,
    ['spec.loadBalancerClass: Invalid value: null: may not change once set'],
  ],
  [
    'of the type that keeps the class',
    { ...BALANCER, loadBalancerClass: 'a' },
    { loadBalancerClass: 'a' },
    [ONLY_BALANCED, ONLY_BALANCED],
  ],
  [
    'of the port for health checks',
    LOCAL,
    { ...LOCAL, healthCheckNodePort: 30_002 },
    ['spec.healthCheckNodePort: Forbidden: field is immutable'],
  ],
])('judges a change %s', (_what, before, after, expected) => {
  expect(refusal(SERVICES, service(after), service(before))).toEqual(expected);
});

const RANGES = 'service.beta.kubernetes.io/load-balancer-source-ranges';
const WRONG_RANGE =
  'Invalid value: "x": must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)';

it.each<[string, object, readonly string[]]>([
  [' 10.0.0.0/8 , fd00::/8 ', BALANCER, []],
  ['', BALANCER, []],
  ['10.0.0.0/8, x', BALANCER, [`metadata.annotations[${RANGES}]: ${WRONG_RANGE}`]],
  [
    'x',
    {},
    [
      `metadata.annotations[${RANGES}]: Forbidden: may only be used when \`type\` is 'LoadBalancer'`,
      `metadata.annotations[${RANGES}]: ${WRONG_RANGE}`,
    ],
  ],
  ['x', { ...BALANCER, loadBalancerSourceRanges: ['10.0.0.0/8'] }, []],
])('judges the ranges %j in the older annotation', (text, spec, expected) => {
  const annotated = service(spec, { annotations: { [RANGES]: text } });
  expect(refusal(SERVICES, annotated)).toEqual(expected);
});
