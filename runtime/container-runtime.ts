/**
 * Containers on one host. Knows nothing of clusters. A sandbox is a set of pinned namespaces (net,
 * ipc, uts) that the containers of one pod share; it needs no process of its own. Containers outlive
 * the process that made them: a runtime opened on the same folders finds them again.
 *
 * Every method is idempotent where it says so; `RuntimeError` carries the step that failed.
 */
export interface ContainerRuntime extends AsyncDisposable {
  /** Idempotent by `id`. */
  createSandbox(spec: SandboxSpec, signal?: AbortSignal): Promise<Sandbox>;
  /** Limits all sandboxes of a group together, or with `''` those of all groups. Idempotent. */
  limitGroup(group: SandboxGroup, resources: CgroupResources): void;
  /** Applies new limits to all containers of a sandbox together. What is absent stays. Idempotent. */
  updateSandbox(id: string, resources: CgroupResources): Promise<void>;
  /** Kills what is left in it, then unpins. Idempotent. */
  removeSandbox(id: string, signal?: AbortSignal): Promise<void>;

  /** Prepares everything up to execve: cgroup, mounts, namespaces. */
  createContainer(spec: ContainerSpec, signal?: AbortSignal): Promise<ContainerState>;
  startContainer(id: string, signal?: AbortSignal): Promise<ContainerState>;
  /** Sends `signalNumber` to the main process, or to every process with `all`. A no-op once exited. */
  kill(id: string, signalNumber: number, options?: { readonly all?: boolean }): Promise<void>;
  /** Kills what is left, then removes cgroup, mounts, snapshot and run files. Keeps the log. Idempotent. */
  removeContainer(id: string, signal?: AbortSignal): Promise<void>;

  /** A further process in a running container. */
  exec(id: string, process: ExecSpec, signal?: AbortSignal): Promise<ExecProcess>;
  /**
   * Bytes in and out of the main process, from now on. With `endsStdin` the process's standard input
   * ends with this client, however the client ends.
   */
  attach(id: string, options: AttachOptions, signal?: AbortSignal): Promise<ExecProcess>;

  /** Applies new limits to a running container. What is absent stays. Idempotent. */
  updateResources(id: string, resources: CgroupResources): Promise<void>;
  stats(id: string): Promise<ContainerStats>;
  /** Of all containers of a sandbox, those that have ended too; without an id, of all sandboxes together. */
  sandboxStats(id?: string): Promise<ContainerStats>;
  /** Of all that runs on this host, with what is no container's. */
  hostStats(): Promise<ContainerStats>;
  /** The folder on this host with what a container has written to its root; it need not be there. */
  writableLayer(id: string): string;

  /** All that exists now, including what an earlier process made. */
  sandboxes(): readonly Sandbox[];
  /** Of one sandbox when its id is given. */
  containers(sandboxId?: string): readonly ContainerState[];
  container(id: string): ContainerState | undefined;
  /** What makes containers here: the default first, then those that were found to work. */
  handlers(): readonly HandlerInfo[];
  /** Those that were asked for, or are installed, and cannot be used, with why. */
  missingHandlers(): readonly MissingHandler[];
  /** Exits and out-of-memory kills, from now on, until `signal` aborts. */
  events(signal: AbortSignal): AsyncIterable<RuntimeEvent>;
}

/** What makes the containers of a sandbox. */
export interface HandlerInfo {
  /** As RuntimeClasses name it: a DNS label. */
  readonly name: string;
  readonly version: string;
  /** Of another runtime's program; `''`: Dhow's own. */
  readonly path: string;
  readonly features: HandlerFeatures;
}

export interface MissingHandler {
  readonly name: string;
  readonly reason: string;
}

/** What not every handler has. Whoever asks for it all the same is refused, with its name. */
export interface HandlerFeatures {
  readonly recursiveReadOnlyMounts: boolean;
  readonly userNamespaces: boolean;
  /** Containers that see each other's processes. */
  readonly sharedProcesses: boolean;
  readonly hostPid: boolean;
  readonly hostIpc: boolean;
  readonly privileged: boolean;
  /** Devices of the host, below `/dev`. */
  readonly devices: boolean;
  /** Block devices with data of their own, anywhere. */
  readonly blockVolumes: boolean;
  /** Mounts made inside reach the host. */
  readonly bidirectionalMounts: boolean;
  /** A seccomp profile of one's own holds for the container's processes. */
  readonly localhostSeccomp: boolean;
  readonly sysctls: boolean;
  /** A further process can have a terminal. */
  readonly execTerminals: boolean;
}

