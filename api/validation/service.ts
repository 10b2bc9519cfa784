import type * as core from 'kubernetes-types/core/v1';
import {
  dns1123LabelProblems,
  dns1123SubdomainProblems,
  portNameProblems,
  qualifiedNameProblems,
} from '../names';
import { isReachedFromOutside, needsHealthPort } from '../service-fields';
import type { DeepReadonly, Service } from '../types';
import { validateIp, validateNonSpecialIp } from './addresses';
import {
  duplicate,
  forbidden,
  inRange,
  invalid,
  invalidFor,
  required,
  type FieldError,
  oneOf,
  requiredOneOf,
} from './field-error';
import { validateServicePoints } from './load-balancer-status';
import {
  labelName,
  validateLabels,
  validateMetadata,
  validateMetadataUpdate,
  type MetadataRules,
} from './metadata';
import {
  isHeadless,
  validateAddressChanges,
  validateClusterIps,
  validateNoClusterIps,
} from './service-addresses';
import { validateBalancer, validateClassChange } from './service-balancer';

const RULES: MetadataRules = { isNamespaced: true, name: labelName };

export const validateService = (service: Service): readonly FieldError[] => [
  ...validateMetadata(service, RULES),
  ...validateBody(service),
];

export const validateServiceUpdate = (service: Service, old: Service): readonly FieldError[] => [
  ...validateMetadataUpdate(service, old, RULES),
  ...validateAddressChanges(service.spec ?? {}, old.spec ?? {}),
  ...validateClassChange(service.spec ?? {}, old.spec ?? {}),
  ...validateHealthPortChange(service.spec ?? {}, old.spec ?? {}),
  ...validateBody(service),
];

export const validateServiceStatusUpdate = (
  service: Service,
  old: Service,
): readonly FieldError[] => {
  const points = service.status?.loadBalancer?.ingress ?? [];
  return [
    ...validateMetadataUpdate(service, old, RULES),
    ...(points.length > 0 && service.spec?.type !== 'LoadBalancer'
      ? [forbidden(POINTS, 'may only be used when `spec.type` is LoadBalancer')]
      : validateServicePoints(points, POINTS)),
  ];
};

type Spec = NonNullable<Service['spec']>;
type Port = DeepReadonly<core.ServicePort>;

const TYPES = ['ClusterIP', 'ExternalName', 'LoadBalancer', 'NodePort'];
const WITH_ADDRESS = ['ClusterIP', 'LoadBalancer', 'NodePort'];
const POLICIES = ['Cluster', 'Local'];
const PROTOCOLS = ['SCTP', 'TCP', 'UDP'];
const AFFINITIES = ['ClientIP', 'None'];
const DISTRIBUTIONS = ['PreferClose', 'PreferSameNode', 'PreferSameZone'];
const STICKY_SECONDS_MAX = 86_400;
const POINTS = 'status.loadBalancer.ingress';

const validateBody = (service: Service): readonly FieldError[] => {
  const { spec = {} } = service;
  const { ports = [], type = '', externalIPs = [] } = spec;
  return [
    ...validateHints(service),
    ...(ports.length === 0 && !isHeadless(spec) && type !== 'ExternalName'
      ? [required('spec.ports')]
      : []),
    ...validateType(spec),
    ...ports.flatMap((port, i) => validatePort(port, i, ports)),
    ...validateLabels(spec.selector, 'spec.selector'),
    ...requiredOneOf('spec.sessionAffinity', spec.sessionAffinity, AFFINITIES),
    ...validateStickiness(spec),
    ...validateClusterIps(spec),
    ...externalIPs.flatMap((address, i) => validateExternalIp(address, `spec.externalIPs[${i}]`)),
    ...requiredOneOf('spec.type', type, TYPES),
    ...validateNodePorts(spec),
    ...validateDuplicates(ports),
    ...validateBalancer(service),
    ...validateTraffic(spec),
  ];
};

const validateType = (spec: Spec): readonly FieldError[] => {
  const { type, externalName = '' } = spec;
  const name = externalName.replace(/\.$/, '');
  switch (type) {
    case 'LoadBalancer':
    case 'NodePort':
      return notHeadless(spec);
    case 'ExternalName':
      return [
        ...validateNoClusterIps(spec),
        ...(name === ''
          ? [required('spec.externalName')]
          : invalidFor('spec.externalName', name, dns1123SubdomainProblems(name))),
      ];
    default:
      return [];
  }
};

const notHeadless = (spec: Spec): readonly FieldError[] =>
  isHeadless(spec)
    ? [invalid('spec.clusterIPs[0]', 'None', `may not be set to 'None' for ${spec.type} services`)]
    : [];

const validatePort = (port: Port, index: number, ports: readonly Port[]): readonly FieldError[] => {
  const field = `spec.ports[${index}]`;
  const { name = '', protocol = '', targetPort, appProtocol } = port;
  const before = ports.slice(0, index);
  return [
    ...(name === '' && ports.length > 1 ? [required(`${field}.name`)] : []),
    ...(name === '' ? [] : invalidFor(`${field}.name`, name, dns1123LabelProblems(name))),
    ...(name !== '' && before.some((each) => each.name === name)
      ? [duplicate(`${field}.name`, name)]
      : []),
    ...inRange(`${field}.port`, numberOf(port), 1, 65_535),
    ...requiredOneOf(`${field}.protocol`, protocol, PROTOCOLS),
    ...(typeof targetPort === 'string'
      ? invalidFor(`${field}.targetPort`, targetPort, portNameProblems(targetPort))
      : inRange(`${field}.targetPort`, targetPort ?? 0, 1, 65_535)),
    ...(appProtocol === undefined
      ? []
      : invalidFor(`${field}.appProtocol`, appProtocol, qualifiedNameProblems(appProtocol))),
  ];
};

