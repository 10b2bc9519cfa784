import { describeError, type Log } from '../../lib/log';
import { ContainerKiller, type KillRequest } from './container-killer';
import { ContainerStarter, type StartFailure, type StartRequest } from './container-starter';
import type { PodObservation } from '../inventory/observe';
import type { StartAction } from '../plan/plan';
import type { PodDeps } from './pod-deps';
import { linkedController } from '../../lib/async/linked-controller';

interface ContainerTasksOptions {
  readonly deps: PodDeps;
  readonly log: Log;
  /** The agent stops: kills under way are left as they are. */
  readonly stopping: AbortSignal;
  /** Something has ended: look again. */
  readonly onDone: () => void;
}

/** The slow work on the containers of one pod: at most one start at a time, and one kill for each. */
export class ContainerTasks {
  private readonly starter: ContainerStarter;
  private readonly killer: ContainerKiller;
  private readonly starting = new Map<string, Promise<void>>();
  private readonly killing = new Map<string, Promise<void>>();
  private readonly failures = new Map<string, StartFailure>();
  private readonly starts = new AbortController();
  /** Aborts a wait for the grace when a shorter one is asked for. */
  private kills = new AbortController();

  constructor(private readonly options: ContainerTasksOptions) {
    this.starter = new ContainerStarter(options.deps, (request) => void this.kill(request));
    this.killer = new ContainerKiller(options.deps);
  }

  /** Aborted once the pod must end. */
  get startSignal(): AbortSignal {
    return this.starts.signal;
  }

  /** Container name → why it has not started. */
  get waiting(): ReadonlyMap<string, StartFailure> {
    return this.failures;
  }

  isStarting(name: string): boolean {
    return this.starting.has(name);
  }

  isKilling(containerId: string): boolean {
    return this.killing.has(containerId);
  }

  /** Starts the first that is due. A later container waits for the start of an earlier. */
  startNext(
    starts: readonly StartAction[],
    request: Omit<StartRequest, 'start' | 'runs'>,
    observation: PodObservation,
  ): void {
    if (this.starting.size > 0 || this.starts.signal.aborted) return;
    const nowMs = this.options.deps.clock.monotonicMs();
    const start = starts.find(({ container: { name } }) => {
      const failure = this.failures.get(name);
      return failure === undefined || failure.retryAtMs <= nowMs;
    });
    if (start === undefined) return;
    const { name } = start.container;
    const runs = observation.get(name);
    const task = this.starter.start({ ...request, start, runs }, this.starts.signal);
    this.starting.set(
      name,
      task.then((failure) => this.started(name, failure)),
    );
  }

  /** Resolves when the container has ended, or when the wait is cut short. */
  kill(request: KillRequest): Promise<void> {
    const { containerId } = request;
    const running = this.killing.get(containerId);
    if (running !== undefined) return running;
    const { probes, runtime } = this.options.deps;
    probes.endVital(containerId);
    const task = this.killNow(request).then(() => {
      this.killing.delete(containerId);
      const state = runtime.container(containerId);
      if (state === undefined || state.status === 'exited') probes.unwatch(containerId);
      this.options.onDone();
    });
    this.killing.set(containerId, task);
    return task;
  }

  /** The pod must end: nothing starts any more. */
  cancelStarts(): void {
    this.starts.abort();
  }

  /** Kills under way end their wait, to be asked again with a shorter grace. */
  hurryKills(): void {
    this.kills.abort();
    this.kills = new AbortController();
  }

  /** What failed need not wait for its time. */
  retryNow(): void {
    for (const [name, failure] of this.failures)
      this.failures.set(name, { ...failure, retryAtMs: -Infinity });
  }

  async untilStarted(): Promise<void> {
    await Promise.allSettled(this.starting.values());
  }

  async drained(): Promise<void> {
    await Promise.allSettled([...this.starting.values(), ...this.killing.values()]);
  }

  private started(name: string, failure: StartFailure | undefined): void {
    this.starting.delete(name);
    if (failure === undefined) this.failures.delete(name);
    else this.failures.set(name, failure);
    this.options.onDone();
  }

  private async killNow(request: KillRequest): Promise<void> {
    const { deps, log, stopping } = this.options;
    using either = linkedController(this.kills.signal, stopping);
    try {
      await this.killer.kill(request, either.signal);
    } catch (error) {
      log.warn({ err: describeError(error) }, 'kill failed');
      await deps.clock.sleep(deps.settings.retryMs, either.signal);
    }
  }
}
