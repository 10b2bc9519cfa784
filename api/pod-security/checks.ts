import { stringifyJson } from '../../lib/json';
import {
  containersOf,
  fieldAt,
  joinSetters,
  quotedList,
  some,
  textOf,
  type Check,
  type Finding,
  type PodShape,
} from './pod-shape';

/*
 * The Pod Security Standards as upstream's admission checks them, in its words and order. Source:
 * k8s.io/pod-security-admission/policy.
 */

const appArmor: Check = ({ annotations, ...pod }) => {
  const bad = Object.entries(annotations)
    .filter(([key]) => key.startsWith(APP_ARMOR))
    .filter(([, value]) => !['', 'runtime/default'].includes(value))
    .filter(([, value]) => !value.startsWith('localhost/'))
    .map(([key, value]) => `annotation ${stringifyJson(key)}=${stringifyJson(value)}`);
  const set = badProfiles({ annotations, ...pod }, 'appArmorProfile');
  return finding('forbidden AppArmor profile', [...bad, ...set]);
};

const capabilitiesBaseline: Check = (pod) =>
  finding('non-default capabilities', badAdditions(pod, DEFAULT_CAPABILITIES));

const hostNamespaces: Check = ({ spec }) =>
  finding(
    'host namespaces',
    ['hostNetwork', 'hostPID', 'hostIPC']
      .filter((field) => fieldAt(spec, field) === true)
      .map((field) => `${field}=true`),
    ', ',
  );

const hostPathVolumes: Check = ({ volumes }) => {
  const names = volumes
    .filter((volume) => 'hostPath' in volume)
    .map((volume) => textOf(volume['name']));
  return finding('hostPath volumes', names.length === 0 ? [] : [quotedList('volume', names)]);
};

const hostPorts: Check = (pod) => {
  const ports = new Set<string>();
  const bad = containersOf(pod).filter(({ ports: own }) => {
    const used = (own ?? []).map((port) => fieldAt(port, 'hostPort')).filter((n) => Number(n) > 0);
    for (const port of used) ports.add(String(port));
    return used.length > 0;
  });
  const names = bad.map(({ name }) => name);
  const verb = names.length === 1 ? 'uses' : 'use';
  const list = `${ports.size === 1 ? 'hostPort' : 'hostPorts'} ${[...ports].sort().join(', ')}`;
  return finding('hostPort', some(names, `${quotedList('container', names)} ${verb} ${list}`));
};

const hostProbes: Check = (pod) => {
  const hosts = new Set<string>();
  const names = containersOf(pod)
    .filter((container) => {
      const own = HANDLERS.map((path) => textOf(fieldAt(container, ...path))).filter(Boolean);
      for (const host of own) hosts.add(host);
      return own.length > 0;
    })
    .map(({ name }) => name);
  const verb = names.length === 1 ? 'uses' : 'use';
  const list = quotedList('host', [...hosts].sort());
  return finding(
    'probe or lifecycle host',
    some(names, `${quotedList('container', names)} ${verb} probe or lifecycle ${list}`),
  );
};

const privileged: Check = (pod) => mustNot(pod, 'privileged', 'privileged', true);

const procMount: Check = (pod) => {
  const isBad = (value: unknown) => value !== undefined && value !== 'Default';
  const values = new Set<string>();
  const names = containersOf(pod)
    .filter((container) => {
      const value = fieldAt(container, 'securityContext', 'procMount');
      if (isBad(value)) values.add(stringifyJson(value));
      return isBad(value);
    })
    .map(({ name }) => name);
  const list = [...values].sort().join(', ');
  return finding(
    'procMount',
    some(
      names,
      `${quotedList('container', names)} must not set securityContext.procMount to ${list}`,
    ),
  );
};

const seLinux: Check = (pod, minor) => {
  const types = ['', 'container_t', 'container_init_t', 'container_kvm_t'];
  const allowed = new Set(minor >= 31 ? [...types, 'container_engine_t'] : types);
  const problems = new Set<string>();
  const setters = settersOf(pod, (owner) => {
    const type = textOf(fieldAt(owner, 'securityContext', 'seLinuxOptions', 'type'));
    const own = [
      ...(allowed.has(type) ? [] : [`type ${stringifyJson(type)}`]),
      ...['user', 'role']
        .filter(
          (field) => textOf(fieldAt(owner, 'securityContext', 'seLinuxOptions', field)) !== '',
        )
        .map((field) => `${field} may not be set`),
    ];
    for (const problem of own) problems.add(problem);
    return own.length > 0;
  });
  const list = [...problems].sort().join('; ');
  return finding(
    'seLinuxOptions',
    some(setters, `${joinSetters(setters)} set forbidden securityContext.seLinuxOptions: ${list}`),
  );
};

const seccompBaseline: Check = (pod) =>
  finding('seccompProfile', badProfiles(pod, 'seccompProfile'));