/** Sandboxes that share a cgroup; `''`: they are in no group, beside all others. */
export type SandboxGroup = '' | 'burstable' | 'besteffort';
export const SANDBOX_GROUPS: readonly SandboxGroup[] = ['', 'burstable', 'besteffort'];

export interface SandboxSpec {
  /** `[a-z0-9-]{1,63}`, unique on the host within the runtime's state folder. */
  readonly id: string;
  readonly hostname: string;
  /** Free for the caller; comes back from `sandboxes()`. */
  readonly labels: Readonly<Record<string, string>>;
  readonly hostNetwork: boolean;
  readonly hostIpc: boolean;
  readonly sysctls: Readonly<Record<string, string>>;
  /** What makes its containers, by name. Default: Dhow's own. */
  readonly handler?: string;
  /** Its containers see each other's processes, none of which is the first. Default: they do not. */
  readonly sharesProcesses?: boolean;
  /** Limits of the cgroup that holds the sandbox's containers. */
  readonly cgroup: CgroupResources;
  /** Default: none. */
  readonly group?: SandboxGroup;
}

export interface Sandbox {
  readonly id: string;
  readonly labels: Readonly<Record<string, string>>;
  /** Bind mount of the network namespace; undefined with hostNetwork. */
  readonly netnsPath: string | undefined;
  readonly createdAtMs: number;
}

export interface ContainerSpec {
  /** `[a-z0-9-]{1,63}` */
  readonly id: string;
  readonly sandboxId: string;
  readonly labels: Readonly<Record<string, string>>;
  /** Overlay lower folders, topmost first; the runtime adds upper and work folders. */
  readonly rootfs: { readonly lowerDirs: readonly string[]; readonly isReadOnly: boolean };
  readonly process: ProcessSpec;
  /** Targets inside the container, made by depth and among equals in order. The defaults (/proc, /dev,
   * /sys, ...) come first. */
  readonly mounts: readonly MountSpec[];
  readonly resources: CgroupResources;
  /** Besides the usual ones. Default: none. */
  readonly devices?: readonly DeviceSpec[];
  readonly security: SecuritySpec;
  /** CRI-format log; the file stays after the container is removed. */
  readonly logPath: string;
  /** Keep stdin open for `attach`. */
  readonly stdin: boolean;
  readonly tty: boolean;
  readonly hostPid: boolean;
  /**
   * A running container of the same sandbox whose processes this one sees, and is seen by: it ends with
   * that one. Default: none.
   */
  readonly processesOf?: string;
}

export interface ProcessSpec {
  /** At least one; argv[0] is looked up in PATH of `env` inside the container. */
  readonly args: readonly string[];
  /** `NAME=value` */
  readonly env: readonly string[];
  /** Absolute; made if missing, owned by the user. */
  readonly cwd: string;
  readonly user: UserSpec;
}

export interface UserSpec {
  readonly uid: number;
  readonly gid: number;
  readonly supplementalGids: readonly number[];
}

export type MountSpec =
  | {
      readonly type: 'bind';
      /** On the host; a file or a folder that exists. */
      readonly source: string;
      readonly target: string;
      readonly isReadOnly: boolean;
      /** Resolved beneath `source` without leaving it; made as a folder if missing. */
      readonly subPath?: string;
      readonly propagation?: 'private' | 'slave' | 'shared';
    }
  | {
      readonly type: 'tmpfs';
      readonly target: string;
      readonly sizeBytes?: number;
      /** Default 0o1777. */
      readonly mode?: number;
    };

/** A device of the host that a container may use. */
export interface DeviceSpec {
  /** A device node of the host; links are followed. */
  readonly hostPath: string;
  /** Of the node in the container, below `/dev`; of a `volume`, anywhere. */
  readonly path: string;
  /**
   * Of `r`, `w` and `m` (make nodes of it). Cgroup v2 has no such limit: there the mode of the node
   * decides, and a `volume` must not be limited.
   */
  readonly access: string;
  /** A block device, and nothing else, that holds data of its own. Default: no. */
  readonly isVolume?: boolean;
  /** Permission bits, and who has it; default: as on the host, and root (of a `volume`, as on the host). */
  readonly fileMode?: number;
  readonly uid?: number;
  readonly gid?: number;
}

