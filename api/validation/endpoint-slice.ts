import type * as discovery from 'kubernetes-types/discovery/v1';
import {
  dns1123LabelProblems,
  dns1123SubdomainProblems,
  labelValueProblems,
  qualifiedNameProblems,
} from '../names';
import type { DeepReadonly, EndpointSlice } from '../types';
import { validateIpv4, validateIpv6, validateNonSpecialIp } from './addresses';
import { validateProtocol } from './endpoints';
import {
  duplicate,
  immutable,
  invalid,
  invalidFor,
  notSupported,
  required,
  tooMany,
  type FieldError,
} from './field-error';
import {
  subdomainName,
  validateLabels,
  validateMetadata,
  validateMetadataUpdate,
  type MetadataRules,
} from './metadata';

/** The declarations lack what 1.34 added. */
type Hints = DeepReadonly<discovery.EndpointHints & { forNodes?: { name: string }[] }>;
type Endpoint = DeepReadonly<discovery.Endpoint>;
type Port = DeepReadonly<discovery.EndpointPort>;
/** A body may lack what its type promises; a list that is left out is null, as Go writes it. */
interface Content {
  readonly addressType?: string;
  readonly endpoints?: readonly Endpoint[] | null;
  readonly ports?: readonly Port[] | null;
}

const RULES: MetadataRules = { isNamespaced: true, name: subdomainName };
const ADDRESS_TYPES = ['FQDN', 'IPv4', 'IPv6'];
const [ENDPOINTS_MAX, ADDRESSES_MAX, PORTS_MAX] = [1_000, 100, 20_000];
const [TOPOLOGY_LABELS_MAX, HINTS_MAX] = [16, 8];

export const validateEndpointSlice = (slice: EndpointSlice): readonly FieldError[] => [
  ...validateMetadata(slice, RULES),
  ...validateContent(slice),
];

export const validateEndpointSliceUpdate = (
  slice: EndpointSlice,
  old: EndpointSlice,
): readonly FieldError[] => [
  ...validateMetadataUpdate(slice, old, RULES),
  ...validateContent(slice),
  ...(slice.addressType === old.addressType ? [] : [immutable('addressType', slice.addressType)]),
];

/** Source of the words: upstream's pkg/apis/discovery/validation. */
const validateContent = (slice: Content): readonly FieldError[] => {
  const { addressType = '' } = slice;
  const [endpoints, ports] = [slice.endpoints ?? [], slice.ports ?? []];
  return [
    ...(addressType === '' ? [required('addressType')] : []),
    ...(addressType === '' || ADDRESS_TYPES.includes(addressType)
      ? []
      : [notSupported('addressType', addressType, ADDRESS_TYPES)]),
    ...(endpoints.length > ENDPOINTS_MAX
      ? [tooMany('endpoints', endpoints.length, ENDPOINTS_MAX)]
      : endpoints.flatMap((each, i) => validateEndpoint(each, addressType, `endpoints[${i}]`))),
    ...validatePorts(ports),
  ];
};

const validateEndpoint = (
  endpoint: Endpoint,
  addressType: string,
  field: string,
): readonly FieldError[] => {
  const { nodeName, hostname, hints, deprecatedTopology: topology = {} } = endpoint;
  const addresses = (endpoint.addresses as readonly string[] | null | undefined) ?? [];
  const labelCount = Object.keys(topology).length;
  return [
    ...(addresses.length === 0
      ? [required(`${field}.addresses`, 'must contain at least 1 address')]
      : []),
    ...(addresses.length > ADDRESSES_MAX
      ? [tooMany(`${field}.addresses`, addresses.length, ADDRESSES_MAX)]
      : addresses.flatMap((each, i) =>
          validateAddress(each, addressType, `${field}.addresses[${i}]`),
        )),
    ...(nodeName === undefined
      ? []
      : invalidFor(`${field}.nodeName`, nodeName, dns1123SubdomainProblems(nodeName))),
    ...(labelCount > TOPOLOGY_LABELS_MAX
      ? [tooMany(`${field}.deprecatedTopology`, labelCount, TOPOLOGY_LABELS_MAX)]
      : []),
    ...validateLabels(topology, `${field}.deprecatedTopology`),
    ...(hostname === undefined
      ? []
      : invalidFor(`${field}.hostname`, hostname, dns1123LabelProblems(hostname))),
    ...validateHints(hints ?? {}, `${field}.hints`),
  ];
};

const validateAddress = (
  address: string,
  addressType: string,
  field: string,
): readonly FieldError[] => {
  switch (addressType) {
    case 'IPv4':
      return [...validateIpv4(address, field), ...validateNonSpecialIp(address, field)];
    case 'IPv6':
      return [...validateIpv6(address, field), ...validateNonSpecialIp(address, field)];
    case 'FQDN':
      return validateDomain(address, field);
    default:
      return [];
  }
};

const validateDomain = (name: string, field: string): readonly FieldError[] => {
  if (name === '') return [required(field)];
  const relative = name.endsWith('.') ? name.slice(0, -1) : name;
  const problems = dns1123SubdomainProblems(relative);
  if (problems.length > 0) return invalidFor(field, name, problems);
  return relative.includes('.')
    ? []
    : [invalid(field, name, 'should be a domain with at least two segments separated by dots')];
};

const validateHints = ({ forZones = [], forNodes = [] }: Hints, field: string) => [
  ...validateNames(forZones, `${field}.forZones`, labelValueProblems),
  ...validateNames(forNodes, `${field}.forNodes`, dns1123SubdomainProblems),
];

const validateNames = (
  hints: readonly { readonly name?: string }[],
  field: string,
  problemsOf: (name: string) => readonly string[],
): readonly FieldError[] => {
  if (hints.length > HINTS_MAX) return [tooMany(field, hints.length, HINTS_MAX)];
  const names = hints.map(({ name = '' }) => name);
  return names.flatMap((name, i) => [
    ...(names.indexOf(name) < i ? [duplicate(`${field}[${i}].name`, name)] : []),
    ...invalidFor(`${field}[${i}].name`, name, problemsOf(name)),
  ]);
};

const validatePorts = (ports: readonly Port[]): readonly FieldError[] => {
  if (ports.length > PORTS_MAX) return [tooMany('ports', ports.length, PORTS_MAX)];
  const seen = new Set<string>();
  return ports.flatMap(({ name = '', protocol = '', appProtocol }, i) => {
    const field = `ports[${i}]`;
    const isTaken = seen.has(name);
    seen.add(name);
    return [
      ...(name === '' ? [] : invalidFor(`${field}.name`, name, dns1123LabelProblems(name))),
      ...(isTaken ? [duplicate(`${field}.name`, name)] : []),
      ...validateProtocol(protocol, `${field}.protocol`),
      ...(appProtocol === undefined
        ? []
        : invalidFor(`${field}.appProtocol`, appProtocol, qualifiedNameProblems(appProtocol))),
    ];
  });
};
