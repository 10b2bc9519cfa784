import type * as networking from 'kubernetes-types/networking/v1';
import { parseCidr, prefixContains } from '../../lib/net/ip';
import { portNameProblems } from '../names';
import type { DeepReadonly, NetworkPolicy } from '../types';
import { validateCidr } from './addresses';
import { validateLabelSelector } from './affinity';
import {
  forbidden,
  inRange,
  invalid,
  invalidFor,
  oneOf,
  required,
  type FieldError,
} from './field-error';
import {
  subdomainName,
  validateMetadata,
  validateMetadataUpdate,
  type MetadataRules,
} from './metadata';

const RULES: MetadataRules = { isNamespaced: true, name: subdomainName };

export const validateNetworkPolicy = (policy: NetworkPolicy): readonly FieldError[] => [
  ...validateMetadata(policy, RULES),
  ...validateSpec(policy.spec ?? {}),
];

export const validateNetworkPolicyUpdate = (
  policy: NetworkPolicy,
  old: NetworkPolicy,
): readonly FieldError[] => [
  ...validateMetadataUpdate(policy, old, RULES),
  ...validateSpec(policy.spec ?? {}),
];

/** A body may lack what its type promises. */
type Spec = Partial<NonNullable<NetworkPolicy['spec']>>;
type Port = DeepReadonly<networking.NetworkPolicyPort>;
type Peer = DeepReadonly<networking.NetworkPolicyPeer>;
type Block = DeepReadonly<Partial<networking.IPBlock>>;

const PROTOCOLS = ['TCP', 'UDP', 'SCTP'];
const TYPES = ['Ingress', 'Egress'];

const validateSpec = ({
  podSelector,
  ingress = [],
  egress = [],
  policyTypes = [],
}: Spec): readonly FieldError[] => [
  ...validateLabelSelector(podSelector, 'spec.podSelector'),
  ...ingress.flatMap(({ ports, from }, i) => [
    ...validatePorts(ports, `spec.ingress[${i}].ports`),
    ...validatePeers(from, `spec.ingress[${i}].from`),
  ]),
  ...egress.flatMap(({ ports, to }, i) => [
    ...validatePorts(ports, `spec.egress[${i}].ports`),
    ...validatePeers(to, `spec.egress[${i}].to`),
  ]),
  ...(policyTypes.length > TYPES.length
    ? [invalid('spec.policyTypes', policyTypes, 'may not specify more than two policyTypes')]
    : policyTypes.flatMap((type, i) => oneOf(`spec.policyTypes[${i}]`, type, TYPES))),
];

const validatePorts = (ports: readonly Port[] = [], field: string): readonly FieldError[] =>
  ports.flatMap(({ protocol, port, endPort }, i) => {
    const at = `${field}[${i}]`;
    const end = (why: string): readonly FieldError[] =>
      endPort === undefined ? [] : [invalid(`${at}.endPort`, endPort, why)];
    return [
      ...oneOf(`${at}.protocol`, protocol, PROTOCOLS),
      ...(port === undefined ? end('may not be specified when `port` is not specified') : []),
      ...(typeof port === 'string'
        ? [
            ...end('may not be specified when `port` is non-numeric'),
            ...invalidFor(`${at}.port`, port, portNameProblems(port)),
          ]
        : []),
      ...(typeof port === 'number'
        ? [
            ...inRange(`${at}.port`, port, 1, 65_535),
            ...(endPort !== undefined && endPort < port
              ? end('must be greater than or equal to `port`')
              : []),
            ...inRange(`${at}.endPort`, endPort, 1, 65_535),
          ]
        : []),
    ];
  });

const validatePeers = (peers: readonly Peer[] = [], field: string): readonly FieldError[] =>
  peers.flatMap(({ podSelector, namespaceSelector, ipBlock }, i) => {
    const at = `${field}[${i}]`;
    const isSelected = podSelector !== undefined || namespaceSelector !== undefined;
    return [
      ...validateLabelSelector(podSelector, `${at}.podSelector`),
      ...validateLabelSelector(namespaceSelector, `${at}.namespaceSelector`),
      ...(ipBlock === undefined ? [] : validateBlock(ipBlock, `${at}.ipBlock`)),
      ...(isSelected || ipBlock !== undefined ? [] : [required(at, 'must specify a peer')]),
      ...(isSelected && ipBlock !== undefined
        ? [forbidden(at, 'may not specify both ipBlock and another peer')]
        : []),
    ];
  });

const validateBlock = ({ cidr = '', except = [] }: Block, field: string): readonly FieldError[] => {
  if (cidr === '') return [required(`${field}.cidr`)];
  const outer = parseCidr(cidr);
  if (typeof outer === 'string') return validateCidr(cidr, `${field}.cidr`);
  return except.flatMap((text, i) => {
    const at = `${field}.except[${i}]`;
    const inner = parseCidr(text);
    if (typeof inner === 'string') return validateCidr(text, at);
    return prefixContains(outer, inner.address) && outer.length < inner.length
      ? []
      : [invalid(at, text, 'must be a strict subset of `cidr`')];
  });
};
