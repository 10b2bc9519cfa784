import type { Int64 } from '../int64';
import type * as core from 'kubernetes-types/core/v1';
import { isRestartableInit } from '../pods';
import type { Container, DeepReadonly } from '../types';
import {
  duplicate,
  forbidden,
  inRange,
  invalid,
  invalidFor,
  notFoundAt,
  notSupported,
  oneOf,
  required,
  type FieldError,
} from './field-error';
import { validateEnvFieldRef, validateResourceFieldRef } from './field-refs';
import {
  configMapKeyProblems,
  dns1123LabelProblems,
  envNameProblems,
  portNameProblems,
} from '../names';
import { validateLifecycle, validateProbe, validateSingleSuccess } from './probes';
import { validateResizePolicy } from './pod-resize';
import { validateResources } from './resources';
import { validateRestartRules } from './restart-rules';
import { validateSecurityContext } from './security';
import { validateBesideDevices, validateVolumeDevices, type BlockVolumes } from './volume-devices';
import { PULL_POLICIES, validateDescendingPath } from './volumes';

type EnvVar = DeepReadonly<core.EnvVar>;
type EnvVarSource = DeepReadonly<core.EnvVarSource>;
type EnvFromSource = DeepReadonly<core.EnvFromSource>;
type ContainerPort = DeepReadonly<core.ContainerPort>;
type VolumeMount = DeepReadonly<core.VolumeMount>;

/** What validation of a container must know of its pod. */
export interface ContainerContext {
  readonly volumes: BlockVolumes;
  readonly hostNetwork: boolean;
  /** `spec.os.name`. */
  readonly os: string | undefined;
  /** `spec.terminationGracePeriodSeconds`. */
  readonly graceSeconds: Int64 | undefined;
  /** `spec.restartPolicy`. */
  readonly restartPolicy: string | undefined;
  /** Names taken so far, in any list of containers of the pod. */
  readonly names: Set<string>;
}

const PROTOCOLS = ['SCTP', 'TCP', 'UDP'];
const MESSAGE_POLICIES = ['FallbackToLogsOnError', 'File'];
const PROPAGATIONS = ['Bidirectional', 'HostToContainer', 'None'];

export const validateContainers = (
  containers: readonly Container[] | null | undefined,
  field: string,
  context: ContainerContext,
): readonly FieldError[] => {
  if (!containers || containers.length === 0) return [required(field)];
  return [
    ...containers.flatMap((container, i) => {
      const at = `${field}[${i}]`;
      return [
        ...validateContainer(container, at, context),
        ...validateLifecycle(container.lifecycle, `${at}.lifecycle`, context),
        ...validateProbes(container, at),
        ...validateRestartRules(container, at),
        ...validateResizePolicy(container, at, context.restartPolicy),
      ];
    }),
    ...validateHostPorts(containers, field),
  ];
};

export const validateInitContainers = (
  containers: readonly Container[],
  field: string,
  context: ContainerContext,
): readonly FieldError[] =>
  containers.flatMap((container, i) => {
    const at = `${field}[${i}]`;
    return [
      ...validateContainer(container, at, context),
      ...validateRestartRules(container, at),
      ...(isRestartableInit(container)
        ? [
            ...validateLifecycle(container.lifecycle, `${at}.lifecycle`, context),
            ...validateProbes(container, at),
            ...validateResizePolicy(container, at, context.restartPolicy),
          ]
        : [
            ...(container.resizePolicy === undefined
              ? []
              : [
                  invalid(
                    `${at}.resizePolicy`,
                    container.resizePolicy,
                    'must not be set for init containers',
                  ),
                ]),
            ...PROBES_AND_LIFECYCLE.filter((name) => container[name] !== undefined).map((name) =>
              forbidden(
                `${at}.${name}`,
                'may not be set for init containers without restartPolicy=Always',
              ),
            ),
          ]),
    ];
  });

const PROBES_AND_LIFECYCLE = [
  'lifecycle',
  'livenessProbe',
  'readinessProbe',
  'startupProbe',
] as const;

const validateProbes = (container: Container, field: string): readonly FieldError[] => {
  const { livenessProbe, readinessProbe, startupProbe } = container;
  const grace = readinessProbe?.terminationGracePeriodSeconds;
  return [
    ...validateProbe(livenessProbe, `${field}.livenessProbe`),
    ...validateSingleSuccess(livenessProbe, `${field}.livenessProbe`),
    ...validateProbe(readinessProbe, `${field}.readinessProbe`),
    ...(grace === undefined
      ? []
      : [
          invalid(
            `${field}.readinessProbe.terminationGracePeriodSeconds`,
            grace,
            'must not be set for readinessProbes',
          ),
        ]),
    ...validateProbe(startupProbe, `${field}.startupProbe`),
    ...validateSingleSuccess(startupProbe, `${field}.startupProbe`),
  ];
};

