import type { CgroupMount } from '../cgroups';
import {
  RuntimeError,
  type ContainerSpec,
  type ExecSpec,
  type MountSpec,
  type SandboxSpec,
  type UserSpec,
} from '../container-runtime';
import { TlvWriter } from './tlv';

/** Where things of one container are, decided by the runtime. */
export interface ContainerPlanInput {
  readonly spec: ContainerSpec;
  readonly runDir: string;
  readonly socketPath: string;
  readonly upperDir: string;
  readonly workDir: string;
  readonly rootfsDir: string;
  readonly shmDir: string;
  readonly cgroup: CgroupPlan;
  /** Namespaces of the sandbox to join, by pinned path. */
  readonly namespaces: readonly PinnedNamespace[];
  /** The container whose process namespace is joined, by its main process. */
  readonly processesOf: { readonly pid: number; readonly containerId: string } | undefined;
  readonly capabilities: bigint;
  readonly seccomp: Uint8Array | undefined;
  /** Device nodes of the host that it gets. */
  readonly devices: readonly DeviceNode[];
  readonly logMaxBytes: number;
  readonly logMaxFiles: number;
}

export interface CgroupPlan {
  readonly joinFiles: readonly string[];
  readonly killDir: string;
  readonly oomDir: string;
  readonly mounts: readonly CgroupMount[];
}

export interface PinnedNamespace {
  readonly type: 'net' | 'ipc' | 'uts';
  readonly path: string;
}

export interface DeviceNode {
  readonly path: string;
  readonly mode: number;
  readonly major: number;
  readonly minor: number;
  /** Default: root. */
  readonly uid?: number;
  readonly gid?: number;
}

/** Everything the launcher does for a container, in order. Pure: the same input, the same bytes. */
export const containerPlan = (input: ContainerPlanInput): Buffer => {
  const { spec, cgroup } = input;
  const plan = new TlvWriter()
    .add(Tag.dir, input.runDir)
    .add(Tag.socket, input.socketPath)
    .add(Tag.log, BigInt(input.logMaxBytes), input.logMaxFiles, spec.logPath);
  for (const file of cgroup.joinFiles) plan.add(Tag.cgroupJoin, file);
  plan.add(Tag.cgroupDir, cgroup.killDir).add(Tag.oomDir, cgroup.oomDir).add(Tag.oomGroup);
  for (const { type, path } of input.namespaces) {
    plan.add(Tag.namespace, NAMESPACE_FLAGS[type], path);
  }
  const isShared = spec.hostPid || input.processesOf !== undefined;
  const pidFlag = isShared ? 0 : CLONE_NEWPID;
  plan.add(Tag.unshare, CLONE_NEWNS | CLONE_NEWCGROUP | pidFlag);
  if (isShared) plan.add(Tag.killLeftovers);
  if (input.processesOf !== undefined)
    plan.add(Tag.pidOf, input.processesOf.pid, input.processesOf.containerId);
  addRoot(plan, input);
  addProcess(plan, {
    ...spec.process,
    capabilities: input.capabilities,
    noNewPrivileges: spec.security.noNewPrivileges && !spec.security.privileged,
    seccomp: input.seccomp,
    tty: spec.tty,
    stdin: spec.stdin,
    oomScoreAdj: spec.resources.oomScoreAdj,
  });
  return plan.bytes();
};

export interface ExecPlanInput {
  readonly container: ContainerSpec;
  readonly exec: ExecSpec;
  readonly capabilities: bigint;
  readonly seccomp: Uint8Array | undefined;
}

/** A further process: the container's settings, with what the exec says instead. */
export const execPlan = ({ container, exec, capabilities, seccomp }: ExecPlanInput): Buffer => {
  const plan = new TlvWriter();
  addProcess(plan, {
    args: exec.args,
    env: mergeEnv(container.process.env, exec.env),
    cwd: exec.cwd ?? container.process.cwd,
    user: exec.user ?? container.process.user,
    capabilities,
    noNewPrivileges: container.security.noNewPrivileges && !container.security.privileged,
    filtersEarly: container.security.seccomp.type === 'default',
    seccomp,
    tty: exec.tty,
    stdin: exec.stdin,
    oomScoreAdj: container.resources.oomScoreAdj,
  });
  if (exec.timeoutMs !== undefined) plan.add(Tag.timeoutMs, BigInt(Math.ceil(exec.timeoutMs)));
  if (exec.terminalSize !== undefined) {
    plan.add(Tag.terminalSize, exec.terminalSize.columns, exec.terminalSize.rows);
  }
  return plan.bytes();
};

