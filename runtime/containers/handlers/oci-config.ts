import { constants } from 'node:fs';
import { join } from 'node:path';

import type { CgroupDriver } from '../../cgroups';
import type {
  ContainerSpec,
  ExecSpec,
  MountSpec,
  ProcessSpec,
  SandboxSpec,
} from '../../container-runtime';
import { ociSeccomp } from '../../seccomp';
import { capabilityMask } from '../capabilities';
import { grantedDevices, hostDevices, type GrantedDevice } from '../host-devices';
import { byDepth, checkTarget, MASKED_PATHS, mergeEnv, READONLY_PATHS } from '../launch-plan';
import { pinsOf } from '../sandboxes';
import { HOST_CAPABILITIES, grantedCapabilityNames } from './security';

/** Where things of one container are, decided by the runtime. */
export interface OciConfigInput {
  readonly spec: ContainerSpec;
  readonly sandbox: SandboxSpec;
  /** Holds the sandbox's namespaces. */
  readonly sandboxDir: string;
  readonly rootfsDir: string;
  /** Has each of the spec's binds under its place in their order by depth. */
  readonly stageDir: string;
  readonly cgroup: string;
  readonly cgroups: CgroupDriver;
  /** Keeps the system calls of containers to itself: filters and namespaces of the host mean nothing. */
  readonly hasOwnKernel: boolean;
}

/** Of a bundle: `config.json`. Pure but for the devices, which are as they are now. */
export const ociConfig = (input: OciConfigInput): Readonly<Record<string, unknown>> => {
  const { spec, sandbox, cgroups } = input;
  const isMasked = !spec.security.privileged && spec.security.procMount === 'Default';
  const seccomp =
    spec.security.privileged || input.hasOwnKernel
      ? undefined
      : ociSeccomp(spec.security.seccomp, grantedCapabilityNames(spec.security, cgroups));
  return {
    ociVersion: '1.0.2',
    process: ociProcess(spec, spec.process, spec.tty, cgroups),
    root: { path: input.rootfsDir, readonly: spec.rootfs.isReadOnly },
    ...(input.hasOwnKernel ? { hostname: sandbox.hostname } : {}),
    mounts: mountsOf(input),
    linux: {
      cgroupsPath: `/${input.cgroup}`,
      namespaces: namespacesOf(input),
      ...devicesOf(spec),
      ...(isMasked ? { maskedPaths: MASKED_PATHS, readonlyPaths: READONLY_PATHS } : {}),
      ...(seccomp === undefined ? {} : { seccomp }),
    },
  };
};

/** A further process, as `exec --process` reads it: the container's settings, with what it says instead. */
export const ociExec = (
  spec: ContainerSpec,
  exec: ExecSpec,
  cgroups: CgroupDriver,
): Readonly<Record<string, unknown>> => {
  const process = {
    args: exec.args,
    env: mergeEnv(spec.process.env, exec.env),
    cwd: exec.cwd ?? spec.process.cwd,
    user: exec.user ?? spec.process.user,
  };
  const size = exec.terminalSize;
  return {
    ...ociProcess(spec, process, exec.tty, cgroups),
    ...(size === undefined ? {} : { consoleSize: { width: size.columns, height: size.rows } }),
  };
};

/** The binds of a container in the order in which they are staged: the same as they are mounted in. */
export const stagedMounts = ({ mounts }: ContainerSpec): readonly MountSpec[] => byDepth(mounts);

const ociProcess = (
  { security, resources }: ContainerSpec,
  { args, env, cwd, user }: ProcessSpec,
  terminal: boolean,
  cgroups: CgroupDriver,
) => {
  const names = grantedCapabilityNames(security, cgroups).map((name) => `CAP_${name}`);
  const { oomScoreAdj } = resources;
  return {
    terminal,
    user: { uid: user.uid, gid: user.gid, additionalGids: user.supplementalGids },
    args,
    env,
    cwd,
    capabilities: { bounding: names, effective: names, permitted: names },
    noNewPrivileges: security.noNewPrivileges && !security.privileged,
    ...(oomScoreAdj === undefined || !mayScore(oomScoreAdj) ? {} : { oomScoreAdj }),
  };
};

