import type * as networking from 'kubernetes-types/networking/v1';
import { CLASS_ANNOTATION } from '../ingresses';
import {
  dns1123LabelProblems,
  dns1123SubdomainProblems,
  portNameProblems,
  wildcardSubdomainProblems,
} from '../names';
import type { DeepReadonly, Ingress } from '../types';
import { validateNoIp } from './addresses';
import {
  inRange,
  invalid,
  invalidFor,
  notSupported,
  required,
  type FieldError,
} from './field-error';
import { validateLoadBalancerPoints } from './load-balancer-status';
import {
  subdomainName,
  validateMetadata,
  validateMetadataUpdate,
  type MetadataRules,
} from './metadata';
import { validateTypedReference } from './typed-reference';

const RULES: MetadataRules = { isNamespaced: true, name: subdomainName };

export const validateIngress = (ingress: Ingress): readonly FieldError[] => [
  ...validateMetadata(ingress, RULES),
  ...validateSpec(ingress.spec ?? {}),
  ...validateClassAnnotation(ingress),
];

export const validateIngressUpdate = (ingress: Ingress, old: Ingress): readonly FieldError[] => [
  ...validateMetadataUpdate(ingress, old, RULES),
  ...validateSpec(ingress.spec ?? {}),
];

export const validateIngressStatusUpdate = (
  ingress: Ingress,
  old: Ingress,
): readonly FieldError[] => [
  ...validateMetadataUpdate(ingress, old, RULES),
  ...validateLoadBalancerPoints(
    ingress.status?.loadBalancer?.ingress ?? [],
    'status.loadBalancer.ingress',
  ),
];

type Spec = NonNullable<Ingress['spec']>;
type Backend = DeepReadonly<Partial<networking.IngressBackend>>;
/** A body may lack what its type promises. */
type Path = DeepReadonly<Partial<Omit<networking.HTTPIngressPath, 'pathType'>>> & {
  readonly pathType?: string | null;
};

const PATH_TYPES = ['Exact', 'ImplementationSpecific', 'Prefix'];
const SEQUENCES = ['//', '/./', '/../', '%2f', '%2F'];
const ENDINGS = ['/..', '/.'];

/** The older way of naming the class must not say another. */
const validateClassAnnotation = ({ metadata, spec }: Ingress): readonly FieldError[] => {
  const value = metadata.annotations?.[CLASS_ANNOTATION];
  return value === undefined ||
    spec?.ingressClassName === undefined ||
    value === spec.ingressClassName
    ? []
    : [
        invalid(
          `annotations.${CLASS_ANNOTATION}`,
          value,
          'must match `ingressClassName` when both are specified',
        ),
      ];
};

const validateSpec = (spec: Spec): readonly FieldError[] => {
  const { defaultBackend, rules = [], tls = [], ingressClassName: name } = spec;
  return [
    ...(rules.length === 0 && defaultBackend === undefined
      ? [invalid('spec', spec.rules, 'either `defaultBackend` or `rules` must be specified')]
      : []),
    ...(defaultBackend === undefined ? [] : validateBackend(defaultBackend, 'spec.defaultBackend')),
    ...rules.flatMap(({ host = '', http }, i) => [
      ...(host === ''
        ? []
        : [
            ...validateNoIp(host, `spec.rules[${i}].host`),
            ...validateHost(host, `spec.rules[${i}].host`),
          ]),
      ...(http === undefined ? [] : validatePaths(http.paths, `spec.rules[${i}].http.paths`)),
    ]),
    ...tls.flatMap(({ hosts = [], secretName = '' }, i) => [
      ...hosts.flatMap((host, j) => validateHost(host, `spec.tls[${i}].hosts[${j}]`)),
      ...(secretName === ''
        ? []
        : invalidFor(
            `spec.tls[${i}].secretName`,
            secretName,
            dns1123SubdomainProblems(secretName),
          )),
    ]),
    ...(name === undefined
      ? []
      : invalidFor('spec.ingressClassName', name, dns1123SubdomainProblems(name))),
  ];
};

const validateHost = (host: string, field: string): readonly FieldError[] =>
  invalidFor(
    field,
    host,
    host.includes('*') ? wildcardSubdomainProblems(host) : dns1123SubdomainProblems(host),
  );

/** A body may lack what its type promises. */
const validatePaths = (
  paths: readonly Path[] | null | undefined,
  field: string,
): readonly FieldError[] =>
  (paths ?? []).length === 0
    ? [required(field)]
    : (paths ?? []).flatMap((path, i) => validatePath(path, `${field}[${i}]`));

const validatePath = (
  { path = '', pathType, backend }: Path,
  field: string,
): readonly FieldError[] => {
  if (pathType === undefined || pathType === null)
    return [required(`${field}.pathType`, 'pathType must be specified')];
  const wrong = (why: string): FieldError => invalid(`${field}.path`, path, why);
  const isExact = pathType !== 'ImplementationSpecific';
  return [
    ...(PATH_TYPES.includes(pathType)
      ? [
          ...((path === '' && !isExact) || path.startsWith('/')
            ? []
            : [wrong('must be an absolute path')]),
          ...(isExact
            ? [
                ...SEQUENCES.filter((each) => path.includes(each)).map((each) =>
                  wrong(`must not contain '${each}'`),
                ),
                ...ENDINGS.filter((each) => path.endsWith(each)).map((each) =>
                  wrong(`cannot end with '${each}'`),
                ),
              ]
            : []),
        ]
      : [notSupported(`${field}.pathType`, pathType, PATH_TYPES)]),
    ...validateBackend(backend ?? {}, `${field}.backend`),
  ];
};

const validateBackend = ({ service, resource }: Backend, field: string): readonly FieldError[] => {
  if (service !== undefined && resource !== undefined)
    return [invalid(field, '', 'cannot set both resource and service backends')];
  if (resource !== undefined) return validateTypedReference(resource, `${field}.resource`);
  if (service === undefined) return [invalid(field, '', 'resource or service backend is required')];
  const { name = '', port = {} } = service as Partial<typeof service>;
  return [
    ...(name === ''
      ? [required(`${field}.service.name`)]
      : invalidFor(`${field}.service.name`, name, dns1123LabelProblems(name))),
    ...validatePort(port, field),
  ];
};

const validatePort = (
  { name = '', number = 0 }: DeepReadonly<networking.ServiceBackendPort>,
  field: string,
): readonly FieldError[] => {
  if (name !== '' && number !== 0)
    return [invalid(field, '', 'cannot set both port name & port number')];
  if (name !== '') return invalidFor(`${field}.service.port.name`, name, portNameProblems(name));
  return number === 0
    ? [required(field, 'port name or number is required')]
    : inRange(`${field}.service.port.number`, number, 1, 65_535);
};