export interface SandboxPlanInput {
  readonly spec: SandboxSpec;
  readonly pins: readonly PinnedNamespace[];
  readonly shmDir: string | undefined;
}

/** Makes and pins a sandbox's namespaces. */
export const sandboxPlan = ({ spec, pins, shmDir }: SandboxPlanInput): Buffer => {
  const plan = new TlvWriter().add(Tag.hostname, spec.hostname);
  for (const { type, path } of pins) plan.add(Tag.pin, NAMESPACE_FLAGS[type], path);
  if (shmDir !== undefined) plan.add(Tag.shm, SHM_BYTES, shmDir);
  const defaults: Readonly<Record<string, string>> = spec.hostNetwork ? {} : DEFAULT_SYSCTLS;
  for (const [name, value] of Object.entries({ ...defaults, ...spec.sysctls })) {
    plan.add(Tag.sysctl, sysctlPath(name, spec), value);
  }
  return plan.bytes();
};

export const unmountPlan = (paths: readonly string[]): Buffer => {
  const plan = new TlvWriter();
  for (const path of paths) plan.add(Tag.path, path);
  return plan.bytes();
};

interface ProcessPlan {
  readonly args: readonly string[];
  readonly env: readonly string[];
  readonly cwd: string;
  readonly user: UserSpec;
  readonly capabilities: bigint;
  readonly noNewPrivileges: boolean;
  /** The filter is known to allow what an exec still has to do under it. */
  readonly filtersEarly?: boolean;
  readonly seccomp: Uint8Array | undefined;
  readonly tty: boolean;
  readonly stdin: boolean;
  readonly oomScoreAdj: number | undefined;
}

const addProcess = (plan: TlvWriter, process: ProcessPlan): void => {
  if (process.args.length === 0 || process.args[0] === '') {
    throw new RuntimeError('exec', 'no command is given');
  }
  if (!process.cwd.startsWith('/')) {
    throw new RuntimeError('cwd', `working directory "${process.cwd}" is not absolute`);
  }
  plan.add(Tag.cwd, process.cwd);
  for (const arg of process.args) plan.add(Tag.arg, arg);
  for (const entry of process.env) plan.add(Tag.env, entry);
  const { uid, gid, supplementalGids } = process.user;
  plan.add(Tag.user, uid, gid, ...supplementalGids);
  plan.add(Tag.capabilities, process.capabilities);
  if (process.noNewPrivileges)
    plan.add(Tag.noNewPrivs, ...(process.filtersEarly === true ? [1] : []));
  if (process.seccomp !== undefined) plan.add(Tag.seccomp, process.seccomp);
  if (process.tty) plan.add(Tag.tty);
  if (process.stdin) plan.add(Tag.stdin);
  if (process.oomScoreAdj !== undefined) plan.add(Tag.oomScoreAdj, process.oomScoreAdj);
};