const sysctls: Check = ({ spec }, minor) => {
  const list = fieldAt(spec, 'securityContext', 'sysctls');
  const names = (Array.isArray(list) ? list : []).map((each) => textOf(fieldAt(each, 'name')));
  const isAllowed = (name: string) => {
    const since = SYSCTLS.get(name);
    return since !== undefined && since <= minor;
  };
  return finding(
    'forbidden sysctls',
    names.filter((name) => !isAllowed(name)),
    ', ',
  );
};

const windowsHostProcess: Check = (pod) => {
  const setters = settersOf(
    pod,
    (owner) => fieldAt(owner, 'securityContext', 'windowsOptions', 'hostProcess') === true,
  );
  const why = `${joinSetters(setters)} must not set securityContext.windowsOptions.hostProcess=true`;
  return finding('hostProcess', some(setters, why));
};

const allowPrivilegeEscalation: Check = (pod) => {
  const names = containersOf(pod)
    .filter((each) => fieldAt(each, 'securityContext', 'allowPrivilegeEscalation') !== false)
    .map(({ name }) => name);
  const why = `${quotedList('container', names)} must set securityContext.allowPrivilegeEscalation=false`;
  return finding('allowPrivilegeEscalation != false', some(names, why));
};

const capabilitiesRestricted: Check = (pod) => {
  const missing = containersOf(pod)
    .filter((each) => {
      const drop = fieldAt(each, 'securityContext', 'capabilities', 'drop');
      return !Array.isArray(drop) || !drop.includes('ALL');
    })
    .map(({ name }) => name);
  const must = `${quotedList('container', missing)} must set securityContext.capabilities.drop=["ALL"]`;
  const added = badAdditions(pod, new Set(['NET_BIND_SERVICE']));
  return finding('unrestricted capabilities', [...some(missing, must), ...added]);
};

const restrictedVolumes: Check = ({ volumes }) => {
  const types = new Set<string>();
  const names = volumes.flatMap((volume) => {
    const [type] = Object.keys(volume).filter((key) => key !== 'name');
    if (type === undefined || VOLUME_TYPES.has(type)) return [];
    types.add(type);
    return [textOf(volume['name'])];
  });
  const verb = names.length === 1 ? 'uses' : 'use';
  const list = quotedList('restricted volume type', [...types].sort());
  return finding(
    'restricted volume types',
    some(names, `${quotedList('volume', names)} ${verb} ${list}`),
  );
};

const runAsNonRoot: Check = (pod) => {
  const valueOf = (owner: unknown) => fieldAt(owner, 'securityContext', 'runAsNonRoot');
  const setters = settersOf(pod, (owner) => valueOf(owner) === false);
  if (setters.length > 0)
    return finding('runAsNonRoot != true', [
      `${joinSetters(setters)} must not set securityContext.runAsNonRoot=false`,
    ]);
  const names = unset(pod, (owner) => valueOf(owner) === true);
  const why = `pod or ${quotedList('container', names)} must set securityContext.runAsNonRoot=true`;
  return finding('runAsNonRoot != true', some(names, why));
};

const runAsUser: Check = (pod) => {
  const setters = settersOf(pod, (owner) => fieldAt(owner, 'securityContext', 'runAsUser') === 0);
  return finding('runAsUser=0', some(setters, `${joinSetters(setters)} must not set runAsUser=0`));
};

const seccompRestricted: Check = (pod) => {
  const bad = badProfiles(pod, 'seccompProfile');
  if (bad.length > 0) return finding('seccompProfile', bad);
  const typeOf = (owner: unknown) =>
    textOf(fieldAt(owner, 'securityContext', 'seccompProfile', 'type'));
  const names = unset(pod, (owner) => PROFILE_TYPES.has(typeOf(owner)));
  const why =
    `pod or ${quotedList('container', names)} must set securityContext.seccompProfile.type to ` +
    '"RuntimeDefault" or "Localhost"';
  return finding('seccompProfile', some(names, why));
};

const finding = (
  reason: string,
  details: readonly string[],
  separator = '; ',
): Finding | undefined =>
  details.length === 0 ? undefined : { reason, detail: details.join(separator) };

/** Names of the containers that set a field of their security context to the value. */
const mustNot = (pod: PodShape, reason: string, field: string, value: unknown) => {
  const names = containersOf(pod)
    .filter((each) => fieldAt(each, 'securityContext', field) === value)
    .map(({ name }) => name);
  const why = `${quotedList('container', names)} must not set securityContext.${field}=${String(value)}`;
  return finding(reason, some(names, why));
};