/** What holds for every container, whatever list it is in. */
export const validateContainer = (
  container: Container,
  field: string,
  context: ContainerContext,
): readonly FieldError[] => {
  const { image = '', imagePullPolicy, terminationMessagePolicy } = container;
  return [
    ...validateContainerName(container.name, `${field}.name`, context.names),
    ...validateImage(image, `${field}.image`),
    ...oneOf(`${field}.terminationMessagePolicy`, terminationMessagePolicy, MESSAGE_POLICIES),
    ...validatePorts(container.ports ?? [], `${field}.ports`, context.hostNetwork),
    ...(container.env ?? []).flatMap((env, i) => validateEnv(env, `${field}.env[${i}]`)),
    ...(container.envFrom ?? []).flatMap((from, i) =>
      validateEnvFrom(from, `${field}.envFrom[${i}]`),
    ),
    ...validateMounts(container, `${field}.volumeMounts`, context.volumes),
    ...validateVolumeDevices(container, `${field}.volumeDevices`, context.volumes),
    ...oneOf(`${field}.imagePullPolicy`, imagePullPolicy, PULL_POLICIES),
    ...validateResources(container.resources, `${field}.resources`),
    ...validateSecurityContext(container.securityContext, `${field}.securityContext`),
  ];
};

const validateContainerName = (
  name: string,
  field: string,
  names: Set<string>,
): readonly FieldError[] => {
  if (name === '') return [required(field)];
  const errors = [
    ...invalidFor(field, name, dns1123LabelProblems(name)),
    ...(names.has(name) ? [duplicate(field, name)] : []),
  ];
  names.add(name);
  return errors;
};

export const validateImage = (image: string, field: string): readonly FieldError[] => {
  if (image === '') return [required(field)];
  return image === image.trim()
    ? []
    : [invalid(field, image, 'must not have leading or trailing whitespace')];
};

const validatePorts = (
  ports: readonly ContainerPort[],
  field: string,
  hostNetwork: boolean,
): readonly FieldError[] => {
  const names = new Set<string>();
  return ports.flatMap((port, i) => {
    const at = `${field}[${i}]`;
    const { name = '', containerPort, hostPort = 0, protocol = 'TCP' } = port;
    const problems = name === '' ? [] : portNameProblems(name);
    const isRepeated = name !== '' && problems.length === 0 && names.has(name);
    names.add(name);
    return [
      ...invalidFor(`${at}.name`, name, problems),
      ...(isRepeated ? [duplicate(`${at}.name`, name)] : []),
      ...(containerPort === 0
        ? [required(`${at}.containerPort`)]
        : inRange(`${at}.containerPort`, containerPort, 1, 65535)),
      ...(hostPort === 0 ? [] : inRange(`${at}.hostPort`, hostPort, 1, 65535)),
      ...(hostNetwork && hostPort !== containerPort
        ? [
            invalid(
              `${at}.containerPort`,
              containerPort,
              'must match `hostPort` when `hostNetwork` is true',
            ),
          ]
        : []),
      ...oneOf(`${at}.protocol`, protocol, PROTOCOLS),
    ];
  });
};

/** No two containers of one pod may claim the same address, port and protocol of the node. */
const validateHostPorts = (
  containers: readonly Container[],
  field: string,
): readonly FieldError[] => {
  const seen = new Set<string>();
  return containers.flatMap(({ ports = [] }, i) =>
    ports.flatMap(({ hostPort = 0, hostIP = '', protocol = 'TCP' }, j) => {
      if (hostPort === 0) return [];
      const claim = `${protocol}/${hostIP}/${hostPort}`;
      if (seen.has(claim)) return [duplicate(`${field}[${i}].ports[${j}].hostPort`, claim)];
      seen.add(claim);
      return [];
    }),
  );
};

const validateEnv = ({ name, value, valueFrom }: EnvVar, field: string): readonly FieldError[] => [
  ...(name === ''
    ? [required(`${field}.name`)]
    : invalidFor(`${field}.name`, name, envNameProblems(name))),
  ...(valueFrom === undefined
    ? []
    : validateEnvSource(valueFrom, value ?? '', `${field}.valueFrom`)),
];

