import { Condition, DeadlineExceededError } from '../../lib/async/deadline';
import type { Clock } from '../../lib/clock';
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
import type { RuntimeLimits } from './limits';
import { exitRecord, type ContainerRecord, type ExitRecord, type RunFiles } from './records';

export interface MonitoredContainerDeps {
  readonly files: RunFiles;
  readonly clock: Clock;
  readonly log: Log;
  readonly limits: RuntimeLimits;
  readonly publish: (event: RuntimeEvent) => void;
  /** Ends a container whose monitor was lost; returns what its exit then is. */
  readonly endOrphan: (record: ContainerRecord) => Promise<ExitRecord>;
}

/**
 * One container as its monitor tells of it, over a connection that stays open until its end.
 *
 *   creating ──made──► created ──start──► running ──exit──► exited
 *   adopting ──state──────▲──────────────────▲     (no answer yet: taken for running)
 */
export class MonitoredContainer {
  private connection: FrameConnection | undefined;
  private pid = 0;
  private startedAtMs: number | undefined;
  private status: 'creating' | 'adopting' | 'created' | 'running' | 'exited' = 'creating';
  private ended: ExitRecord | undefined;
  private failure: RuntimeError | undefined;
  private isReleased = false;
  private losing: Promise<void> | undefined;
  private readonly changed = new Condition();

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

  /**
   * Has the launcher make it. What cannot be made in time, or is no longer wanted, is given up.
   * @throws RuntimeError with the failed step.
   */
  async create(launcher: LauncherClient, plan: Uint8Array, signal?: AbortSignal): Promise<void> {
    this.throwFailure();
    this.connection = await launcher.open(this.handlers());
    void this.connection.send(encodeFrame(FrameType.create, plan));
    const isDecided = () => this.status !== 'creating' || this.failure !== undefined;
    try {
      await this.until('creation', this.deps.limits.createMs, isDecided, signal);
    } catch (error) {
      this.sendKill(SIGKILL);
      throw error;
    }
    this.throwFailure();
  }

  /** Ends a creation under way: `create` throws. */
  cancelCreation(): void {
    if (this.status !== 'creating') return;
    this.sendKill(SIGKILL);
    this.failure ??= new RuntimeError('create', `container "${this.id}" is being removed`);
    this.changed.notify();
  }

  /**
   * Finds the monitor of an earlier process's container, or how it ended meanwhile. A monitor that
   * does not answer in time is left to answer later; until then its container is taken for running.
   */
  async adopt(): Promise<void> {
    this.status = 'adopting';
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
    try {
      const hasAnswered = () => this.status !== 'adopting' || this.isReleased;
      await this.until('adoption', this.deps.limits.adoptMs, hasAnswered);
    } catch (error) {
      if (!(error instanceof DeadlineExceededError)) throw error;
      this.deps.log.warn({ container: this.id }, 'a monitor does not answer: going on without it');
    }
  }

  /** Resolves once it runs, or ended because it could not. @throws DeadlineExceededError */
  async start(signal?: AbortSignal): Promise<void> {
    if (this.status === 'exited') {
      throw new RuntimeError('start', `container "${this.id}" has exited`);
    }
    this.connection?.sendType(FrameType.start);
    const isDecided = () => this.status !== 'created' || this.isReleased;
    await this.until('start', this.deps.limits.startMs, isDecided, signal);
  }

  /** Never waits: a monitor that is stuck takes no orders, and must not hold up who gives them. */
  kill(signalNumber: number): void {
    if (!this.hasExited) this.sendKill(signalNumber);
  }

  /** Resolves also when it was let go of. @throws DeadlineExceededError */
  waitForExit(signal?: AbortSignal): Promise<void> {
    const isOver = () => this.hasExited || this.isReleased;
    return this.until('end', this.deps.limits.endMs, isOver, signal);
  }

  state(): ContainerState {
    const { id, sandboxId, labels } = this.record.spec;
    const common = { id, sandboxId, labels, createdAtMs: this.record.createdAtMs };
    if (this.ended !== undefined) return { ...common, status: 'exited', ...this.ended };
    if (this.status === 'creating' || this.status === 'created')
      return { ...common, status: 'created' };
    const startedAtMs = this.startedAtMs ?? this.record.createdAtMs;
    return { ...common, status: 'running', pid: this.pid, startedAtMs };
  }

  /** Lets go of it; it runs on. */
  release(): void {
    this.isReleased = true;
    this.connection?.close();
    this.changed.notify();
  }

  /**
   * Its monitor is gone, or was found to be deaf and was ended. Without one nobody reads its output or
   * sees its end, so it cannot go on.
   */
  lose(): Promise<void> {
    this.losing ??= this.endOrphan();
    return this.losing;
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
    this.changed.notify();
  }

  private closed(): void {
    if (this.isReleased || this.hasExited) return;
    if (this.status === 'creating') {
      this.failure ??= new RuntimeError(
        'monitor',
        'the monitor ended before the container was made',
      );
      this.changed.notify();
      return;
    }
    if (this.failure === undefined) void this.lose();
  }

  private async endOrphan(): Promise<void> {
    const { files, log, clock, endOrphan } = this.deps;
    // The monitor writes the exit down before it lets go of its socket: the truth, if it is there.
    let ended = files.readExit(this.id);
    while (ended === undefined && !this.isReleased) {
      log.warn({ container: this.id }, 'the monitor is gone: ending its container');
      try {
        ended = await endOrphan(this.record);
      } catch (err) {
        log.error({ container: this.id, err }, 'a container without a monitor cannot be ended yet');
        await clock.sleep(ORPHAN_RETRY_MS);
      }
    }
    if (ended !== undefined) this.finish(ended);
  }

  private finish(ended: ExitRecord): void {
    if (this.ended !== undefined) return;
    this.ended = ended;
    this.status = 'exited';
    this.connection?.close();
    this.deps.publish({ type: 'exit', containerId: this.id, exit: ended.exit });
    this.changed.notify();
  }

  private throwFailure(): void {
    if (this.failure !== undefined) throw this.failure;
  }

  private sendKill(signalNumber: number): void {
    void this.connection?.send(encodeNumbers(FrameType.kill, signalNumber));
  }

  private until(
    step: string,
    limitMs: number,
    condition: () => boolean,
    signal?: AbortSignal,
  ): Promise<void> {
    const what = `the ${step} of container "${this.id}"`;
    return this.changed.until(condition, { what, limitMs, clock: this.deps.clock, signal });
  }
}

const SIGKILL = 9;
const ORPHAN_RETRY_MS = 1000;
