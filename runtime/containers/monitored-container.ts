import type { Log } from '../../lib/log';
import { RuntimeError, type ContainerState, type RuntimeEvent } from '../container-runtime';
import { FrameConnection, type ConnectionHandlers } from './connection';
import {
  decodeError,
  decodeExit,
  decodeState,
  encodeFrame,
  encodeNumbers,
  FrameType,
  type Frame,
} from './frames';
import type { LauncherClient } from './launcher-client';
import { exitRecord, type ContainerRecord, type ExitRecord, type RunFiles } from './records';

export interface MonitoredContainerDeps {
  readonly files: RunFiles;
  readonly log: Log;
  readonly publish: (event: RuntimeEvent) => void;
  /** Ends a container whose monitor was lost; returns what its exit then is. */
  readonly endOrphan: (record: ContainerRecord) => Promise<ExitRecord>;
}

/** One container as its monitor tells of it, over a connection that stays open until its end. */
export class MonitoredContainer {
  private connection: FrameConnection | undefined;
  private pid = 0;
  private startedAtMs: number | undefined;
  private status: 'creating' | 'created' | 'running' | 'exited' = 'creating';
  private ended: ExitRecord | undefined;
  private failure: RuntimeError | undefined;
  private isAdopted = false;
  private isReleased = false;
  private waiters: (() => void)[] = [];

  constructor(
    readonly record: ContainerRecord,
    private readonly deps: MonitoredContainerDeps,
  ) {}

  get id(): string {
    return this.record.spec.id;
  }

  get hasExited(): boolean {
    return this.ended !== undefined;
  }

  /** Has the launcher make it. @throws RuntimeError with the failed step. */
  async create(launcher: LauncherClient, plan: Uint8Array): Promise<void> {
    this.connection = await launcher.open(this.handlers());
    void this.connection.send(encodeFrame(FrameType.create, plan));
    await this.until(() => this.status !== 'creating' || this.failure !== undefined);
    if (this.failure !== undefined) throw this.failure;
  }

  /** Finds the monitor of an earlier process's container, or how it ended meanwhile. */
  async adopt(): Promise<void> {
    this.isAdopted = true;
    const known = this.deps.files.readExit(this.id);
    if (known !== undefined) {
      this.finish(known);
      return;
    }
    try {
      this.connection = await FrameConnection.open(
        this.deps.files.socketPath(this.id),
        this.handlers(),
      );
    } catch {
      await this.lose();
      return;
    }
    this.connection.sendType(FrameType.subscribe);
    await this.until(() => this.status !== 'creating');
  }

  /** Resolves once it runs, or ended because it could not. */
  async start(): Promise<void> {
    if (this.status === 'exited') {
      throw new RuntimeError('start', `container "${this.id}" has exited`);
    }
    this.connection?.sendType(FrameType.start);
    await this.until(() => this.status !== 'created');
  }

  kill(signalNumber: number): Promise<void> {
    if (this.hasExited) return Promise.resolve();
    return this.connection?.send(encodeNumbers(FrameType.kill, signalNumber)) ?? Promise.resolve();
  }

  /** Resolves once it is made, or will never be. */
  waitUntilMade(): Promise<void> {
    return this.until(() => this.status !== 'creating' || this.isReleased);
  }

  /** Resolves also when it was never made, or was let go of. */
  waitForExit(): Promise<void> {
    return this.until(() => this.hasExited || this.isReleased);
  }

  state(): ContainerState {
    const { id, sandboxId, labels } = this.record.spec;
    const common = { id, sandboxId, labels, createdAtMs: this.record.createdAtMs };
    if (this.ended !== undefined) return { ...common, status: 'exited', ...this.ended };
    if (this.status !== 'running') return { ...common, status: 'created' };
    const startedAtMs = this.startedAtMs ?? this.record.createdAtMs;
    return { ...common, status: 'running', pid: this.pid, startedAtMs };
  }

  /** Lets go of it; it runs on. */
  release(): void {
    this.isReleased = true;
    this.connection?.close();
    this.wakeAll();
  }

  private handlers(): ConnectionHandlers {
    return { onFrame: (frame) => this.receive(frame), onClose: () => this.closed() };
  }

  private receive(frame: Frame): void {
    switch (frame.type) {
      case FrameType.ok:
        if (this.status === 'creating') this.status = 'created';
        break;
      case FrameType.error: {
        const { step, message } = decodeError(frame.payload);
        this.failure ??= new RuntimeError(step, message);
        break;
      }
      case FrameType.state: {
        const state = decodeState(frame.payload);
        this.pid = state.pid;
        if (state.status === 'exited') break;
        this.status = state.status;
        this.startedAtMs = state.startedAtMs === 0 ? undefined : state.startedAtMs;
        break;
      }
      case FrameType.oom:
        this.deps.publish({ type: 'oom', containerId: this.id });
        break;
      case FrameType.exit:
        if (this.failure === undefined) this.finish(exitRecord(decodeExit(frame.payload)));
    }
    this.wakeAll();
  }

  private closed(): void {
    if (this.isReleased || this.hasExited) return;
    if (this.status === 'creating' && !this.isAdopted) {
      this.failure ??= new RuntimeError(
        'monitor',
        'the monitor ended before the container was made',
      );
      this.wakeAll();
      return;
    }
    if (this.failure !== undefined) return;
    // The exit file comes before the event, so the truth is there even if the event was lost.
    const known = this.deps.files.readExit(this.id);
    if (known !== undefined) this.finish(known);
    else void this.lose();
  }

  /** Without a monitor nobody reads its output or sees its end: it cannot go on. */
  private async lose(): Promise<void> {
    this.deps.log.warn({ container: this.id }, 'the monitor is gone: ending its container');
    this.finish(await this.deps.endOrphan(this.record));
  }

  private finish(ended: ExitRecord): void {
    if (this.ended !== undefined) return;
    this.ended = ended;
    this.status = 'exited';
    this.connection?.close();
    this.deps.publish({ type: 'exit', containerId: this.id, exit: ended.exit });
    this.wakeAll();
  }

  private async until(condition: () => boolean): Promise<void> {
    while (!condition()) await new Promise<void>((resolve) => this.waiters.push(resolve));
  }

  private wakeAll(): void {
    const { waiters } = this;
    this.waiters = [];
    for (const wake of waiters) wake();
  }
}
