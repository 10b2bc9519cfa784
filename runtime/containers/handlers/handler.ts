import type {
  ContainerSpec,
  ExecSpec,
  HandlerFeatures,
  HandlerInfo,
  SandboxSpec,
} from '../../container-runtime';
import { RuntimeError } from '../../container-runtime';

/**
 * How the containers of a sandbox are made: by Dhow's launcher itself, or by another runtime that it
 * calls. All else is the same for each of them, and no handler's affair: records, the cgroup with its
 * limits and figures, and the monitor, which pumps the log, starts, waits for the end, writes that down
 * and is found again by the next agent.
 */
export interface Handler {
  readonly info: HandlerInfo;
  /**
   * Called once the container's folders and its cgroup are there. What the launcher is told to do, up to
   * where it waits for the start. @throws RuntimeError
   */
  prepare(container: PlannedContainer): Buffer;
  /** What the container's monitor is told. @throws RuntimeError */
  exec(container: PlannedContainer, exec: ExecSpec): PlannedExec;
  /** To the main process, or to all. Undefined: by its monitor, or by its cgroup. */
  readonly signal?: (id: string, signalNumber: number, all: boolean) => Promise<void>;
  /** Removes what only the handler knows of, with what still runs there. Idempotent. */
  discard(id: string, cgroup: string): Promise<void>;
}

export interface PlannedContainer {
  readonly spec: ContainerSpec;
  readonly sandbox: SandboxSpec;
  /** Relative to the cgroup root; made and limited already. */
  readonly cgroup: string;
  /** The container whose process namespace is joined, by its main process. */
  readonly processesOf?: { readonly pid: number; readonly containerId: string } | undefined;
}

export interface PlannedExec {
  readonly plan: Buffer;
  /** Called when the process runs, or could not be started. */
  readonly release: () => void;
}

/** @throws RuntimeError naming the first thing asked for that the handler has not */
export const checkFeatures = (
  { name, features }: Pick<HandlerInfo, 'name' | 'features'>,
  spec: ContainerSpec,
  sandbox: SandboxSpec,
): void => {
  for (const { feature, what, isAsked } of ASKED)
    if (!features[feature] && isAsked(spec, sandbox))
      throw new RuntimeError('handler', `runtime handler "${name}" does not support ${what}`);
};

/** What pods can ask for that not every handler has, in the words of their fields. */
const ASKED: readonly {
  readonly feature: keyof HandlerFeatures;
  readonly what: string;
  readonly isAsked: (spec: ContainerSpec, sandbox: SandboxSpec) => boolean;
}[] = [
  {
    feature: 'sharedProcesses',
    what: 'shareProcessNamespace, or containers that see the processes of another',
    isAsked: (spec, sandbox) => spec.processesOf !== undefined || sandbox.sharesProcesses === true,
  },
  { feature: 'hostPid', what: 'hostPID', isAsked: ({ hostPid }) => hostPid },
  { feature: 'hostIpc', what: 'hostIPC', isAsked: (_, { hostIpc }) => hostIpc },
  {
    feature: 'privileged',
    what: 'privileged containers',
    isAsked: ({ security }) => security.privileged,
  },
  {
    feature: 'devices',
    what: 'devices of the host',
    isAsked: ({ devices = [] }) => devices.length > 0,
  },
  {
    feature: 'blockVolumes',
    what: 'volumeDevices',
    isAsked: ({ devices = [] }) => devices.some(({ isVolume }) => isVolume === true),
  },
  {
    feature: 'bidirectionalMounts',
    what: 'mountPropagation Bidirectional',
    isAsked: ({ mounts }) =>
      mounts.some((mount) => mount.type === 'bind' && mount.propagation === 'shared'),
  },
  {
    feature: 'localhostSeccomp',
    what: 'seccomp profiles of the node',
    isAsked: ({ security }) => security.seccomp.type === 'profile' && !security.privileged,
  },
  {
    feature: 'sysctls',
    what: 'sysctls',
    isAsked: (_, { sysctls }) => Object.keys(sysctls).length > 0,
  },
];
