import type { ContainerIsolation } from '../../api/isolation';
import { cpuMillisOf, bytesOf, formatBytes, formatCpuMillis } from '../../api/quantity';
import type { Container, PodSpec } from '../../api/types';

/** One property of a container: what its manifest says, what the kernel does. */
export interface IsolationRow {
  readonly property: string;
  readonly asked: string;
  readonly kernel: string;
  /** The kernel does less, or more, than was asked for. */
  readonly differs: boolean;
}

/** Pure: what the manifest asks for a container beside what the kernel reports of it. */
export const isolationRows = (
  spec: PodSpec,
  container: Container,
  facts: ContainerIsolation,
): readonly IsolationRow[] => [
  ...namespaceRows(spec, facts),
  mappingRow(facts),
  userRow(spec, container, facts),
  capabilityRow(container, facts),
  privilegeRow(container, facts),
  seccompRow(spec, container, facts),
  ...(facts.label === undefined ? [] : [same('security label', NOT_SAID, facts.label)]),
  rootRow(container, facts),
  ...volumeRows(container, facts),
  ...limitRows(container, facts),
  same('oom score', NOT_SAID, String(facts.oomScoreAdj)),
];

const NOT_SAID = '-';

const row = (
  property: string,
  asked: string,
  kernel: string,
  isAsAsked: boolean,
): IsolationRow => ({ property, asked, kernel, differs: !isAsAsked });

/** Of what a manifest cannot say, or leaves to the node. */
const same = (property: string, asked: string, kernel: string): IsolationRow =>
  row(property, asked, kernel, true);

const namespaceRows = (spec: PodSpec, { namespaces }: ContainerIsolation) =>
  namespaces.map(({ type, id, isHost }) => {
    const asked = askedNamespace(spec, type);
    const kernel = `${isHost ? "the host's" : 'own'} (${id})`;
    return row(
      `namespace ${type}`,
      asked ?? NOT_SAID,
      kernel,
      asked === undefined || (asked === HOSTS) === isHost,
    );
  });

const HOSTS = "the host's";

/** Undefined of those for which a manifest has no word. */
const askedNamespace = (spec: PodSpec, type: string): string | undefined => {
  const own = (usesHost: boolean | undefined) => (usesHost === true ? HOSTS : 'own');
  switch (type) {
    case 'net':
      return own(spec.hostNetwork);
    case 'ipc':
      return own(spec.hostIPC);
    case 'pid':
      return spec.shareProcessNamespace === true ? "the pod's" : own(spec.hostPID);
    case 'user':
      return spec.hostUsers === false ? 'own' : HOSTS;
    case 'mnt':
      return 'own';
    default:
      return undefined;
  }
};

const mappingRow = ({ userMappings: { uid } }: ContainerIsolation): IsolationRow => {
  const ranges = uid.map(({ inside, outside, count }) => `${inside} is ${outside} (${count} ids)`);
  return same('user ids', NOT_SAID, ranges.join(', ') || 'none');
};

const userRow = (
  { securityContext: ofPod }: PodSpec,
  { securityContext: own }: Container,
  { identity, userMappings }: ContainerIsolation,
): IsolationRow => {
  const uid = own?.runAsUser ?? ofPod?.runAsUser;
  const gid = own?.runAsGroup ?? ofPod?.runAsGroup;
  const asked = [
    uid === undefined ? "the image's" : `uid ${uid}`,
    ...(gid === undefined ? [] : [`gid ${gid}`]),
  ];
  const inside = {
    uid: insideOf(userMappings.uid, identity.uid),
    gid: insideOf(userMappings.gid, identity.gid),
  };
  const groups = identity.groups.length === 0 ? '' : `, groups ${identity.groups.join(' ')}`;
  return row(
    'user',
    asked.join(', '),
    `uid ${inside.uid}, gid ${inside.gid}${groups}`,
    (uid === undefined || uid === inside.uid) && (gid === undefined || gid === inside.gid),
  );
};

/** What a host's id is called within. */
const insideOf = (mappings: ContainerIsolation['userMappings']['uid'], id: number): number => {
  const range = mappings.find(({ outside, count }) => id >= outside && id < outside + count);
  return range === undefined ? id : range.inside + (id - range.outside);
};

const capabilityRow = (
  { securityContext }: Container,
  { identity: { capabilities } }: ContainerIsolation,
): IsolationRow => {
  const { effective, bounding } = capabilities;
  const most = bounding.length > effective.length ? ` (at most ${listed(bounding)})` : '';
  const kernel = `${listed(effective)}${most}`;
  if (securityContext?.privileged === true) return same('capabilities', 'all', kernel);
  const named = (names: readonly string[] | undefined) =>
    (names ?? []).map((name) => name.toUpperCase().replace(/^CAP_/, ''));
  const add = named(securityContext?.capabilities?.add);
  const drop = named(securityContext?.capabilities?.drop);
  const asked = [
    ...(drop.length === 0 ? [] : [`without ${drop.join(' ')}`]),
    ...(add.length === 0 ? [] : [`with ${add.join(' ')}`]),
  ];
  const isDropped = (name: string) =>
    !add.includes(name) && (drop.includes(name) || drop.includes('ALL'));
  const isAsAsked =
    !bounding.some(isDropped) &&
    add.every((name) => name === 'ALL' || bounding.includes(name) || drop.includes(name));
  return row('capabilities', asked.join(', ') || 'the usual ones', kernel, isAsAsked);
};

