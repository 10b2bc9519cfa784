import type * as core from 'kubernetes-types/core/v1';
import { jsonEqual } from '../json-value';
import { dns1123LabelProblems, dns1123SubdomainProblems, qualifiedNameProblems } from '../names';
import type { DeepReadonly, Endpoints } from '../types';
import { validateIp, validateNonSpecialIp } from './addresses';
import {
  inRange,
  invalid,
  invalidFor,
  notSupported,
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
const PROTOCOLS = ['SCTP', 'TCP', 'UDP'];

export const validateEndpoints = (endpoints: Endpoints): readonly FieldError[] => [
  ...validateMetadata(endpoints, RULES),
  ...validateSubsets(endpoints),
];

/** What was stored under older rules stays as long as it is not touched. */
export const validateEndpointsUpdate = (
  endpoints: Endpoints,
  old: Endpoints,
): readonly FieldError[] => [
  ...validateMetadataUpdate(endpoints, old, RULES),
  ...(jsonEqual(endpoints.subsets ?? [], old.subsets ?? []) ? [] : validateSubsets(endpoints)),
];

const validateSubsets = ({ subsets = [] }: Endpoints): readonly FieldError[] =>
  subsets.flatMap(({ addresses = [], notReadyAddresses = [], ports = [] }, i) => {
    const field = `subsets[${i}]`;
    return [
      ...(addresses.length + notReadyAddresses.length === 0
        ? [required(field, 'must specify `addresses` or `notReadyAddresses`')]
        : []),
      ...addresses.flatMap((each, j) => validateAddress(each, `${field}.addresses[${j}]`)),
      ...notReadyAddresses.flatMap((each, j) =>
        validateAddress(each, `${field}.notReadyAddresses[${j}]`),
      ),
      ...ports.flatMap((each, j) => validatePort(each, ports.length > 1, `${field}.ports[${j}]`)),
    ];
  });

const validateAddress = (
  { ip, hostname = '', nodeName }: DeepReadonly<core.EndpointAddress>,
  field: string,
): readonly FieldError[] => [
  ...validateIp(ip, `${field}.ip`),
  ...(hostname === ''
    ? []
    : invalidFor(`${field}.hostname`, hostname, dns1123LabelProblems(hostname))),
  ...(nodeName === undefined
    ? []
    : invalidFor(`${field}.nodeName`, nodeName, dns1123SubdomainProblems(nodeName))),
  ...validateNonSpecialIp(ip, `${field}.ip`),
];

const validatePort = (
  { name = '', port, protocol = '', appProtocol }: DeepReadonly<core.EndpointPort>,
  isNameRequired: boolean,
  field: string,
): readonly FieldError[] => [
  ...(name === ''
    ? isNameRequired
      ? [required(`${field}.name`)]
      : []
    : invalidFor(`${field}.name`, name, dns1123LabelProblems(name))),
  ...validatePortNumber(port, `${field}.port`),
  ...validateProtocol(protocol, `${field}.protocol`),
  ...(appProtocol === undefined
    ? []
    : invalidFor(`${field}.appProtocol`, appProtocol, qualifiedNameProblems(appProtocol))),
];

const validatePortNumber = (port: number | undefined, field: string): readonly FieldError[] =>
  port === undefined
    ? [invalid(field, 0, 'must be between 1 and 65535, inclusive')]
    : inRange(field, port, 1, 65_535);

/** Of endpoints as of their slices. */
export const validateProtocol = (protocol: string, field: string): readonly FieldError[] => {
  if (protocol === '') return [required(field)];
  return PROTOCOLS.includes(protocol) ? [] : [notSupported(field, protocol, PROTOCOLS)];
};