const badAdditions = (pod: PodShape, allowed: ReadonlySet<string>): readonly string[] => {
  const capabilities = new Set<string>();
  const names = containersOf(pod)
    .filter((each) => {
      const add = fieldAt(each, 'securityContext', 'capabilities', 'add');
      const bad = (Array.isArray(add) ? add : []).map(String).filter((name) => !allowed.has(name));
      for (const name of bad) capabilities.add(stringifyJson(name));
      return bad.length > 0;
    })
    .map(({ name }) => name);
  const list = [...capabilities].sort().join(', ');
  return some(
    names,
    `${quotedList('container', names)} must not include ${list} in securityContext.capabilities.add`,
  );
};

/** Who sets a profile that is neither the runtime's nor one of the node's. */
const badProfiles = (pod: PodShape, field: string): readonly string[] => {
  const types = new Set<string>();
  const setters = settersOf(pod, (owner) => {
    const type = fieldAt(owner, 'securityContext', field, 'type');
    const isBad = type !== undefined && !PROFILE_TYPES.has(textOf(type));
    if (isBad) types.add(stringifyJson(type));
    return isBad;
  });
  const list = [...types].sort().join(', ');
  return some(
    setters,
    `${joinSetters(setters)} must not set securityContext.${field}.type to ${list}`,
  );
};

/** The pod, and the containers, for which it holds: `pod`, `container "a"`. */
const settersOf = (pod: PodShape, isBad: (owner: unknown) => boolean): readonly string[] => {
  const names = containersOf(pod)
    .filter(isBad)
    .map(({ name }) => name);
  return [...(isBad(pod.spec) ? ['pod'] : []), ...some(names, quotedList('container', names))];
};

/** Containers for which neither they nor the pod says so; what a container says comes first. */
const unset = (pod: PodShape, isGood: (owner: unknown) => boolean): readonly string[] =>
  isGood(pod.spec)
    ? []
    : containersOf(pod)
        .filter((each) => !isGood(each))
        .map(({ name }) => name);

const HANDLERS: readonly (readonly string[])[] = [
  ...['livenessProbe', 'readinessProbe', 'startupProbe'].map((name) => [name]),
  ...['postStart', 'preStop'].map((name) => ['lifecycle', name]),
].flatMap((path) => ['httpGet', 'tcpSocket'].map((action) => [...path, action, 'host']));
const APP_ARMOR = 'container.apparmor.security.beta.kubernetes.io/';
const PROFILE_TYPES: ReadonlySet<string> = new Set(['RuntimeDefault', 'Localhost']);
const DEFAULT_CAPABILITIES: ReadonlySet<string> = new Set(
  (
    'AUDIT_WRITE CHOWN DAC_OVERRIDE FOWNER FSETID KILL MKNOD NET_BIND_SERVICE SETFCAP SETGID ' +
    'SETPCAP SETUID SYS_CHROOT'
  ).split(' '),
);
const VOLUME_TYPES: ReadonlySet<string> = new Set(
  'configMap csi downwardAPI emptyDir ephemeral persistentVolumeClaim projected secret'.split(' '),
);
/** Name and the minor version since which it is allowed. */
const SYSCTLS: ReadonlyMap<string, number> = new Map([
  ['kernel.shm_rmid_forced', 0],
  ['net.ipv4.ip_local_port_range', 0],
  ['net.ipv4.tcp_syncookies', 0],
  ['net.ipv4.ping_group_range', 0],
  ['net.ipv4.ip_unprivileged_port_start', 0],
  ['net.ipv4.ip_local_reserved_ports', 27],
  ['net.ipv4.tcp_keepalive_time', 29],
  ['net.ipv4.tcp_fin_timeout', 29],
  ['net.ipv4.tcp_keepalive_intvl', 29],
  ['net.ipv4.tcp_keepalive_probes', 29],
  ['net.ipv4.tcp_rmem', 32],
  ['net.ipv4.tcp_wmem', 32],
]);

interface Versioned {
  readonly check: Check;
  /** The minor version that brought it. */
  readonly since: number;
  /** The restricted level has a stricter one in its place. */
  readonly isReplaced?: boolean;
}

/** In upstream's order: by the names of the checks, baseline before restricted. */
export const BASELINE: readonly Versioned[] = [
  { check: appArmor, since: 0 },
  { check: capabilitiesBaseline, since: 0, isReplaced: true },
  { check: hostNamespaces, since: 0 },
  { check: hostPathVolumes, since: 0, isReplaced: true },
  { check: hostPorts, since: 0 },
  { check: hostProbes, since: 34 },
  { check: privileged, since: 0 },
  { check: procMount, since: 0 },
  { check: seLinux, since: 0 },
  { check: seccompBaseline, since: 0, isReplaced: true },
  { check: sysctls, since: 0 },
  { check: windowsHostProcess, since: 0 },
];

export const RESTRICTED: readonly Versioned[] = [
  { check: allowPrivilegeEscalation, since: 8 },
  { check: capabilitiesRestricted, since: 22 },
  { check: restrictedVolumes, since: 0 },
  { check: runAsNonRoot, since: 0 },
  { check: runAsUser, since: 23 },
  { check: seccompRestricted, since: 19 },
];
