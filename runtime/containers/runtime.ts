import { mkdirSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';

import { onAbort } from '../../lib/async/on-abort';
import { Channel } from '../../lib/async/channel';
import { DeadlineExceededError } from '../../lib/async/deadline';
import { Semaphore } from '../../lib/async/semaphore';
import { SingleFlight } from '../../lib/async/single-flight';
import { systemClock, type Clock } from '../../lib/clock';
import { silentLog, type Log } from '../../lib/log';
import { probeCgroups, type CgroupDriver } from '../cgroups';
import { killProcess } from '../cgroups/files';
import {
  RuntimeError,
  type AttachOptions,
  type CgroupResources,
  type ContainerRuntime,
  type ContainerSpec,
  type ContainerState,
  type ContainerStats,
  type ExecProcess,
  type ExecSpec,
  type HandlerInfo,
  type MissingHandler,
  type RuntimeEvent,
  type Sandbox,
  type SandboxGroup,
  type SandboxSpec,
  type SeccompSpec,
} from '../container-runtime';
import { seccompFilter } from '../seccomp';
import { encodeFrame, encodeNumbers, FrameType } from './frames';
import { ContainerTable } from './container-table';
import { Handlers, type HandlerConfig } from './handlers';
import { checkFeatures, type PlannedContainer } from './handlers/handler';
import { checkReadOnly } from './host-devices';
import { LauncherClient } from './launcher-client';
import { DEFAULT_LIMITS, type RuntimeLimits } from './limits';
import { listenerAt } from './monitor-process';
import { MonitoredContainer, type MonitoredContainerDeps } from './monitored-container';
import { MonitoredProcess } from './process-stream';
import { RunFiles, type ContainerRecord, type ExitRecord } from './records';
import { holderIdOf, holderRoot, holderSpec, isHolder } from './holder';
import { Sandboxes } from './sandboxes';

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
  /** Of Dhow. Default: not told. */
  readonly version?: string;
  /** Other runtimes that may make containers. Default: none. */
  readonly handlers?: readonly HandlerConfig[];
  readonly log?: Log;
  readonly clock?: Clock;
  /** Where they differ from the defaults: for tests that need not wait. */
  readonly limits?: Partial<RuntimeLimits>;
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
  private readonly handlersByName: Handlers;
  private readonly boxes: Sandboxes;
  private readonly table = new ContainerTable();
  private readonly listeners = new Set<Channel<RuntimeEvent>>();
  private readonly limits: RuntimeLimits;
  private readonly creations: Semaphore;
  /** Container id → its creation under way. */
  private readonly making = new Map<string, Promise<unknown>>();
  private readonly removals = new SingleFlight<string, void>();
  private readonly holders = new SingleFlight<string, string>();

  constructor(private readonly options: ContainerRuntimeOptions) {
    if (Buffer.byteLength(options.runDir) > MAX_RUN_DIR_BYTES) {
      throw new RuntimeError('open', `run folder "${options.runDir}" has too long a path`);
    }
    if (!/^[\w.-]+(\/[\w.-]+)*$/.test(options.cgroupParent) || /\.\./.test(options.cgroupParent)) {
      throw new RuntimeError('open', `cgroup parent "${options.cgroupParent}" is not a path`);
    }
    this.clock = options.clock ?? systemClock;
    this.log = options.log ?? silentLog;
    this.limits = { ...DEFAULT_LIMITS, ...options.limits };
    const holding = { holdMaxMs: this.limits.holdMs, clock: this.clock };
    this.creations = new Semaphore(MAX_CONCURRENT_CREATIONS, holding);
    this.files = new RunFiles(options.runDir, options.stateDir);
    this.handlersByName = new Handlers({
      files: this.files,
      cgroups: this.cgroups,
      filter: options.seccompFilter ?? seccompFilter,
      version: options.version ?? '',
      logMaxBytes: options.logMaxBytes ?? 10 << 20,
      logMaxFiles: options.logMaxFiles ?? 5,
      log: this.log,
      cgroupParent: options.cgroupParent,
      launcherPath: options.launcherPath,
    });
    this.launcher = new LauncherClient({
      runDir: options.runDir,
      launcherPath: options.launcherPath,
      clock: this.clock,
      log: this.log,
      limits: this.limits,
    });
    this.boxes = new Sandboxes({
      files: this.files,
      cgroups: this.cgroups,
      cgroupParent: options.cgroupParent,
      launcher: this.launcher,
      clock: this.clock,
      log: this.log,
    });
  }

  /** What exists on disk becomes known again; what was half made goes. Each stands alone. */
  async adopt(): Promise<void> {
    await this.files.forgetEarlierBoot();
    const { handlers = [] } = this.options;
    await Promise.all([this.launcher.replaceIfStale(), this.handlersByName.open(handlers)]);
    await this.boxes.adopt();
    await Promise.all(this.files.containerIds().map((id) => this.adoptSafely(id)));
    await this.files.removeStrayLayers();
  }

  async createSandbox(spec: SandboxSpec, signal?: AbortSignal): Promise<Sandbox> {
    checkId(spec.id);
    this.handlersByName.of(spec);
    return this.boxes.create(spec, signal);
  }

  async removeSandbox(id: string): Promise<void> {
    const inside = this.containers(id);
    await Promise.all(inside.map((container) => this.removeContainer(container.id)));
    await this.removeContainer(holderIdOf(id));
    await this.boxes.remove(id);
  }

  async createContainer(spec: ContainerSpec, signal?: AbortSignal): Promise<ContainerState> {
    checkId(spec.id);
    const sandbox = this.boxes.get(spec.sandboxId)?.spec;
    if (sandbox === undefined)
      throw new RuntimeError('create', `sandbox "${spec.sandboxId}" does not exist`);
    checkFeatures(this.handlersByName.of(sandbox).info, spec, sandbox);
    const { sharesProcesses = false } = sandbox;
    if (!sharesProcesses || spec.hostPid || spec.processesOf !== undefined)
      return await this.begin(spec, sandbox, signal);
    return await this.createSharing(spec, sandbox, signal);
  }

  private async createSharing(
    spec: ContainerSpec,
    sandbox: SandboxSpec,
    signal?: AbortSignal,
  ): Promise<ContainerState> {
    const processesOf = await this.holders.run(sandbox.id, () => this.ensureHolder(sandbox));
    signal?.throwIfAborted();
    return await this.begin({ ...spec, processesOf }, sandbox, signal);
  }

  /** Its id, once it runs. */
  private async ensureHolder(sandbox: SandboxSpec): Promise<string> {
    const id = holderIdOf(sandbox.id);
    if (this.table.get(id)?.state().status === 'running') return id;
    await this.removeContainer(id);
    const rootDir = holderRoot(this.options.stateDir, this.options.launcherPath);
    const logPath = join(this.files.containerDir(id), 'log');
    await this.begin(holderSpec(sandbox.id, { rootDir, logPath }), sandbox);
    const state = await this.startContainer(id);
    if (state.status === 'running') return id;
    throw new RuntimeError('start', 'the first of the shared processes has ended');
  }

  private begin(
    spec: ContainerSpec,
    sandbox: SandboxSpec,
    signal?: AbortSignal,
  ): Promise<ContainerState> {
    if (this.table.has(spec.id)) {
      const message = `container "${spec.id}" exists already`;
      return Promise.reject(new RuntimeError('create', message));
    }
    const container = this.monitored({ spec, createdAtMs: this.clock.now() });
    this.table.put(container);
    const made = this.make(container, sandbox, signal).finally(() => this.making.delete(spec.id));
    this.making.set(spec.id, made);
    return made;
  }

  async startContainer(id: string, signal?: AbortSignal): Promise<ContainerState> {
    const container = this.need(id);
    try {
      await container.start(signal);
    } catch (error) {
      if (error instanceof DeadlineExceededError) await this.end(container);
      throw error;
    }
    this.launcher.prepare();
    return container.state();
  }

  async kill(
    id: string,
    signalNumber: number,
    options?: { readonly all?: boolean },
  ): Promise<void> {
    const container = this.need(id);
    const all = options?.all === true;
    if (signalNumber === SIGKILL && all) return this.end(container);
    const { signal } = this.handlerOf(container.record.spec);
    if (signalNumber !== SIGKILL && signal !== undefined) {
      if (container.state().status === 'running') await signal(id, signalNumber, all);
      return;
    }
    if (!all) {
      container.kill(signalNumber);
      return;
    }
    const path = this.cgroupOfContainer(container.record.spec);
    for (const pid of this.cgroups.processes(path)) sendSignal(pid, signalNumber);
  }

  removeContainer(id: string): Promise<void> {
    return this.removals.run(id, async () => {
      const container = this.table.get(id);
      if (container === undefined) return;
      container.cancelCreation();
      await Promise.allSettled([this.making.get(id)]);
      // What could not be made has gone already.
      if (!this.table.has(id)) return;
      await this.end(container);
      await this.discard(container.record.spec);
      container.release();
      this.table.delete(id);
    });
  }

  async exec(id: string, exec: ExecSpec, signal?: AbortSignal): Promise<ExecProcess> {
    const { spec } = this.needRunning(id, 'exec').record;
    const { plan, release } = this.handlerOf(spec).exec(this.planned(spec), exec);
    const request = encodeFrame(FrameType.exec, plan);
    const { clock } = this;
    const what = `the command in container "${id}"`;
    const end = exec.timeoutMs === undefined ? undefined : exec.timeoutMs + this.limits.execMs;
    try {
      return await MonitoredProcess.open(this.files.socketPath(id), request, {
        start: { what: `the start of ${what}`, limitMs: this.limits.execMs, clock, signal },
        ...(end === undefined ? {} : { end: { what, limitMs: end, clock } }),
      });
    } finally {
      release();
    }
  }

  async attach(
    id: string,
    { endsStdin }: AttachOptions,
    signal?: AbortSignal,
  ): Promise<ExecProcess> {
    this.needRunning(id, 'attach');
    const request = encodeNumbers(FrameType.attach, endsStdin ? 1 : 0);
    const what = `attaching to container "${id}"`;
    const start = { what, limitMs: this.limits.execMs, clock: this.clock, signal };
    return MonitoredProcess.open(this.files.socketPath(id), request, { start });
  }

  updateResources(id: string, resources: CgroupResources): Promise<void> {
    this.cgroups.apply(this.cgroupOfContainer(this.need(id).record.spec), resources);
    return Promise.resolve();
  }

  updateSandbox(id: string, resources: CgroupResources): Promise<void> {
    this.cgroups.apply(this.boxes.cgroupOf(id), resources);
    return Promise.resolve();
  }

  stats(id: string): Promise<ContainerStats> {
    const { spec } = this.need(id).record;
    return Promise.resolve(this.cgroups.stats(this.cgroupOfContainer(spec)));
  }

  limitGroup(group: SandboxGroup, resources: CgroupResources): void {
    this.boxes.limitGroup(group, resources);
  }

  sandboxStats(id?: string): Promise<ContainerStats> {
    const path = id === undefined ? this.boxes.root : this.boxes.cgroupOf(id);
    return Promise.resolve(this.cgroups.stats(path));
  }

  hostStats(): Promise<ContainerStats> {
    return Promise.resolve(this.cgroups.stats(''));
  }

  writableLayer(id: string): string {
    return join(this.files.layerDir(id), 'upper');
  }

  sandboxes(): readonly Sandbox[] {
    return this.boxes.all();
  }

  handlers(): readonly HandlerInfo[] {
    return this.handlersByName.infos();
  }

  missingHandlers(): readonly MissingHandler[] {
    return this.handlersByName.missing();
  }

  containers(sandboxId?: string): readonly ContainerState[] {
    return [...(sandboxId === undefined ? this.table.all() : this.table.in(sandboxId))]
      .filter(({ record }) => !isHolder(record.spec))
      .map((container) => container.state());
  }

  container(id: string): ContainerState | undefined {
    return this.table.get(id)?.state();
  }

  events(signal: AbortSignal): AsyncIterable<RuntimeEvent> {
    const channel = new Channel<RuntimeEvent>(MAX_QUEUED_EVENTS);
    this.listeners.add(channel);
    onAbort(signal, () => {
      this.listeners.delete(channel);
      channel.end();
    });
    return channel;
  }

  /** Lets go of everything; containers run on. */
  [Symbol.asyncDispose](): Promise<void> {
    for (const container of this.table.all()) container.release();
    for (const listener of this.listeners) listener.end();
    this.listeners.clear();
    this.launcher[Symbol.dispose]();
    return Promise.resolve();
  }

  private async make(
    container: MonitoredContainer,
    sandbox: SandboxSpec,
    signal?: AbortSignal,
  ): Promise<ContainerState> {
    try {
      await this.creations.use(() => this.build(container, sandbox, signal), signal);
    } catch (error) {
      const { spec } = container.record;
      container.release();
      await this.discard(spec);
      this.table.delete(spec.id);
      if (error instanceof DeadlineExceededError) await this.launcher.replaceIfDeaf();
      throw error;
    }
    return container.state();
  }

  private async build(
    container: MonitoredContainer,
    sandbox: SandboxSpec,
    signal?: AbortSignal,
  ): Promise<void> {
    const { spec } = container.record;
    const path = this.cgroupOfContainer(spec);
    checkReadOnly(spec, this.cgroups);
    this.files.makeContainer(container.record);
    mkdirSync(dirname(spec.logPath), { recursive: true, mode: 0o755 });
    // A cgroup of this name may be left from a crash: never join one with old processes.
    await this.cgroups.killAll(path);
    this.cgroups.create(path);
    this.cgroups.apply(path, spec.resources);
    this.cgroups.setOomGroup(path);
    const planned = { ...this.planned(spec), processesOf: this.processesOf(spec) };
    const plan = this.handlerOf(spec).prepare(planned);
    await container.create(this.launcher, plan, signal);
  }

  /** @throws RuntimeError when its sandbox's is not there, as after a change of the configuration */
  private handlerOf({ sandboxId }: ContainerSpec) {
    return this.handlersByName.of(this.boxes.get(sandboxId)?.spec ?? {});
  }

  private planned(spec: ContainerSpec): PlannedContainer {
    const sandbox = this.boxes.get(spec.sandboxId)?.spec;
    if (sandbox === undefined)
      throw new RuntimeError('find', `sandbox "${spec.sandboxId}" does not exist`);
    return { spec, sandbox, cgroup: this.cgroupOfContainer(spec) };
  }

  private processesOf({ id: own, processesOf: id, sandboxId }: ContainerSpec) {
    if (id === undefined) return undefined;
    const state = this.table.get(id)?.state();
    if (state?.status !== 'running' || state.sandboxId !== sandboxId)
      throw new RuntimeError('create', `container "${id}" does not run in the same sandbox`);
    // What it is made of could be looked at, and changed, by whoever may trace among these processes.
    for (const { record, hasExited } of this.table.all()) {
      const { id: other, security, processesOf } = record.spec;
      const isAmong = other === id || (processesOf === id && other !== own);
      if (hasExited || !isAmong || security.privileged) continue;
      if (security.capabilities.includes('SYS_PTRACE'))
        throw new RuntimeError(
          'create',
          `among the processes of container "${id}" is one that may trace: another would not be safe from it`,
        );
    }
    return { pid: state.pid, containerId: id };
  }

  /**
   * Ends all its processes and waits until that is known. A monitor that says nothing of it is stuck,
   * and is ended too. @throws RuntimeError when the kernel does not let a process end.
   */
  private async end(container: MonitoredContainer): Promise<void> {
    if (container.hasExited) return;
    const { spec } = container.record;
    const path = this.cgroupOfContainer(spec);
    container.kill(SIGKILL);
    // A blocked or frozen process, or one made meanwhile, ends by the cgroup.
    await this.cgroups.killAll(path);
    try {
      await container.waitForExit();
    } catch {
      const left = this.cgroups.processes(path);
      if (left.length > 0) {
        throw new RuntimeError('kill', `processes do not end: ${left.slice(0, 10).join(', ')}`);
      }
      this.log.error({ container: spec.id }, 'a monitor does not answer: ending it');
      const monitor = listenerAt(this.files.runDir, this.files.socketPath(spec.id));
      if (monitor !== undefined) killProcess(monitor);
      await container.lose();
    }
  }

  /** Removes what a container leaves: processes first, then cgroup and files. */
  private async discard(spec: ContainerSpec): Promise<void> {
    const path = this.cgroupOfContainer(spec);
    const handler = this.handlersByName.get(this.boxes.get(spec.sandboxId)?.spec ?? {});
    await handler?.discard(spec.id, path);
    await this.cgroups.remove(path);
    await this.files.removeContainer(spec.id);
  }

  private async adoptSafely(id: string): Promise<void> {
    try {
      await this.adoptContainer(id);
    } catch (err) {
      this.log.error({ container: id, err }, 'a container cannot be taken over');
    }
  }

  private async adoptContainer(id: string): Promise<void> {
    const record = this.files.readContainer(id);
    if (record === undefined) {
      await this.removeUnknown(id);
      return;
    }
    const container = this.monitored(record);
    this.table.put(container);
    await container.adopt();
  }

  /**
   * Made by half, and then there is no process, since the record comes first; or its record is damaged,
   * and nobody knows any more how to go on with what runs.
   */
  private async removeUnknown(id: string): Promise<void> {
    const monitor = listenerAt(this.files.runDir, this.files.socketPath(id));
    if (monitor !== undefined) {
      this.log.error({ container: id }, 'the record of a container is damaged: ending it');
      killProcess(monitor);
    }
    for (const box of this.files.sandboxIds())
      await this.handlersByName.discard(id, join(this.boxes.cgroupOf(box), id));
    for (const box of this.files.sandboxIds())
      await this.cgroups.remove(join(this.boxes.cgroupOf(box), id));
    await this.files.removeContainer(id);
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
    return this.files.settleExit(spec.id, raw);
  }

  private monitored(record: ContainerRecord): MonitoredContainer {
    const deps: MonitoredContainerDeps = {
      files: this.files,
      clock: this.clock,
      log: this.log,
      limits: this.limits,
      publish: (event) => {
        for (const listener of this.listeners) listener.push(event);
      },
      endOrphan: (orphan) => this.endOrphan(orphan),
    };
    return new MonitoredContainer(record, deps);
  }

  private need(id: string): MonitoredContainer {
    const container = this.table.get(id);
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
