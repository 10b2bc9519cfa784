import { join } from 'node:path';

import { resourcesOf } from '../../api/pod-resources';
import { ownStopSignal } from '../../api/stop-signals';
import type { Container, Pod, Service } from '../../api/types';
import { stringifyJson } from '../../lib/json';
import type {
  ContainerSpec,
  DeviceSpec,
  MountSpec,
  UserSpec,
} from '../../runtime/container-runtime';
import type { LocalImage } from '../../runtime/image-service';
import type { PreparedVolumes } from '../volumes/volume-manager';
import { NO_EDITS, type DeviceEdits } from '../devices/edits';
import { containerResources } from '../pod-spec/cgroup-resources';
import type { CpuShare } from '../pod-spec/cpu-share';
import { ContainerConfigError, environmentOf, type ObjectSource } from '../pod-spec/environment';
import { expand } from '../pod-spec/expansion';
import type { NodeView } from '../pod-spec/field-refs';
import { LABEL, podLabels } from '../inventory/labels';
import type { StartAction } from '../plan/plan';
import { serviceVariablesOf } from '../pod-spec/service-variables';
import { securityOf, userOf } from '../pod-spec/security';
import { signalNumber, stopSignalOf } from '../pod-spec/stop-signal';

export interface ContainerSpecInput {
  readonly pod: Pod;
  readonly start: StartAction;
  readonly id: string;
  readonly sandboxId: string;
  readonly hostname: string;
  readonly image: LocalImage;
  readonly volumes: PreparedVolumes;
  readonly objects: ObjectSource;
  /** All that the node knows of. Default: none. */
  readonly services?: Iterable<Service>;
  readonly node: NodeView;
  readonly nodeMemoryBytes: number;
  /** Default: any processor. */
  readonly cpuShare?: CpuShare | undefined;
  /** Default: it has no devices. */
  readonly deviceEdits?: DeviceEdits;
  /** Files that the agent made for this pod: target in the container → path on the host. */
  readonly etcFiles: ReadonlyMap<string, string>;
  /** A file of this run's own: mounted at terminationMessagePath. */
  readonly terminationMessageFile: string;
  /** By runtime id, the container whose processes are to be seen. */
  readonly processesOf?: string;
  readonly logPath: string;
  readonly profilesDir: string;
}

/**
 * What the runtime needs to know to run a container of a pod. @throws ContainerConfigError, and Error for
 * what is wrong with the image
 */
export const containerSpecOf = (input: ContainerSpecInput): ContainerSpec => {
  const { pod, start, image, objects, node } = input;
  const { container } = start;
  const own = container.securityContext;
  const inherited = serviceVariablesOf(pod, input.services ?? []);
  const values = environmentOf(pod, container, objects, node, inherited);
  const { deviceEdits = NO_EDITS } = input;
  const devices = [...deviceEdits.devices, ...volumeDevicesOf(input)];
  const user = withGroups(userOf(pod, container, image), deviceEdits.additionalGids);
  return {
    id: input.id,
    sandboxId: input.sandboxId,
    labels: {
      ...podLabels(pod),
      [LABEL.container]: container.name,
      [LABEL.restartCount]: String(start.restartCount),
      [LABEL.backoffStep]: String(start.backoffStep),
      [LABEL.image]: container.image ?? '',
      [LABEL.imageId]: image.repoDigests[0] ?? image.id,
      [LABEL.logPath]: input.logPath,
      [LABEL.stopSignal]: String(signalOf(container, image)),
      [LABEL.resources]: stringifyJson(resourcesOf(container)),
    },
    rootfs: { lowerDirs: image.lowerDirs, isReadOnly: own?.readOnlyRootFilesystem === true },
    process: {
      args: argsOf(container, image, values),
      env: environmentList(image, values, input),
      cwd: workingDirOf(container, image),
      user,
    },
    mounts: mountsOf(input, values),
    resources: containerResources(pod, container, input.nodeMemoryBytes, input.cpuShare),
    ...(devices.length === 0 ? {} : { devices }),
    security: securityOf(pod, container, input.profilesDir),
    logPath: input.logPath,
    stdin: container.stdin === true,
    tty: container.tty === true,
    hostPid: pod.spec.hostPID === true,
    ...(input.processesOf === undefined ? {} : { processesOf: input.processesOf }),
  };
};

const withGroups = (user: UserSpec, gids: readonly number[]): UserSpec =>
  gids.length === 0
    ? user
    : { ...user, supplementalGids: [...new Set([...user.supplementalGids, ...gids])] };

/** The container's own comes before its image's. */
const signalOf = ({ lifecycle, image: name }: Container, { id, config }: LocalImage): number => {
  const own = ownStopSignal(lifecycle);
  // Checked by the API; of an older one it may be anything.
  return (own && signalNumber(own)) || stopSignalOf(name ?? id, config.stopSignal);
};

/** `command` replaces the image's entrypoint and its arguments; `args` alone the arguments. */
const argsOf = (
  { name, command, args }: Container,
  { config }: LocalImage,
  values: ReadonlyMap<string, string>,
): readonly string[] => {
  const hasCommand = command !== undefined && command.length > 0;
  const head = hasCommand ? command : config.entrypoint;
  const tail = args !== undefined && args.length > 0 ? args : hasCommand ? [] : config.cmd;
  const all = [
    ...(hasCommand ? head.map((text) => expand(text, values)) : head),
    ...(tail === args ? tail.map((text) => expand(text, values)) : tail),
  ];
  if (all.length === 0)
    throw new ContainerConfigError(
      `no command specified: neither container "${name}" nor its image has one`,
    );
  return all;
};