/** As upstream reads it: a port that is not said is a zero. */
const numberOf = ({ port }: Partial<Port>): number => port ?? 0;

/** Whether a node port may be had is for whoever hands them out to say. */
const validateNodePorts = ({ type, ports = [] }: Spec): readonly FieldError[] =>
  ports.flatMap(({ nodePort = 0 }, i) =>
    type === 'ClusterIP' && nodePort !== 0
      ? [forbidden(`spec.ports[${i}].nodePort`, "may not be used when `type` is 'ClusterIP'")]
      : [],
  );

/** A number may be of TCP and of UDP at once. */
const validateDuplicates = (ports: readonly Port[]): readonly FieldError[] => {
  const repeated = (field: 'nodePort' | 'port', error: (port: Port, i: number) => FieldError) => {
    const seen = new Set<string>();
    return ports.flatMap((port, i) => {
      const number = port[field] ?? 0;
      const key = `${port.protocol} ${number}`;
      if (field === 'nodePort' && number === 0) return [];
      if (seen.has(key)) return [error(port, i)];
      seen.add(key);
      return [];
    });
  };
  return [
    ...repeated('nodePort', ({ nodePort }, i) => duplicate(`spec.ports[${i}].nodePort`, nodePort)),
    ...repeated('port', (port, i) => duplicate(`spec.ports[${i}]`, shownPort(port))),
  ];
};

/** By what two ports are the same, in the words in which upstream shows it. */
const shownPort = (port: Port) => ({
  ...{ Name: '', Protocol: port.protocol ?? '', AppProtocol: null },
  ...{ Port: numberOf(port), TargetPort: 0, NodePort: 0 },
});

const validateStickiness = ({
  sessionAffinity,
  sessionAffinityConfig,
}: Spec): readonly FieldError[] => {
  const field = 'spec.sessionAffinityConfig';
  if (sessionAffinity === 'None')
    return sessionAffinityConfig === undefined
      ? []
      : [forbidden(field, 'must not be set when session affinity is None')];
  if (sessionAffinity !== 'ClientIP') return [];
  const seconds = sessionAffinityConfig?.clientIP?.timeoutSeconds;
  const at = `${field}.clientIP.timeoutSeconds`;
  if (seconds === undefined) return [required(at)];
  return seconds > 0 && seconds <= STICKY_SECONDS_MAX
    ? []
    : [invalid(at, seconds, `must be greater than 0 and less than ${STICKY_SECONDS_MAX}`)];
};

const validateExternalIp = (address: string, field: string): readonly FieldError[] => {
  const wrong = validateIp(address, field);
  return wrong.length > 0 ? wrong : validateNonSpecialIp(address, field);
};

const validateHealthPortChange = (spec: Spec, old: Spec): readonly FieldError[] =>
  needsHealthPort(spec) &&
  needsHealthPort(old) &&
  spec.healthCheckNodePort !== old.healthCheckNodePort
    ? [forbidden('spec.healthCheckNodePort', 'field is immutable')]
    : [];

const validateTraffic = (spec: Spec): readonly FieldError[] => {
  const { externalTrafficPolicy = '', internalTrafficPolicy, trafficDistribution } = spec;
  const outer = 'spec.externalTrafficPolicy';
  const inner = 'spec.internalTrafficPolicy';
  return [
    ...(isReachedFromOutside(spec)
      ? requiredOneOf(outer, externalTrafficPolicy, POLICIES)
      : externalTrafficPolicy === ''
        ? []
        : [
            invalid(
              outer,
              externalTrafficPolicy,
              'may only be set for externally-accessible services',
            ),
          ]),
    ...validateHealthPort(spec),
    ...(internalTrafficPolicy === undefined && WITH_ADDRESS.includes(spec.type ?? '')
      ? [required(inner)]
      : oneOf(inner, internalTrafficPolicy, POLICIES)),
    ...oneOf('spec.trafficDistribution', trafficDistribution, DISTRIBUTIONS),
  ];
};

const validateHealthPort = (spec: Spec): readonly FieldError[] => {
  const { healthCheckNodePort = 0 } = spec;
  const field = 'spec.healthCheckNodePort';
  if (!needsHealthPort(spec))
    return healthCheckNodePort === 0
      ? []
      : [
          invalid(
            field,
            healthCheckNodePort,
            "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'",
          ),
        ];
  return healthCheckNodePort === 0
    ? [required(field)]
    : inRange(field, healthCheckNodePort, 1, 65_535);
};

/** The older name of the annotation must not say another thing than the newer. */
const validateHints = ({ metadata }: Service): readonly FieldError[] => {
  const { [HINTS]: hints, [MODE]: mode } = metadata.annotations ?? {};
  return hints === undefined || mode === undefined || hints === mode
    ? []
    : [
        invalid(
          `metadata.annotations[${MODE}]`,
          mode,
          `must match annotations[${HINTS}] when both are specified`,
        ),
      ];
};

const HINTS = 'service.kubernetes.io/topology-aware-hints';
const MODE = 'service.kubernetes.io/topology-mode';