/** Lowering needs CAP_SYS_RESOURCE; a host without it runs the container all the same. */
const mayScore = (oomScoreAdj: number): boolean =>
  oomScoreAdj >= 0 || (HOST_CAPABILITIES & capabilityMask(['SYS_RESOURCE'])) !== 0n;

const namespacesOf = ({ spec, sandbox, sandboxDir, hasOwnKernel }: OciConfigInput) => [
  { type: 'mount' },
  ...(hasOwnKernel ? [] : [{ type: 'cgroup' }]),
  ...(spec.hostPid ? [] : [{ type: 'pid' }]),
  ...pinsOf(sandbox, sandboxDir).map(({ type, path }) => ({
    type: type === 'net' ? 'network' : type,
    // A kernel of its own has these two of its own, too.
    ...(hasOwnKernel && type !== 'net' ? {} : { path }),
  })),
];

const mountsOf = (input: OciConfigInput) => {
  const { spec, sandbox, sandboxDir, stageDir } = input;
  const access = spec.security.privileged ? [] : ['ro'];
  const mount = (type: string, destination: string, options: readonly string[]) => ({
    destination,
    type,
    source: type,
    options,
  });
  const shm = sandbox.hostIpc ? '/dev/shm' : join(sandboxDir, 'shm');
  return [
    mount('proc', '/proc', ['nosuid', 'noexec', 'nodev']),
    mount('tmpfs', '/dev', ['nosuid', 'strictatime', 'mode=755', 'size=65536k']),
    mount('devpts', '/dev/pts', [
      ...['nosuid', 'noexec', 'newinstance', 'ptmxmode=0666', 'mode=0620', 'gid=5'],
    ]),
    {
      ...mount('bind', '/dev/shm', ['rbind', 'nosuid', 'noexec', 'nodev']),
      source: shm,
    },
    mount('mqueue', '/dev/mqueue', ['nosuid', 'noexec', 'nodev']),
    mount('sysfs', '/sys', ['nosuid', 'noexec', 'nodev', ...access]),
    ...(input.hasOwnKernel
      ? []
      : [mount('cgroup', '/sys/fs/cgroup', ['nosuid', 'noexec', 'nodev', ...access])]),
    ...stagedMounts(spec).map((each, index) =>
      ownMount(each, join(stageDir, String(index)), spec.security.privileged),
    ),
  ];
};

const ownMount = (mount: MountSpec, staged: string, allowsDevices: boolean) => {
  checkTarget(mount.target);
  if (mount.type === 'tmpfs') {
    const mode = `mode=${(mount.mode ?? 0o1777).toString(8)}`;
    const size = mount.sizeBytes === undefined ? [] : [`size=${mount.sizeBytes}`];
    const options = ['nosuid', 'nodev', mode, ...size];
    return { destination: mount.target, type: 'tmpfs', source: 'tmpfs', options };
  }
  const propagation = mount.propagation === 'slave' ? 'rslave' : 'rprivate';
  return {
    destination: mount.target,
    type: 'bind',
    source: staged,
    options: [
      'rbind',
      propagation,
      ...(mount.isReadOnly ? ['ro'] : []),
      ...(allowsDevices ? [] : ['nodev']),
    ],
  };
};

const devicesOf = ({ devices = [], security }: ContainerSpec) => {
  const granted = grantedDevices(devices);
  const others: readonly Omit<GrantedDevice, 'access'>[] = security.privileged
    ? hostDevices().filter(({ path }) => granted.every((each) => each.path !== path))
    : [];
  return {
    devices: [...others, ...granted].map(({ path, mode, major, minor, uid = 0, gid = 0 }) => ({
      ...{ path, type: typeOf(mode), major, minor, fileMode: mode & 0o777, uid, gid },
    })),
    resources: {
      devices: security.privileged
        ? [{ allow: true, access: 'rwm' }]
        : [
            { allow: false, access: 'rwm' },
            ...granted.map(({ mode, major, minor, access }) => ({
              ...{ allow: true, type: typeOf(mode), major, minor, access },
            })),
          ],
    },
  };
};

const typeOf = (mode: number): 'b' | 'c' =>
  (mode & constants.S_IFMT) === constants.S_IFBLK ? 'b' : 'c';
