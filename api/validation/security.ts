import type * as core from 'kubernetes-types/core/v1';
import type { DeepReadonly } from '../types';
import {
  duplicate,
  inRange,
  invalid,
  notSupported,
  required,
  type FieldError,
} from './field-error';

type SecurityContext = DeepReadonly<core.SecurityContext>;
type PodSecurityContext = DeepReadonly<core.PodSecurityContext>;
type SeccompProfile = DeepReadonly<core.SeccompProfile>;

const ID_MAX = 2 ** 31 - 1;
const SYSCTL = /^[a-z0-9](?:[-_a-z0-9]*[a-z0-9])?(?:[./][a-z0-9](?:[-_a-z0-9]*[a-z0-9])?)*$/;
const SYSCTL_LENGTH_MAX = 253;
/** Only these are per pod; any other would change the host. */
const NAMESPACED_SYSCTLS = ['net.', 'kernel.shm', 'kernel.msg', 'fs.mqueue.'];
const IPC_SYSCTLS = ['kernel.shm', 'kernel.msg', 'fs.mqueue.'];

export const validateSecurityContext = (
  context: SecurityContext | undefined,
  field: string,
): readonly FieldError[] => {
  if (context === undefined) return [];
  return [
    ...inRange(`${field}.runAsUser`, context.runAsUser, 0, ID_MAX),
    ...inRange(`${field}.runAsGroup`, context.runAsGroup, 0, ID_MAX),
    ...validateSeccomp(context.seccompProfile, `${field}.seccompProfile`),
    ...validateProcMount(context.procMount, `${field}.procMount`),
    ...validateEscalation(context, field),
  ];
};

export const validatePodSecurityContext = (
  context: PodSecurityContext | undefined,
  host: { readonly hostNetwork?: boolean; readonly hostIPC?: boolean },
  field: string,
): readonly FieldError[] => {
  if (context === undefined) return [];
  const { sysctls = [], supplementalGroups = [] } = context;
  return [
    ...inRange(`${field}.fsGroup`, context.fsGroup, 0, ID_MAX),
    ...inRange(`${field}.runAsUser`, context.runAsUser, 0, ID_MAX),
    ...inRange(`${field}.runAsGroup`, context.runAsGroup, 0, ID_MAX),
    ...supplementalGroups.flatMap((id, i) =>
      inRange(`${field}.supplementalGroups[${i}]`, id, 0, ID_MAX),
    ),
    ...sysctls.flatMap(({ name }, i) => {
      const at = `${field}.sysctls[${i}].name`;
      const isRepeated = sysctls.findIndex((other) => other.name === name) < i;
      return isRepeated ? [duplicate(at, name)] : validateSysctl(name, host, at);
    }),
    ...validatePolicies(context, field),
    ...validateSeccomp(context.seccompProfile, `${field}.seccompProfile`),
  ];
};

const POLICIES = {
  fsGroupChangePolicy: ['Always', 'OnRootMismatch'],
  supplementalGroupsPolicy: ['Merge', 'Strict'],
  seLinuxChangePolicy: ['MountOption', 'Recursive'],
};

const validatePolicies = (context: object, field: string): readonly FieldError[] =>
  Object.entries(POLICIES).flatMap(([name, supported]) => {
    const value = (context as Readonly<Record<string, string | undefined>>)[name];
    return value === undefined || supported.includes(value)
      ? []
      : [notSupported(`${field}.${name}`, value, supported)];
  });

const validateEscalation = (
  { privileged, allowPrivilegeEscalation, capabilities }: SecurityContext,
  field: string,
): readonly FieldError[] => {
  if (allowPrivilegeEscalation !== false) return [];
  const cannot = (what: string): FieldError =>
    invalid(
      field,
      { privileged, allowPrivilegeEscalation },
      `cannot set \`allowPrivilegeEscalation\` to false and ${what}`,
    );
  return [
    ...(privileged === true ? [cannot('`privileged` to true')] : []),
    ...((capabilities?.add ?? []).some((name) => name === 'CAP_SYS_ADMIN')
      ? [cannot('`capabilities.Add` CAP_SYS_ADMIN')]
      : []),
  ];
};

const validateProcMount = (value: string | undefined, field: string): readonly FieldError[] =>
  value === undefined || value === 'Default' || value === 'Unmasked'
    ? []
    : [notSupported(field, value, ['Default', 'Unmasked'])];

const validateSeccomp = (
  profile: SeccompProfile | undefined,
  field: string,
): readonly FieldError[] => {
  if (profile === undefined) return [];
  const { type, localhostProfile = '' } = profile;
  const at = `${field}.localhostProfile`;
  switch (type) {
    case 'Localhost':
      if (localhostProfile === '')
        return [required(at, 'must be set when seccomp type is Localhost')];
      return localhostProfile.startsWith('/')
        ? [invalid(at, localhostProfile, 'must be a relative path')]
        : localhostProfile.split('/').includes('..')
          ? [invalid(at, localhostProfile, "must not contain '..'")]
          : [];
    case 'RuntimeDefault':
    case 'Unconfined':
      return localhostProfile === ''
        ? []
        : [invalid(at, localhostProfile, 'can only be set when seccomp type is Localhost')];
    case '':
      return [required(`${field}.type`, 'type is required when seccompProfile is set')];
    default:
      return [notSupported(`${field}.type`, type, ['Localhost', 'RuntimeDefault', 'Unconfined'])];
  }
};

const validateSysctl = (
  name: string,
  { hostNetwork = false, hostIPC = false }: { hostNetwork?: boolean; hostIPC?: boolean },
  field: string,
): readonly FieldError[] => {
  if (name === '') return [required(field)];
  if (!SYSCTL.test(name) || name.length > SYSCTL_LENGTH_MAX) {
    return [
      invalid(
        field,
        name,
        `must have at most ${SYSCTL_LENGTH_MAX} characters and match regex ${SYSCTL.source}`,
      ),
    ];
  }
  const dotted = name.replaceAll('/', '.');
  const isAmong = (prefixes: readonly string[]) =>
    prefixes.some((prefix) => dotted.startsWith(prefix));
  if (!isAmong(NAMESPACED_SYSCTLS)) {
    return [invalid(field, name, 'must be a namespaced sysctl: any other would change the node')];
  }
  if (hostNetwork && dotted.startsWith('net.')) {
    return [invalid(field, name, "may not be specified when 'hostNetwork' is true")];
  }
  return hostIPC && isAmong(IPC_SYSCTLS)
    ? [invalid(field, name, "may not be specified when 'hostIPC' is true")]
    : [];
};