const addRoot = (plan: TlvWriter, input: ContainerPlanInput): void => {
  const { spec } = input;
  for (const dir of spec.rootfs.lowerDirs) plan.add(Tag.lower, dir);
  plan.add(Tag.upper, input.upperDir).add(Tag.work, input.workDir).add(Tag.rootfs, input.rootfsDir);
  const isPrivileged = spec.security.privileged;
  const mount = (flags: number, type: string, target: string, data = '') =>
    plan.add(Tag.mount, flags, 1, type, type, target, data);
  mount(NOSUID | NODEV | NOEXEC, 'proc', '/proc');
  mount(NOSUID | STRICTATIME, 'tmpfs', '/dev', 'mode=755,size=65536k');
  for (const [path, minor] of DEVICES) plan.add(Tag.device, S_IFCHR | 0o666, 1, minor, 0, 0, path);
  plan.add(Tag.device, S_IFCHR | 0o666, 5, 0, 0, 0, '/dev/tty');
  mount(NOSUID | NOEXEC, 'devpts', '/dev/pts', 'newinstance,ptmxmode=0666,mode=0620,gid=5');
  for (const [content, path] of LINKS) plan.add(Tag.symlink, content, path);
  // Before any mount of the spec: a volume at /dev/pts or /dev/console may be anything.
  const coversConsole = spec.mounts.some(
    ({ target }) => partsOf(target).join('/') === 'dev/console',
  );
  if (spec.tty) plan.add(Tag.terminal, coversConsole ? 0 : 1);
  plan.add(Tag.bind, ATTR_NOSUID | ATTR_NODEV | ATTR_NOEXEC, 0, input.shmDir, '/dev/shm', '');
  mount(NOSUID | NODEV | NOEXEC, 'mqueue', '/dev/mqueue');
  mount(NOSUID | NODEV | NOEXEC | (isPrivileged ? 0 : RDONLY), 'sysfs', '/sys');
  for (const { type, target, data } of input.cgroup.mounts) {
    const access = isPrivileged || type === 'tmpfs' ? 0 : RDONLY;
    plan.add(Tag.mount, NOSUID | NODEV | NOEXEC | access, 1, type, type, target, data);
  }
  const isOfDev = ({ path }: DeviceNode) => path.startsWith('/dev/');
  for (const each of input.devices.filter(isOfDev)) addDevice(plan, Tag.device, each);
  const placed = input.devices.filter((each) => !isOfDev(each));
  const devices = placed.map((device) => ({ target: device.path, device }));
  for (const each of byDepth([...spec.mounts, ...devices])) {
    if ('device' in each) {
      checkTarget(each.target);
      addDevice(plan, Tag.placedDevice, each.device);
    } else addMount(plan, each, isPrivileged);
  }
  if (!isPrivileged && spec.security.procMount === 'Default') {
    for (const path of READONLY_PATHS) plan.add(Tag.readonly, path);
    for (const path of MASKED_PATHS) plan.add(Tag.mask, path);
  }
  if (spec.rootfs.isReadOnly) plan.add(Tag.rootReadonly);
  if (!isPrivileged) plan.add(Tag.rootNodev);
};

/** What lies above comes first: a mount at `/data` would hide one at `/data/in` made before it. */
export const byDepth = <T extends { readonly target: string }>(
  mounts: readonly T[],
): readonly T[] => mounts.toSorted((a, b) => partsOf(a.target).length - partsOf(b.target).length);

const addDevice = (
  plan: TlvWriter,
  tag: number,
  { path, mode, major, minor, uid = 0, gid = 0 }: DeviceNode,
): void => {
  plan.add(tag, mode, major, minor, uid, gid, path);
};

export const addMount = (plan: TlvWriter, mount: MountSpec, allowsDevices: boolean): void => {
  checkTarget(mount.target);
  if (mount.type === 'tmpfs') {
    const mode = (mount.mode ?? 0o1777).toString(8);
    const size = mount.sizeBytes === undefined ? '' : `,size=${mount.sizeBytes}`;
    const flags = NOSUID | NODEV;
    plan.add(Tag.mount, flags, 0, 'tmpfs', 'tmpfs', mount.target, `mode=${mode}${size}`);
    return;
  }
  const attributes = (mount.isReadOnly ? ATTR_RDONLY : 0) | (allowsDevices ? 0 : ATTR_NODEV);
  const propagation = PROPAGATION[mount.propagation ?? 'private'];
  plan.add(Tag.bind, attributes, propagation, mount.source, mount.target, mount.subPath ?? '');
};

const partsOf = (target: string): readonly string[] =>
  target.split('/').filter((part) => part !== '' && part !== '.');

export const checkTarget = (target: string): void => {
  const parts = partsOf(target);
  if (!target.startsWith('/') || parts.length === 0 || parts.includes('..')) {
    throw new RuntimeError('mount', `mount target "${target}" is not a path inside the container`);
  }
  // A false /proc would defeat the masks and every check that reads it.
  if (parts[0] === 'proc') {
    throw new RuntimeError('mount', `mount target "${target}" is inside /proc`);
  }
};

/** A later entry of the same name wins, in its first place. */
export const mergeEnv = (base: readonly string[], more: readonly string[]): string[] => {
  const merged = new Map<string, string>();
  for (const entry of [...base, ...more]) merged.set(entry.split('=', 1)[0] ?? entry, entry);
  return [...merged.values()];
};