const ENV_SOURCES = [
  'fieldRef',
  'resourceFieldRef',
  'configMapKeyRef',
  'secretKeyRef',
  'fileKeyRef',
];
const validateEnvSource = (
  source: EnvVarSource,
  value: string,
  field: string,
): readonly FieldError[] => {
  const given = Object.keys(source).filter((name) => ENV_SOURCES.includes(name));
  const { fieldRef, resourceFieldRef, configMapKeyRef, secretKeyRef } = source;
  return [
    ...(given.length === 0
      ? [
          invalid(
            field,
            '',
            'must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef`, `secretKeyRef` or `fileKeyRef`',
          ),
        ]
      : value !== ''
        ? [invalid(field, '', 'may not be specified when `value` is not empty')]
        : given.length > 1
          ? [invalid(field, '', 'may not have more than one field specified at a time')]
          : []),
    ...(fieldRef === undefined ? [] : validateEnvFieldRef(fieldRef, `${field}.fieldRef`)),
    ...(resourceFieldRef === undefined
      ? []
      : validateResourceFieldRef(resourceFieldRef, `${field}.resourceFieldRef`)),
    ...(configMapKeyRef === undefined
      ? []
      : validateKeyRef(configMapKeyRef, `${field}.configMapKeyRef`)),
    ...(secretKeyRef === undefined ? [] : validateKeyRef(secretKeyRef, `${field}.secretKeyRef`)),
  ];
};

const validateKeyRef = (
  { name = '', key }: { readonly name?: string; readonly key: string },
  field: string,
): readonly FieldError[] => [
  ...(name === '' ? [required(`${field}.name`)] : []),
  ...(key === ''
    ? [required(`${field}.key`)]
    : invalidFor(`${field}.key`, key, configMapKeyProblems(key))),
];

const validateEnvFrom = (
  { prefix = '', configMapRef, secretRef }: EnvFromSource,
  field: string,
): readonly FieldError[] => [
  ...(prefix === '' ? [] : invalidFor(`${field}.prefix`, prefix, envNameProblems(prefix))),
  ...(configMapRef === undefined && secretRef === undefined
    ? [invalid(field, '', 'must specify one of: `configMapRef` or `secretRef`')]
    : []),
  ...(configMapRef !== undefined && secretRef !== undefined
    ? [invalid(field, '', 'may not have more than one field specified at a time')]
    : []),
  ...(configMapRef !== undefined && (configMapRef.name ?? '') === ''
    ? [required(`${field}.configMapRef.name`)]
    : []),
  ...(secretRef !== undefined && (secretRef.name ?? '') === ''
    ? [required(`${field}.secretRef.name`)]
    : []),
];

const validateMounts = (
  {
    volumeMounts = [],
    volumeDevices = [],
    securityContext,
  }: Pick<Container, 'volumeMounts' | 'volumeDevices' | 'securityContext'>,
  field: string,
  volumes: BlockVolumes,
): readonly FieldError[] => {
  const paths = new Set<string>();
  const mayShare = securityContext?.privileged === true;
  return volumeMounts.flatMap((mount, i) => {
    const at = `${field}[${i}]`;
    const { name, mountPath, subPath = '', subPathExpr = '', mountPropagation } = mount;
    const isRepeated = paths.has(mountPath);
    paths.add(mountPath);
    return [
      ...(name === ''
        ? [required(`${at}.name`)]
        : volumes.has(name)
          ? []
          : [notFoundAt(`${at}.name`, name)]),
      ...(mountPath === '' ? [required(`${at}.mountPath`)] : []),
      ...(isRepeated ? [invalid(`${at}.mountPath`, mountPath, 'must be unique')] : []),
      ...validateBesideDevices({ volumeDevices }, mount, at),
      ...validateDescendingPath(subPath, `${at}.subPath`),
      ...validateDescendingPath(subPathExpr, `${at}.subPathExpr`),
      ...(subPath !== '' && subPathExpr !== ''
        ? [
            invalid(
              `${at}.subPathExpr`,
              subPathExpr,
              'subPathExpr and subPath are mutually exclusive',
            ),
          ]
        : []),
      ...oneOf(`${at}.mountPropagation`, mountPropagation, PROPAGATIONS),
      ...validateRecursiveReadOnly(mount, `${at}.recursiveReadOnly`),
      // What the container mounts there, the node and other pods would see.
      ...(mountPropagation === 'Bidirectional' && !mayShare
        ? [
            forbidden(
              `${at}.mountPropagation`,
              'Bidirectional mount propagation is available only to privileged containers',
            ),
          ]
        : []),
    ];
  });
};

/** A mount that is read-only is so in depth, whether `Enabled` or not; the words are upstream's. */
const validateRecursiveReadOnly = (
  { recursiveReadOnly, readOnly, mountPropagation = 'None' }: VolumeMount,
  field: string,
): readonly FieldError[] => {
  if (recursiveReadOnly === undefined || recursiveReadOnly === 'Disabled') return [];
  if (recursiveReadOnly !== 'Enabled' && recursiveReadOnly !== 'IfPossible')
    return [notSupported(field, recursiveReadOnly, ['Disabled', 'IfPossible', 'Enabled'])];
  return [
    ...(readOnly === true ? [] : [forbidden(field, 'may only be specified when readOnly is true')]),
    ...(mountPropagation === 'None'
      ? []
      : [forbidden(field, 'may only be specified when mountPropagation is None or not specified')]),
  ];
};