const environmentList = (
  { config }: LocalImage,
  values: ReadonlyMap<string, string>,
  { hostname, start, deviceEdits = NO_EDITS }: ContainerSpecInput,
): readonly string[] => {
  const merged = new Map<string, string>([
    ['PATH', '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'],
  ]);
  for (const entry of config.env) {
    const equals = entry.indexOf('=');
    if (equals > 0) merged.set(entry.slice(0, equals), entry.slice(equals + 1));
  }
  merged.set('HOSTNAME', hostname);
  if (start.container.tty === true) merged.set('TERM', 'xterm');
  for (const [name, value] of Object.entries(deviceEdits.env)) merged.set(name, value);
  for (const [name, value] of values) merged.set(name, value);
  for (const entry of deviceEdits.lastEnv) {
    const equals = entry.indexOf('=');
    merged.set(entry.slice(0, equals), entry.slice(equals + 1));
  }
  return [...merged].map(([name, value]) => {
    // The kernel would end the value there, and nobody would know.
    if (value.includes('\0')) throw new ContainerConfigError(`variable "${name}" contains a NUL`);
    return `${name}=${value}`;
  });
};

const workingDirOf = ({ workingDir }: Container, { config }: LocalImage): string => {
  if (workingDir !== undefined && workingDir !== '') return workingDir;
  return config.workingDir === '' ? '/' : config.workingDir;
};

const mountsOf = (
  { pod, start, volumes, etcFiles, terminationMessageFile, deviceEdits }: ContainerSpecInput,
  values: ReadonlyMap<string, string>,
): readonly MountSpec[] => {
  const { container } = start;
  const own = (container.volumeMounts ?? []).map((mount): MountSpec => {
    const source = volumes.get(mount.name);
    if (source === undefined)
      throw new ContainerConfigError(
        `volume "${mount.name}" of container "${container.name}" does not exist`,
      );
    const subPath = subPathOf(mount, values);
    return {
      type: 'bind',
      source,
      target: cleanTarget(mount.mountPath),
      isReadOnly: mount.readOnly === true || isReadOnlyVolume(pod, mount.name),
      ...(subPath === undefined ? {} : { subPath }),
      propagation: propagationOf(mount.mountPropagation),
    };
  });
  const devices = (container.volumeDevices ?? []).map(({ devicePath }) => cleanTarget(devicePath));
  const taken = new Set([...own.map(({ target }) => target), ...devices]);
  const files: MountSpec[] = [...etcFiles].map(([target, source]) => ({
    type: 'bind',
    source,
    target,
    isReadOnly: container.securityContext?.readOnlyRootFilesystem === true,
  }));
  const message: MountSpec = {
    type: 'bind',
    source: terminationMessageFile,
    target: cleanTarget(container.terminationMessagePath ?? '/dev/termination-log'),
    isReadOnly: false,
  };
  const ofDevices = (deviceEdits?.mounts ?? []).map(
    ({ hostPath, containerPath, isReadOnly }): MountSpec => ({
      type: 'bind',
      source: hostPath,
      target: cleanTarget(containerPath),
      isReadOnly,
    }),
  );
  return [...files, message, ...ofDevices].filter(({ target }) => !taken.has(target)).concat(own);
};

/** Source: pkg/kubelet, makeBlockVolumes */
const volumeDevicesOf = ({ pod, start, volumes }: ContainerSpecInput): readonly DeviceSpec[] => {
  const { name: container, volumeDevices = [] } = start.container;
  return volumeDevices.map(({ name, devicePath }) => {
    if (!devicePath.startsWith('/'))
      throw new ContainerConfigError(`error DevicePath \`${devicePath}\` must be an absolute path`);
    const hostPath = volumes.get(name);
    if (hostPath === undefined)
      throw new ContainerConfigError(
        `cannot find volume "${name}" to pass into container "${container}"`,
      );
    const access = isReadOnlyVolume(pod, name) ? 'r' : 'rwm';
    return { hostPath, path: cleanTarget(devicePath), access, isVolume: true };
  });
};

/** One spelling for each path: `/data/in/` and `data//in` are `/data/in`. */
const cleanTarget = (path: string): string => {
  const clean = join('/', path);
  return clean.endsWith('/') && clean !== '/' ? clean.slice(0, -1) : clean;
};

type VolumeMount = NonNullable<Container['volumeMounts']>[number];

const subPathOf = (
  { subPath, subPathExpr }: VolumeMount,
  values: ReadonlyMap<string, string>,
): string | undefined => {
  const path =
    subPathExpr !== undefined && subPathExpr !== '' ? expand(subPathExpr, values) : subPath;
  if (path === undefined || path === '') return undefined;
  if (path.startsWith('/') || path.split('/').includes('..'))
    throw new ContainerConfigError(`subPath "${path}" must be relative and must not contain ".."`);
  return path;
};

const isReadOnlyVolume = ({ spec }: Pod, name: string): boolean => {
  const volume = spec.volumes?.find((candidate) => candidate.name === name);
  if (volume?.persistentVolumeClaim !== undefined)
    return volume.persistentVolumeClaim.readOnly === true;
  if (volume?.csi !== undefined) return volume.csi.readOnly === true;
  return [volume?.hostPath, volume?.emptyDir, volume?.ephemeral].every(
    (source) => source === undefined,
  );
};

const propagationOf = (mode: string | undefined): 'private' | 'slave' | 'shared' => {
  switch (mode) {
    case 'HostToContainer':
      return 'slave';
    case 'Bidirectional':
      return 'shared';
    default:
      return 'private';
  }
};
