import type * as core from 'kubernetes-types/core/v1';
import { jsonEqual } from '../json-value';
import type { DeepReadonly, Service } from '../types';
import {
  duplicate,
  forbidden,
  inRange,
  invalid,
  invalidFor,
  required,
  type FieldError,
  oneOf,
} from './field-error';
import {
  labelName,
  validateLabels,
  validateMetadata,
  validateMetadataUpdate,
  type MetadataRules,
} from './metadata';
import { dns1123LabelProblems, dns1123SubdomainProblems, portNameProblems } from '../names';
import { validateIp } from './addresses';

const RULES: MetadataRules = { isNamespaced: true, name: labelName };

export const validateService = (service: Service): readonly FieldError[] => [
  ...validateMetadata(service, RULES),
  ...validateSpec(service.spec ?? {}),
];

export const validateServiceUpdate = (service: Service, old: Service): readonly FieldError[] => [
  ...validateMetadataUpdate(service, old, RULES),
  ...validateAddress(service.spec ?? {}, old.spec ?? {}),
  ...validateSpec(service.spec ?? {}),
];

export const validateServiceStatusUpdate = (
  service: Service,
  old: Service,
): readonly FieldError[] => validateMetadataUpdate(service, old, RULES);

type Spec = NonNullable<Service['spec']>;
type Port = DeepReadonly<core.ServicePort>;

const TYPES = ['ClusterIP', 'ExternalName', 'LoadBalancer', 'NodePort'];
const POLICIES = ['Cluster', 'Local'];
const PROTOCOLS = ['SCTP', 'TCP', 'UDP'];
const AFFINITIES = ['ClientIP', 'None'];
const FAMILY_POLICIES = ['PreferDualStack', 'RequireDualStack', 'SingleStack'];
const STICKY_SECONDS_MAX = 86_400;
const [NODE_PORT_MIN, NODE_PORT_MAX] = [30_000, 32_767];

/** Once it has an address it keeps that, unless it becomes a mere name. */
const validateAddress = (spec: Spec, old: Spec): readonly FieldError[] => {
  const [address = '', before = ''] = [spec.clusterIP, old.clusterIP];
  if (before === '' || address === before) return [];
  if (spec.type === 'ExternalName' || old.type === 'ExternalName') return [];
  const addresses = spec.clusterIPs ?? (address === '' ? [] : [address]);
  return [invalid('spec.clusterIPs[0]', addresses, 'may not change once set')];
};

const validateSpec = (spec: Spec): readonly FieldError[] => {
  const { ports = [], type = '', clusterIP = '' } = spec;
  const isHeadless = clusterIP === 'None';
  return [
    ...(ports.length === 0 && !isHeadless && type !== 'ExternalName'
      ? [required('spec.ports')]
      : []),
    ...validateName(spec),
    ...ports.flatMap((port, i) => validatePort(port, i, ports, type)),
    ...validateLabels(spec.selector, 'spec.selector'),
    ...requiredOneOf('spec.sessionAffinity', spec.sessionAffinity, AFFINITIES),
    ...validateStickiness(spec),
    ...validateAddresses(spec),
    ...requiredOneOf('spec.type', type, TYPES),
    ...requiredOneOf('spec.externalTrafficPolicy', spec.externalTrafficPolicy, POLICIES),
    ...requiredOneOf('spec.internalTrafficPolicy', spec.internalTrafficPolicy, POLICIES),
    ...requiredOneOf('spec.ipFamilyPolicy', spec.ipFamilyPolicy, FAMILY_POLICIES),
  ];
};

const validateName = ({ type, externalName = '', clusterIP = '' }: Spec): readonly FieldError[] => {
  if (type !== 'ExternalName') return [];
  return [
    ...(clusterIP === '' || clusterIP === 'None'
      ? []
      : [forbidden('spec.clusterIPs', "may not be set when `type` is 'ExternalName'")]),
    ...(externalName === ''
      ? [required('spec.externalName')]
      : invalidFor('spec.externalName', externalName, dns1123SubdomainProblems(externalName))),
  ];
};

const validatePort = (
  port: Port,
  index: number,
  ports: readonly Port[],
  type: string,
): readonly FieldError[] => {
  const field = `spec.ports[${index}]`;
  const { name = '', nodePort = 0, protocol = '', targetPort } = port;
  const before = ports.slice(0, index);
  return [
    ...(name === '' && ports.length > 1 ? [required(`${field}.name`)] : []),
    ...(name === '' ? [] : invalidFor(`${field}.name`, name, dns1123LabelProblems(name))),
    ...(name !== '' && before.some((each) => each.name === name)
      ? [duplicate(`${field}.name`, name)]
      : []),
    ...inRange(`${field}.port`, port.port, 1, 65_535),
    ...requiredOneOf(`${field}.protocol`, protocol, PROTOCOLS),
    ...(typeof targetPort === 'string'
      ? invalidFor(`${field}.targetPort`, targetPort, portNameProblems(targetPort))
      : inRange(`${field}.targetPort`, targetPort, 1, 65_535)),
    ...(before.some((each) => each.port === port.port && each.protocol === protocol)
      ? [duplicate(field, { protocol, port: port.port })]
      : []),
    ...(type === 'LoadBalancer' && port.port === 10_250
      ? [
          invalid(
            `${field}.port`,
            port.port,
            'may not expose port 10250 externally since it is used by kubelet',
          ),
        ]
      : []),
    ...validateNodePort(nodePort, type, `${field}.nodePort`),
  ];
};

const validateNodePort = (nodePort: number, type: string, field: string): readonly FieldError[] => {
  if (nodePort === 0) return [];
  if (type === 'ClusterIP') return [forbidden(field, "may not be used when `type` is 'ClusterIP'")];
  return nodePort >= NODE_PORT_MIN && nodePort <= NODE_PORT_MAX
    ? []
    : [
        invalid(
          field,
          nodePort,
          'provided port is not in the valid range. The range of valid ports is ' +
            `${NODE_PORT_MIN}-${NODE_PORT_MAX}`,
        ),
      ];
};

const validateStickiness = ({
  sessionAffinity,
  sessionAffinityConfig,
}: Spec): readonly FieldError[] => {
  if (sessionAffinity !== 'ClientIP') return [];
  const seconds = sessionAffinityConfig?.clientIP?.timeoutSeconds;
  const field = 'spec.sessionAffinityConfig.clientIP.timeoutSeconds';
  if (seconds === undefined) return [required(field)];
  return seconds > 0 && seconds <= STICKY_SECONDS_MAX
    ? []
    : [invalid(field, seconds, `must be greater than 0 and less than ${STICKY_SECONDS_MAX}`)];
};

const validateAddresses = ({
  clusterIP = '',
  clusterIPs = [],
  externalIPs = [],
}: Spec): readonly FieldError[] => [
  ...(clusterIP !== '' && clusterIPs.length > 0 && !jsonEqual(clusterIP, clusterIPs[0])
    ? [invalid('spec.clusterIPs', clusterIPs, 'first value must match `clusterIP`')]
    : []),
  ...(clusterIPs.length > 0 ? clusterIPs : clusterIP === '' ? [] : [clusterIP]).flatMap(
    (address, i) => (address === 'None' ? [] : validateIp(address, `spec.clusterIPs[${i}]`)),
  ),
  ...externalIPs.flatMap((address, i) => validateIp(address, `spec.externalIPs[${i}]`)),
];

const requiredOneOf = (
  field: string,
  value: string | undefined,
  supported: readonly string[],
): readonly FieldError[] => (value === '' ? [required(field)] : oneOf(field, value, supported));