/** Only what a sandbox has of its own may be set: anything else would change the host. */
const sysctlPath = (name: string, spec: SandboxSpec): string => {
  const isNet = /^net\.[a-z0-9_.\-/]+$/i.test(name) && !spec.hostNetwork;
  const isIpc =
    /^(kernel\.(shm[a-z_]*|msg[a-z_]*|sem)|fs\.mqueue\.[a-z_]+)$/.test(name) && !spec.hostIpc;
  if ((!isNet && !isIpc) || name.includes('..')) {
    throw new RuntimeError('sysctl', `sysctl "${name}" is not one of the sandbox's own`);
  }
  return name.replaceAll('.', '/');
};

/** runtime/launcher/plan.h holds the same numbers. */
export const Tag = {
  dir: 1,
  cgroupJoin: 2,
  cgroupDir: 3,
  oomDir: 4,
  oomGroup: 5,
  namespace: 6,
  unshare: 7,
  lower: 8,
  upper: 9,
  work: 10,
  rootfs: 11,
  mount: 12,
  bind: 13,
  symlink: 14,
  device: 15,
  mask: 16,
  readonly: 17,
  rootReadonly: 18,
  cwd: 19,
  arg: 20,
  env: 21,
  user: 22,
  capabilities: 23,
  noNewPrivs: 24,
  seccomp: 25,
  hostname: 27,
  sysctl: 28,
  tty: 29,
  stdin: 30,
  log: 31,
  oomScoreAdj: 32,
  timeoutMs: 33,
  terminalSize: 34,
  path: 35,
  pin: 36,
  shm: 37,
  killLeftovers: 38,
  pidOf: 42,
  socket: 39,
  rootNodev: 40,
  terminal: 41,
  placedDevice: 43,
  startArg: 44,
  pidFile: 45,
  console: 46,
  stage: 47,
  toolLog: 48,
} as const;

const CLONE_NEWNS = 0x20000;
const CLONE_NEWCGROUP = 0x2000000;
const CLONE_NEWPID = 0x20000000;
const NAMESPACE_FLAGS = { net: 0x40000000, ipc: 0x8000000, uts: 0x4000000 } as const;

const RDONLY = 1;
const NOSUID = 2;
const NODEV = 4;
const NOEXEC = 8;
const STRICTATIME = 1 << 24;
const ATTR_RDONLY = 1;
const ATTR_NOSUID = 2;
const ATTR_NODEV = 4;
const ATTR_NOEXEC = 8;
const PROPAGATION = { private: 1 << 18, slave: 1 << 19, shared: 1 << 20 } as const;

const S_IFCHR = 0o020000;
const SHM_BYTES = 64n << 20n;
const DEVICES = [
  ['/dev/null', 3],
  ['/dev/zero', 5],
  ['/dev/full', 7],
  ['/dev/random', 8],
  ['/dev/urandom', 9],
] as const;
const LINKS = [
  ['/proc/self/fd', '/dev/fd'],
  ['/proc/self/fd/0', '/dev/stdin'],
  ['/proc/self/fd/1', '/dev/stdout'],
  ['/proc/self/fd/2', '/dev/stderr'],
  ['/proc/kcore', '/dev/core'],
  ['pts/ptmx', '/dev/ptmx'],
] as const;

/** A pod's processes may listen on low ports and ping without further rights. */
const DEFAULT_SYSCTLS = {
  'net.ipv4.ip_unprivileged_port_start': '0',
  'net.ipv4.ping_group_range': '0 2147483647',
};

export const READONLY_PATHS = [
  '/proc/bus',
  '/proc/fs',
  '/proc/irq',
  '/proc/sys',
  '/proc/sysrq-trigger',
];
export const MASKED_PATHS = [
  '/proc/asound',
  '/proc/acpi',
  '/proc/interrupts',
  '/proc/kcore',
  '/proc/keys',
  '/proc/latency_stats',
  '/proc/timer_list',
  '/proc/timer_stats',
  '/proc/sched_debug',
  '/proc/scsi',
  '/sys/firmware',
  '/sys/devices/virtual/powercap',
];
