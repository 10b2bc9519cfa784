import { mkdirSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';

import { Channel } from '../../lib/async/channel';
import { Semaphore } from '../../lib/async/semaphore';
import { systemClock, type Clock } from '../../lib/clock';
import { silentLog, type Log } from '../../lib/log';
import { probeCgroups, type CgroupDriver } from '../cgroups';
import {
  RuntimeError,
  type CgroupResources,
  type ContainerRuntime,
  type ContainerSpec,
  type ContainerState,
  type ContainerStats,
  type ExecProcess,
  type ExecSpec,
  type RuntimeEvent,
  type Sandbox,
  type SandboxSpec,
  type SecuritySpec,
  type SeccompSpec,
} from '../container-runtime';
import { seccompFilter } from '../seccomp';
import { capabilityMask, capabilityNames, hostCapabilityMask } from './capabilities';
import { encodeFrame, FrameType } from './frames';
import { hostDevices } from './host-devices';
import { containerPlan, execPlan } from './launch-plan';
import { LauncherClient } from './launcher-client';
import { MonitoredContainer, type MonitoredContainerDeps } from './monitored-container';
import { MonitoredProcess } from './process-stream';
import { exitRecord, RunFiles, type ContainerRecord, type ExitRecord } from './records';
import { pinsOf, Sandboxes } from './sandboxes';

export interface ContainerRuntimeOptions {
  /** Sockets, records, pinned namespaces: best on tmpfs. At most 80 bytes long. */
  readonly runDir: string;
  /** Writable layers of containers. */
  readonly stateDir: string;
  /** Parent of all cgroups, relative to the cgroup root: `dhow/lab/node-1`. */
  readonly cgroupParent: string;
  readonly launcherPath: string;
  readonly seccompFilter?: (
    spec: SeccompSpec,
    capabilities: readonly string[],
  ) => Uint8Array | undefined;
  /** A log file is rotated at this size. Default 10 MiB. */
  readonly logMaxBytes?: number;
  /** Files kept per log: `NAME`, `NAME.1`, ... Default 5. */
  readonly logMaxFiles?: number;
  readonly log?: Log;
  readonly clock?: Clock;
}

/** Opens the runtime on its folders and finds again what an earlier process left running. */
export const createContainerRuntime = async (
  options: ContainerRuntimeOptions,
): Promise<ContainerRuntime> => {
  const runtime = new HostContainerRuntime(options);
  await runtime.adopt();
  return runtime;
};

class HostContainerRuntime implements ContainerRuntime {
  private readonly files: RunFiles;
  private readonly clock: Clock;
  private readonly log: Log;
  private readonly cgroups: CgroupDriver = probeCgroups();
  private readonly launcher: LauncherClient;
  private readonly filter: NonNullable<ContainerRuntimeOptions['seccompFilter']>;
  private readonly boxes: Sandboxes;
  private readonly containersById = new Map<string, MonitoredContainer>();
  private readonly listeners = new Set<Channel<RuntimeEvent>>();
  private readonly creations = new Semaphore(MAX_CONCURRENT_CREATIONS);
  private readonly hostCapabilities = hostCapabilityMask();

  constructor(private readonly options: ContainerRuntimeOptions) {
    if (Buffer.byteLength(options.runDir) > MAX_RUN_DIR_BYTES) {
      throw new RuntimeError('open', `run folder "${options.runDir}" has too long a path`);
    }
    if (!/^[\w.-]+(\/[\w.-]+)*$/.test(options.cgroupParent) || /\.\./.test(options.cgroupParent)) {
      throw new RuntimeError('open', `cgroup parent "${options.cgroupParent}" is not a path`);
    }
    this.clock = options.clock ?? systemClock;
    this.log = options.log ?? silentLog;
    this.filter = options.seccompFilter ?? seccompFilter;
    this.files = new RunFiles(options.runDir, options.stateDir);
    this.launcher = new LauncherClient({
      runDir: options.runDir,
      launcherPath: options.launcherPath,
      clock: this.clock,
      log: this.log,
    });
    this.boxes = new Sandboxes({
      files: this.files,
      cgroups: this.cgroups,
      cgroupParent: options.cgroupParent,
      launcher: this.launcher,
      clock: this.clock,
    });
  }

  /** What exists on disk becomes known again; what was half made goes. */
  async adopt(): Promise<void> {
    await this.files.forgetEarlierBoot();
    await this.boxes.adopt();
    await Promise.all(this.files.containerIds().map((id) => this.adoptContainer(id)));
    await this.files.removeStrayLayers();
  }

  async createSandbox(spec: SandboxSpec): Promise<Sandbox> {
    checkId(spec.id);
    return this.boxes.create(spec);
  }

  async removeSandbox(id: string): Promise<void> {
    const inside = this.containers(id);
    await Promise.all(inside.map((container) => this.removeContainer(container.id)));
    await this.boxes.remove(id);
  }

  createContainer(spec: ContainerSpec): Promise<ContainerState> {
    checkId(spec.id);
    const sandbox = this.boxes.get(spec.sandboxId);
    if (sandbox === undefined) {
      const message = `sandbox "${spec.sandboxId}" does not exist`;
      return Promise.reject(new RuntimeError('create', message));
    }
    if (this.containersById.has(spec.id)) {
      const message = `container "${spec.id}" exists already`;
      return Promise.reject(new RuntimeError('create', message));
    }
    const container = this.monitored({ spec, createdAtMs: this.clock.now() });
    this.containersById.set(spec.id, container);
    return this.creations.use(() => this.make(container, sandbox.spec));
  }

  async startContainer(id: string): Promise<ContainerState> {
    const container = this.need(id);
    await container.start();
    this.launcher.prepare();
    return container.state();
  }

  async kill(
    id: string,
    signalNumber: number,
    options?: { readonly all?: boolean },
  ): Promise<void> {
    const container = this.need(id);
    if (options?.all !== true) return container.kill(signalNumber);
    const path = this.cgroupOfContainer(container.record.spec);
    if (signalNumber === SIGKILL) return this.cgroups.killAll(path);
    for (const pid of this.cgroups.processes(path)) sendSignal(pid, signalNumber);
  }

  async removeContainer(id: string): Promise<void> {
    const container = this.containersById.get(id);
    if (container === undefined) return;
    const path = this.cgroupOfContainer(container.record.spec);
    if (!container.hasExited) {
      await container.waitUntilMade();
      await container.kill(SIGKILL);
      // A blocked or frozen process, or one made meanwhile, ends by the cgroup.
      await this.cgroups.killAll(path);
      await container.waitForExit();
    }
    await this.discard(id, path);
    container.release();
    this.containersById.delete(id);
  }

  async exec(id: string, exec: ExecSpec, signal?: AbortSignal): Promise<ExecProcess> {
    const { spec } = this.needRunning(id, 'exec').record;
    const plan = execPlan({ container: spec, exec, ...this.securityOf(spec.security) });
    const request = encodeFrame(FrameType.exec, plan);
    return MonitoredProcess.open(this.files.socketPath(id), request, signal);
  }

  async attach(id: string, signal?: AbortSignal): Promise<ExecProcess> {
    this.needRunning(id, 'attach');
    const request = encodeFrame(FrameType.attach);
    return MonitoredProcess.open(this.files.socketPath(id), request, signal);
  }

  updateResources(id: string, resources: CgroupResources): Promise<void> {
    this.cgroups.apply(this.cgroupOfContainer(this.need(id).record.spec), resources);
    return Promise.resolve();
  }

  stats(id: string): Promise<ContainerStats> {
    const { spec } = this.need(id).record;
    return Promise.resolve(this.cgroups.stats(this.cgroupOfContainer(spec)));
  }

  sandboxes(): readonly Sandbox[] {
    return this.boxes.all();
  }

  containers(sandboxId?: string): readonly ContainerState[] {
    return [...this.containersById.values()]
      .filter(({ record }) => sandboxId === undefined || record.spec.sandboxId === sandboxId)
      .map((container) => container.state());
  }

  container(id: string): ContainerState | undefined {
    return this.containersById.get(id)?.state();
  }

  events(signal: AbortSignal): AsyncIterable<RuntimeEvent> {
    const channel = new Channel<RuntimeEvent>(MAX_QUEUED_EVENTS);
    this.listeners.add(channel);
    signal.addEventListener('abort', () => {
      this.listeners.delete(channel);
      channel.end();
    });
    return channel;
  }

  /** Lets go of everything; containers run on. */
  [Symbol.asyncDispose](): Promise<void> {
    for (const container of this.containersById.values()) container.release();
    for (const listener of this.listeners) listener.end();
    this.listeners.clear();
    this.launcher[Symbol.dispose]();
    return Promise.resolve();
  }

  private async make(container: MonitoredContainer, sandbox: SandboxSpec): Promise<ContainerState> {
    const { spec } = container.record;
    const path = this.cgroupOfContainer(spec);
    try {
      const plan = this.plan(spec, sandbox);
      this.files.makeContainer(container.record);
      mkdirSync(dirname(spec.logPath), { recursive: true, mode: 0o755 });
      // A cgroup of this name may be left from a crash: never join one with old processes.
      await this.cgroups.killAll(path);
      this.cgroups.create(path);
      this.cgroups.apply(path, spec.resources);
      this.cgroups.restrictDevices(path, spec.security.privileged);
      this.cgroups.setOomGroup(path);
      await container.create(this.launcher, plan);
    } catch (error) {
      container.release();
      await this.discard(spec.id, path);
      this.containersById.delete(spec.id);
      throw error;
    }
    return container.state();
  }

  private plan(spec: ContainerSpec, sandbox: SandboxSpec): Buffer {
    const sandboxDir = this.files.sandboxDir(spec.sandboxId);
    const layerDir = this.files.layerDir(spec.id);
    const path = this.cgroupOfContainer(spec);
    return containerPlan({
      spec,
      runDir: this.files.containerDir(spec.id),
      socketPath: this.files.socketPath(spec.id),
      upperDir: join(layerDir, 'upper'),
      workDir: join(layerDir, 'work'),
      rootfsDir: this.files.mountPoint,
      shmDir: sandbox.hostIpc ? '/dev/shm' : join(sandboxDir, 'shm'),
      cgroup: {
        joinFiles: this.cgroups.joinFiles(path),
        killDir: this.cgroups.killDir(path),
        oomDir: this.cgroups.oomDir(path),
        mounts: this.cgroups.mounts(),
      },
      namespaces: pinsOf(sandbox, sandboxDir),
      ...this.securityOf(spec.security),
      devices: spec.security.privileged ? hostDevices() : [],
      logMaxBytes: this.options.logMaxBytes ?? 10 << 20,
      logMaxFiles: this.options.logMaxFiles ?? 5,
    });
  }

  private securityOf(security: SecuritySpec) {
    if (security.privileged) return { capabilities: this.hostCapabilities, seccomp: undefined };
    let capabilities = capabilityMask(security.capabilities) & this.hostCapabilities;
    // v1 denies devices by their number. On v2 nobody may make one; all mounts but /dev are nodev.
    if (this.cgroups.version === 2) capabilities &= ~capabilityMask(['MKNOD']);
    return {
      capabilities,
      seccomp: this.filter(security.seccomp, capabilityNames(capabilities)),
    };
  }

  /** Removes what a container leaves: processes first, then cgroup and files. */
  private async discard(id: string, path: string): Promise<void> {
    await this.cgroups.remove(path);
    await this.files.removeContainer(id);
  }

  private async adoptContainer(id: string): Promise<void> {
    const record = this.files.readContainer(id);
    if (record === undefined) {
      // Made by half: no process can be there yet, since the record comes first.
      await this.files.removeContainer(id);
      return;
    }
    const container = this.monitored(record);
    this.containersById.set(id, container);
    await container.adopt();
  }

  private async endOrphan(record: ContainerRecord): Promise<ExitRecord> {
    const { spec } = record;
    const path = this.cgroupOfContainer(spec);
    const oomKilled = this.cgroups.oomKillCount(path) > 0;
    await this.cgroups.killAll(path);
    rmSync(this.files.socketPath(spec.id), { force: true });
    const raw = {
      exitCode: 137,
      signalNumber: SIGKILL,
      oomKilled,
      startedAtMs: record.createdAtMs,
      finishedAtMs: this.clock.now(),
      startError: '',
    };
    this.files.writeExit(spec.id, raw);
    return exitRecord(raw);
  }

  private monitored(record: ContainerRecord): MonitoredContainer {
    const deps: MonitoredContainerDeps = {
      files: this.files,
      log: this.log,
      publish: (event) => {
        for (const listener of this.listeners) listener.push(event);
      },
      endOrphan: (orphan) => this.endOrphan(orphan),
    };
    return new MonitoredContainer(record, deps);
  }

  private need(id: string): MonitoredContainer {
    const container = this.containersById.get(id);
    if (container === undefined) throw new RuntimeError('find', `container "${id}" does not exist`);
    return container;
  }

  private needRunning(id: string, step: string): MonitoredContainer {
    const container = this.need(id);
    if (container.state().status !== 'running') {
      throw new RuntimeError(step, `container "${id}" is not running`);
    }
    return container;
  }

  private cgroupOfContainer(spec: ContainerSpec): string {
    return join(this.boxes.cgroupOf(spec.sandboxId), spec.id);
  }
}

const checkId = (id: string): void => {
  if (!/^[a-z0-9-]{1,63}$/.test(id)) throw new RuntimeError('create', `"${id}" is not a valid id`);
};

const sendSignal = (pid: number, signalNumber: number): void => {
  try {
    process.kill(pid, signalNumber);
  } catch {
    // Ended meanwhile.
  }
};

const SIGKILL = 9;
const MAX_RUN_DIR_BYTES = 80;
const MAX_QUEUED_EVENTS = 4096;
/** More at once only wait for the same cores, and make the slowest much slower. */
const MAX_CONCURRENT_CREATIONS = 8;
