import { appendFileSync, mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';

import { onAbort } from '../../lib/async/on-abort';
import { Channel } from '../../lib/async/channel';
import { systemClock, type Clock } from '../../lib/clock';
import {
  RuntimeError,
  type AttachOptions,
  type CgroupResources,
  type ContainerExit,
  type ContainerRuntime,
  type ContainerSpec,
  type ContainerState,
  type ContainerStats,
  type ExecProcess,
  type ExecSpec,
  type HandlerInfo,
  type MissingHandler,
  type ProcessOutput,
  type RuntimeEvent,
  type Sandbox,
  type SandboxGroup,
  type SandboxSpec,
} from '../container-runtime';
import { formatLogLine } from './cri-log';
import { DHOW_FEATURES } from './handlers/features';
import { FakeProcess, FakeProcessView } from './fake-process';
import { checkCommand, FakeStartError, shellProgram, type FakeProgram } from './fake-program';

export interface FakeContainerRuntimeOptions {
  readonly clock?: Clock;
  /** What containers and execs run; default: a tiny shell (`shellProgram`). */
  readonly program?: FakeProgram;
  /** Write CRI log files to `spec.logPath`. Default true. */
  readonly writesLogs?: boolean;
  /** Stands for where writable layers lie. Default: nowhere. */
  readonly layersDir?: string;
  /** What a container uses, beside next to nothing. */
  readonly statsOf?: (state: ContainerState) => Partial<ContainerStats>;
  readonly hostStats?: () => Partial<ContainerStats>;
  /** Containers go on after SIGTERM (15) when true. Default false: they exit 143. */
  readonly ignoresSigterm?: (spec: ContainerSpec) => boolean;
  /** Default: one, as the real one has without further ones. */
  readonly handlers?: readonly HandlerInfo[];
  readonly missingHandlers?: readonly MissingHandler[];
}

type HangingMethod =
  | 'createSandbox'
  | 'removeSandbox'
  | 'createContainer'
  | 'startContainer'
  | 'removeContainer'
  | 'kill'
  | 'exec';

interface FakeContainer {
  readonly spec: ContainerSpec;
  readonly createdAtMs: number;
  readonly views: Set<FakeProcessView>;
  startedAtMs: number | undefined;
  process: FakeProcess | undefined;
  exit: ContainerExit | undefined;
  resources: CgroupResources;
  pid: number;
}

type FailingMethod =
  | 'createSandbox'
  | 'updateSandbox'
  | 'createContainer'
  | 'startContainer'
  | 'updateResources'
  | 'exec';

/**
 * The runtime without a kernel, for tests of what stands above it. It keeps the contract of
 * `ContainerRuntime` (the same suite runs against both); processes are async functions.
 */
export class FakeContainerRuntime implements ContainerRuntime {
  /** What the cgroups of sandboxes were given last, by id. */
  readonly sandboxResources = new Map<string, CgroupResources>();
  readonly groups = new Map<SandboxGroup, CgroupResources>();
  /** Every call that changes something, in order: `createContainer web-1`. */
  readonly calls: string[] = [];
  private readonly clock: Clock;
  private readonly sandboxesById = new Map<string, { spec: SandboxSpec; sandbox: Sandbox }>();
  private readonly containersById = new Map<string, FakeContainer>();
  private readonly listeners = new Set<Channel<RuntimeEvent>>();
  private readonly failures = new Map<string, Error[]>();
  private readonly hanging = new Map<string, (sandboxId: string) => boolean>();
  private nextPid = 1000;

  constructor(private readonly options: FakeContainerRuntimeOptions = {}) {
    this.clock = options.clock ?? systemClock;
  }

  /** The next call of `method` throws `error`. */
  failNext(method: FailingMethod, error: Error) {
    this.failures.set(method, [...(this.failures.get(method) ?? []), error]);
  }

  /** From now on calls of `method` in sandboxes that `isMeant` never return, whatever their signal says. */
  hang(method: HangingMethod, isMeant: (sandboxId: string) => boolean) {
    this.hanging.set(method, isMeant);
  }

  /** Ends a running container's main process from outside. */
  async exitContainer(id: string, exitCode: number, more: Partial<ContainerExit> = {}) {
    const container = this.need(id);
    this.finish(container, { exitCode, ...more });
    await container.process?.exited;
  }

  /** What the container's cgroup has now. */
  resourcesOf(id: string): CgroupResources {
    return this.need(id).resources;
  }

  /** What was created, with all its settings. */
  specOf(id: string): ContainerSpec {
    return this.need(id).spec;
  }

  createSandbox(spec: SandboxSpec): Promise<Sandbox> {
    return this.call('createSandbox', spec.id, () => {
      const existing = this.sandboxesById.get(spec.id);
      if (existing !== undefined) return existing.sandbox;
      const sandbox: Sandbox = {
        id: spec.id,
        labels: spec.labels,
        netnsPath: spec.hostNetwork ? undefined : `/fake/netns/${spec.id}`,
        createdAtMs: this.clock.now(),
      };
      this.sandboxesById.set(spec.id, { spec, sandbox });
      this.sandboxResources.set(spec.id, spec.cgroup);
      return sandbox;
    });
  }

  async removeSandbox(id: string): Promise<void> {
    for (const { spec } of [...this.containersById.values()]) {
      if (spec.sandboxId === id) await this.removeContainer(spec.id);
    }
    await this.call('removeSandbox', id, () => this.sandboxesById.delete(id));
  }

  createContainer(spec: ContainerSpec): Promise<ContainerState> {
    return this.call(
      'createContainer',
      spec.id,
      () => {
        if (!this.sandboxesById.has(spec.sandboxId)) {
          throw new RuntimeError('create', `sandbox "${spec.sandboxId}" does not exist`);
        }
        const beside = spec.processesOf;
        const other = beside === undefined ? undefined : this.containersById.get(beside);
        if (beside !== undefined && (other === undefined || stateOf(other).status !== 'running'))
          throw new RuntimeError(
            'create',
            `container "${beside}" does not run in the same sandbox`,
          );
        if (this.containersById.has(spec.id)) {
          throw new RuntimeError('create', `container "${spec.id}" exists already`);
        }
        const container: FakeContainer = {
          spec,
          createdAtMs: this.clock.now(),
          views: new Set(),
          startedAtMs: undefined,
          process: undefined,
          exit: undefined,
          resources: spec.resources,
          pid: this.nextPid++,
        };
        this.containersById.set(spec.id, container);
        return stateOf(container);
      },
      spec.sandboxId,
    );
  }

  startContainer(id: string): Promise<ContainerState> {
    return this.call('startContainer', id, () => {
      const container = this.need(id);
      if (container.exit !== undefined) {
        throw new RuntimeError('start', `container "${id}" has exited`);
      }
      if (container.process !== undefined) return stateOf(container);
      try {
        if (this.options.program === undefined) checkCommand(container.spec.process.args);
      } catch (error) {
        if (!(error instanceof FakeStartError)) throw error;
        this.finish(container, { exitCode: 128, startError: error.message });
        return stateOf(container);
      }
      this.run(container);
      return stateOf(container);
    });
  }

  async kill(id: string, signalNumber: number): Promise<void> {
    await this.call('kill', `${id} ${signalNumber}`, () => {
      const container = this.need(id);
      if (signalNumber === SIGTERM && this.options.ignoresSigterm?.(container.spec) === true) {
        return;
      }
      if (signalNumber !== SIGTERM && signalNumber !== SIGKILL) return;
      this.finish(container, { exitCode: 128 + signalNumber, signalNumber });
    });
  }

  async removeContainer(id: string): Promise<void> {
    const container = this.containersById.get(id);
    if (container === undefined) return;
    await this.call('removeContainer', id, () => {
      this.finish(container, { exitCode: 137, signalNumber: SIGKILL });
      this.containersById.delete(id);
    });
  }

  exec(id: string, spec: ExecSpec): Promise<ExecProcess> {
    return this.call('exec', `${id} ${spec.args.join(' ')}`, () => {
      const container = this.need(id);
      if (container.process === undefined || container.exit !== undefined) {
        throw new RuntimeError('exec', `container "${id}" is not running`);
      }
      return this.startExec(container, spec);
    });
  }

  attach(id: string, { endsStdin }: AttachOptions): Promise<ExecProcess> {
    this.calls.push(`attach ${id}`);
    const container = this.need(id);
    const { process } = container;
    if (process === undefined || container.exit !== undefined) {
      throw new RuntimeError('attach', `container "${id}" is not running`);
    }
    const view = new FakeProcessView(process, () => {
      container.views.delete(view);
      if (endsStdin) process.closeStdin();
    });
    container.views.add(view);
    return Promise.resolve(view);
  }

  updateResources(id: string, resources: CgroupResources): Promise<void> {
    return this.call('updateResources', id, () => {
      const container = this.need(id);
      container.resources = { ...container.resources, ...resources };
    });
  }

  updateSandbox(id: string, resources: CgroupResources): Promise<void> {
    return this.call('updateSandbox', id, () => {
      if (!this.sandboxesById.has(id)) throw new RuntimeError('cgroup', `no sandbox "${id}"`);
      this.sandboxResources.set(id, { ...this.sandboxResources.get(id), ...resources });
    });
  }

  stats(id: string): Promise<ContainerStats> {
    this.need(id);
    return Promise.resolve({
      cpuNanos: 1_000_000,
      memoryBytes: 1 << 20,
      memoryWorkingSetBytes: 1 << 20,
      memoryRssBytes: 1 << 19,
      pidsCount: 1,
      ...this.options.statsOf?.(stateOf(this.need(id))),
    });
  }

  limitGroup(group: SandboxGroup, resources: CgroupResources): void {
    this.groups.set(group, { ...this.groups.get(group), ...resources });
  }

  async sandboxStats(id?: string): Promise<ContainerStats> {
    const all = await Promise.all(this.containers(id).map((state) => this.stats(state.id)));
    return all.reduce(addStats, NO_USE);
  }

  hostStats(): Promise<ContainerStats> {
    return Promise.resolve({
      cpuNanos: 10_000_000,
      memoryBytes: 1 << 30,
      memoryWorkingSetBytes: 1 << 29,
      memoryRssBytes: 1 << 28,
      pidsCount: 100,
      ...this.options.hostStats?.(),
    });
  }

  writableLayer(id: string): string {
    return join(this.options.layersDir ?? '/nonexistent', id);
  }

  sandboxes(): readonly Sandbox[] {
    return [...this.sandboxesById.values()].map(({ sandbox }) => sandbox);
  }

  handlers(): readonly HandlerInfo[] {
    return (
      this.options.handlers ?? [
        { name: 'dhow', version: 'fake', path: '', features: DHOW_FEATURES },
      ]
    );
  }

  missingHandlers(): readonly MissingHandler[] {
    return this.options.missingHandlers ?? [];
  }

  containers(sandboxId?: string): readonly ContainerState[] {
    const states = [...this.containersById.values()].map(stateOf);
    return states.filter((state) => sandboxId === undefined || state.sandboxId === sandboxId);
  }

  container(id: string): ContainerState | undefined {
    return this.containers().find((state) => state.id === id);
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

  /** Leaves everything as it is, as the real one does. */
  [Symbol.asyncDispose](): Promise<void> {
    for (const listener of this.listeners) listener.end();
    this.listeners.clear();
    return Promise.resolve();
  }

  private async call<T>(
    method: string,
    detail: string,
    work: () => T,
    sandboxId = this.sandboxOf(detail),
  ): Promise<T> {
    this.calls.push(`${method} ${detail}`);
    await Promise.resolve();
    if (this.hanging.get(method)?.(sandboxId) === true) await new Promise(() => undefined);
    const failure = this.failures.get(method)?.shift();
    if (failure !== undefined) throw failure;
    return work();
  }

  /** Of a container, or the sandbox itself. */
  private sandboxOf(detail: string): string {
    const [id = ''] = detail.split(' ');
    return this.containersById.get(id)?.spec.sandboxId ?? id;
  }

  private need(id: string): FakeContainer {
    const container = this.containersById.get(id);
    if (container === undefined) throw new RuntimeError('find', `container "${id}" does not exist`);
    return container;
  }

  private run(container: FakeContainer): void {
    container.startedAtMs = this.clock.now();
    const { args, env } = container.spec.process;
    const process = new FakeProcess({
      args,
      env,
      hasStdin: container.spec.stdin,
      clock: this.clock,
      program: this.options.program ?? shellProgram,
      onOutput: (stream, data) => {
        this.log(container.spec, stream, data);
        for (const view of container.views) view.output.push({ stream, data });
      },
    });
    container.process = process;
    void process.exited.then((exitCode) => this.finish(container, { exitCode }));
  }

  private startExec(container: FakeContainer, spec: ExecSpec): ExecProcess {
    if (this.options.program === undefined) checkCommand(spec.args);
    const process = new FakeProcess({
      args: spec.args,
      env: [...container.spec.process.env, ...spec.env],
      hasStdin: spec.stdin,
      clock: this.clock,
      program: this.options.program ?? shellProgram,
      onOutput: (stream, data) => view.output.push({ stream, data }),
    });
    const view = new FakeProcessView(process, () => process.end(137));
    let timedOut = false;
    if (spec.timeoutMs !== undefined) {
      const done = new AbortController();
      void process.exited.then(() => done.abort());
      void this.clock.sleep(spec.timeoutMs, done.signal).then(() => {
        timedOut = !done.signal.aborted;
        if (timedOut) process.end(137);
      });
    }
    void process.exited.then((exitCode) => {
      view.output.push({ stream: 'exit', exitCode, timedOut } satisfies ProcessOutput);
      view.output.end();
    });
    return view;
  }

  private finish(
    container: FakeContainer,
    exit: Partial<ContainerExit> & { readonly exitCode: number },
  ): void {
    if (container.exit !== undefined) return;
    container.exit = { oomKilled: false, finishedAtMs: this.clock.now(), ...exit };
    container.process?.end(exit.exitCode);
    for (const view of container.views) {
      view.output.push({ stream: 'exit', exitCode: exit.exitCode, timedOut: false });
      view.output.end();
    }
    const containerId = container.spec.id;
    if (container.exit.oomKilled) this.publish({ type: 'oom', containerId });
    this.publish({ type: 'exit', containerId, exit: container.exit });
  }

  private publish(event: RuntimeEvent): void {
    for (const listener of this.listeners) listener.push(event);
  }

  private log(spec: ContainerSpec, stream: 'stdout' | 'stderr', data: Uint8Array): void {
    if (this.options.writesLogs === false) return;
    mkdirSync(dirname(spec.logPath), { recursive: true });
    const timestamp = new Date(this.clock.now()).toISOString().replace('Z', '000000Z');
    const lines = Buffer.from(data).toString().split('\n');
    const rest = lines.pop() ?? '';
    const entries = lines.map((text) => ({ timestamp, stream, isPartial: false, text }));
    if (rest !== '') entries.push({ timestamp, stream, isPartial: true, text: rest });
    appendFileSync(spec.logPath, entries.map(formatLogLine).join(''));
  }
}

const stateOf = (container: FakeContainer): ContainerState => {
  const { id, sandboxId, labels } = container.spec;
  const common = { id, sandboxId, labels, createdAtMs: container.createdAtMs };
  if (container.exit !== undefined) {
    const { startedAtMs, exit } = container;
    return { ...common, status: 'exited', startedAtMs, exit };
  }
  if (container.startedAtMs === undefined) return { ...common, status: 'created' };
  return {
    ...common,
    status: 'running',
    pid: container.pid,
    startedAtMs: container.startedAtMs,
  };
};

const NO_USE: ContainerStats = {
  cpuNanos: 0,
  memoryBytes: 0,
  memoryWorkingSetBytes: 0,
  memoryRssBytes: 0,
  pidsCount: 0,
};

const addStats = (a: ContainerStats, b: ContainerStats): ContainerStats => ({
  cpuNanos: a.cpuNanos + b.cpuNanos,
  memoryBytes: a.memoryBytes + b.memoryBytes,
  memoryWorkingSetBytes: a.memoryWorkingSetBytes + b.memoryWorkingSetBytes,
  memoryRssBytes: a.memoryRssBytes + b.memoryRssBytes,
  pidsCount: a.pidsCount + b.pidsCount,
});

const SIGKILL = 9;
const SIGTERM = 15;
const MAX_QUEUED_EVENTS = 4096;