/** Limits of one cgroup; what is absent is not limited. */
export interface CgroupResources {
  /** Relative weight in cgroup v1 units (2..262144; 1024 per core). */
  readonly cpuShares?: number;
  readonly cpuQuotaMicros?: number;
  readonly cpuPeriodMicros?: number;
  readonly memoryLimitBytes?: number;
  readonly pidsLimit?: number;
  /** Bytes of huge pages by the size of one; none of a size that is not named. Default: no limit here. */
  readonly hugePageBytes?: Readonly<Record<number, number>>;
  readonly oomScoreAdj?: number;
  /** The processors that it may run on, as the kernel lists them: `0-2,7`. Default: those of its parent. */
  readonly cpus?: string;
}

export interface SecuritySpec {
  /** Everything allowed: all capabilities of the host, no masking, no seccomp, all devices. */
  readonly privileged: boolean;
  /** `CAP_`-less upper-case names: what the process may have (bounding, permitted, effective). */
  readonly capabilities: readonly string[];
  readonly noNewPrivileges: boolean;
  readonly seccomp: SeccompSpec;
  /** `Unmasked` shows all of /proc. */
  readonly procMount: 'Default' | 'Unmasked';
}

export type SeccompSpec =
  | { readonly type: 'default' }
  | { readonly type: 'unconfined' }
  /** An OCI/Docker JSON profile, parsed. */
  | { readonly type: 'profile'; readonly profile: unknown };

/**
 *  created ──start──► running ──exit──► exited ──remove──► (gone)
 *     └───────────────kill──────────────►┘
 */
export type ContainerState = {
  readonly id: string;
  readonly sandboxId: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly createdAtMs: number;
} & (
  | { readonly status: 'created' }
  | { readonly status: 'running'; readonly pid: number; readonly startedAtMs: number }
  | {
      readonly status: 'exited';
      readonly startedAtMs: number | undefined;
      readonly exit: ContainerExit;
    }
);

export interface ContainerExit {
  /** 0..255; 128 + signal when killed by one. */
  readonly exitCode: number;
  /** Set when the main process died of a signal. */
  readonly signalNumber?: number;
  /** The kernel killed a process of this container for want of memory, from the cgroup's own counter. */
  readonly oomKilled: boolean;
  readonly finishedAtMs: number;
  /** Set when the command could not be run at all: the failed step and errno, in words. */
  readonly startError?: string;
}

export interface ExecSpec {
  readonly args: readonly string[];
  /** Added to the container's own. */
  readonly env: readonly string[];
  readonly cwd?: string;
  readonly user?: UserSpec;
  readonly tty: boolean;
  /** The terminal's size before the process first runs. */
  readonly terminalSize?: { readonly columns: number; readonly rows: number };
  readonly stdin: boolean;
  /** Kill the whole process group after this long. */
  readonly timeoutMs?: number;
}

export interface AttachOptions {
  readonly endsStdin: boolean;
}

export type ProcessOutput =
  | { readonly stream: 'stdout' | 'stderr'; readonly data: Uint8Array }
  | { readonly stream: 'exit'; readonly exitCode: number; readonly timedOut: boolean };

/** A process with its streams. Disposing detaches; an exec's process is killed, a main process is not. */
export interface ExecProcess extends AsyncDisposable {
  readonly output: AsyncIterable<ProcessOutput>;
  /** Resolves when more can be taken. */
  writeStdin(data: Uint8Array): Promise<void>;
  closeStdin(): void;
  resize(columns: number, rows: number): void;
}

export interface ContainerStats {
  /** Processor time of all cores together, since the cgroup was made. */
  readonly cpuNanos: number;
  readonly memoryBytes: number;
  /** Without what the kernel can drop at once: file pages not used of late. As the kubelet reckons. */
  readonly memoryWorkingSetBytes: number;
  /** What processes have for themselves, without pages of files. */
  readonly memoryRssBytes: number;
  readonly pidsCount: number;
}

export type RuntimeEvent =
  | { readonly type: 'exit'; readonly containerId: string; readonly exit: ContainerExit }
  | { readonly type: 'oom'; readonly containerId: string };

/** A step of the runtime failed. `step` names it (`mount`, `cgroup`, `seccomp`, `exec`, ...). */
export class RuntimeError extends Error {
  constructor(
    readonly step: string,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
    this.name = 'RuntimeError';
  }
}