/** Of a privileged container they would fill the screen. */
const listed = (names: readonly string[]): string => {
  if (names.length <= LISTED_MAX) return names.join(' ') || 'none';
  const isAlmighty = names.includes('SYS_ADMIN');
  return `${names.length}, ${isAlmighty ? 'SYS_ADMIN among them' : 'without SYS_ADMIN'}`;
};
const LISTED_MAX = 16;

const privilegeRow = (
  { securityContext }: Container,
  { identity }: ContainerIsolation,
): IsolationRow => {
  const isRefused = securityContext?.allowPrivilegeEscalation === false;
  return row(
    'may gain privileges',
    securityContext?.allowPrivilegeEscalation === undefined ? NOT_SAID : isRefused ? 'no' : 'yes',
    identity.noNewPrivileges ? 'no (no_new_privs)' : 'yes',
    !isRefused || identity.noNewPrivileges,
  );
};

const seccompRow = (
  { securityContext: ofPod }: PodSpec,
  { securityContext: own }: Container,
  { identity: { seccomp, seccompFilters } }: ContainerIsolation,
): IsolationRow => {
  const profile = own?.seccompProfile ?? ofPod?.seccompProfile;
  const isFree = profile?.type === 'Unconfined' || own?.privileged === true;
  const asked = profile === undefined ? NOT_SAID : [profile.type, profile.localhostProfile];
  return row(
    'system calls',
    [asked].flat().filter(Boolean).join(' '),
    seccomp === 'filter' ? `filtered (${seccompFilters} filters)` : `not filtered (${seccomp})`,
    isFree || seccomp === 'filter',
  );
};

const rootRow = ({ securityContext }: Container, { mounts }: ContainerIsolation): IsolationRow => {
  const root = mounts.findLast(({ target }) => target === '/');
  const wants = securityContext?.readOnlyRootFilesystem === true;
  return row(
    'root file system',
    wants ? 'read-only' : NOT_SAID,
    root === undefined ? 'none' : `${root.type}, ${modeOf(root)}`,
    root !== undefined && (!wants || root.isReadOnly),
  );
};

type Mount = ContainerIsolation['mounts'][number];
const modeOf = ({ isReadOnly }: Mount) => (isReadOnly ? 'read-only' : 'writable');

const volumeRows = (
  { volumeMounts = [] }: Container,
  { mounts }: ContainerIsolation,
): readonly IsolationRow[] =>
  volumeMounts.map(({ name, mountPath, readOnly }) => {
    const path = mountPath.replace(/(?<=.)\/+$/, '');
    // What is mounted there last hides the others.
    const mount = mounts.findLast(({ target }) => target === path);
    return row(
      `mount ${mountPath}`,
      `volume ${name}${readOnly === true ? ', read-only' : ''}`,
      mount === undefined ? 'none' : `${mount.type}, ${modeOf(mount)}, ${mount.propagation}`,
      mount !== undefined && (readOnly !== true || mount.isReadOnly),
    );
  });

const limitRows = (
  { resources }: Container,
  facts: ContainerIsolation,
): readonly IsolationRow[] => {
  const { cpu, memory } = resources?.limits ?? {};
  const cpuMillis = cpuLimitMillis(facts);
  const memoryBytes = memoryLimitBytes(facts);
  return [
    row(
      'cpu limit',
      cpu === undefined ? NOT_SAID : formatCpuMillis(cpuMillisOf(cpu)),
      cpuMillis === undefined ? 'none' : formatCpuMillis(cpuMillis),
      // The kernel counts in hundredths of a millisecond's share at the least.
      cpu === undefined || (cpuMillis !== undefined && cpuMillis <= cpuMillisOf(cpu) + 10),
    ),
    row(
      'memory limit',
      memory === undefined ? NOT_SAID : formatBytes(bytesOf(memory)),
      memoryBytes === undefined ? 'none' : formatBytes(memoryBytes),
      // It counts in pages.
      memory === undefined || (memoryBytes !== undefined && memoryBytes <= bytesOf(memory)),
    ),
    same('process limit', NOT_SAID, valueOf(facts, 'pids.max') ?? 'none'),
    same('processors', NOT_SAID, processorsOf(facts)),
  ];
};

const valueOf = ({ cgroups }: ContainerIsolation, file: string): string | undefined =>
  cgroups.find(({ values }) => values[file] !== undefined)?.values[file];

const processorsOf = (facts: ContainerIsolation): string =>
  valueOf(facts, 'cpuset.cpus') ?? valueOf(facts, 'cpuset.cpus.effective') ?? 'all';

const cpuLimitMillis = (facts: ContainerIsolation): number | undefined => {
  const [quota, period] = (
    valueOf(facts, 'cpu.max') ??
    `${valueOf(facts, 'cpu.cfs_quota_us') ?? '-1'} ${valueOf(facts, 'cpu.cfs_period_us') ?? '0'}`
  )
    .split(' ')
    .map(Number);
  if (quota === undefined || period === undefined) return undefined;
  return quota > 0 && period > 0 ? Math.round((1000 * quota) / period) : undefined;
};

const memoryLimitBytes = (facts: ContainerIsolation): number | undefined => {
  const text = valueOf(facts, 'memory.max') ?? valueOf(facts, 'memory.limit_in_bytes');
  const bytes = Number(text ?? Number.NaN);
  return bytes < UNLIMITED_BYTES ? bytes : undefined;
};

/** Cgroup v1 has the highest number for none. */
const UNLIMITED_BYTES = 2 ** 62;
