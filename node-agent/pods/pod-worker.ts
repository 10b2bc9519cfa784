import { rmSync } from 'node:fs';

import { isTerminal, isTerminating } from '../../api/pods';
import type { Container, Pod, PodStatus } from '../../api/types';
import { nameOf } from '../../api/types';
import { describeError, type Log } from '../../lib/log';
import { fieldPathOf } from '../images/image-puller';
import type { PreparedVolumes } from '../volumes/volume-manager';
import { ContainerKiller } from './container-killer';
import { ContainerStarter, type StartFailure } from './container-starter';
import { containerNamed } from './environment';
import { LABEL, sandboxIdOf, uidOf } from './labels';
import { observePod, type ObservedContainer, type PodObservation } from './observe';
import { nextBackoff, planPod, type PodPlan, type StartAction } from './plan';
import type { PodDeps } from './pod-deps';
import { ensureSandbox, removeSandbox, type ReadySandbox } from './pod-sandbox';
import { computePodStatus, type PodEnding } from './status';
import { terminationMessageOf } from './termination-message';

/** A pod that nobody can ask for its grace any more (it was deleted by force) gets this long. */
const FORCED_GRACE_MS = 2_000;
const DEFAULT_GRACE_SECONDS = 30;

/**
 * Runs one pod. A single loop looks at what is there and at what is wanted and does what is missing;
 * everything slow (pulls, starts, kills) runs beside it and wakes it at its end.
 *
 *  running ──deleted, evicted, complete──► ending ──containers gone──► torn down ──removed──► done
 */
export class PodWorker {
  private readonly controller = new AbortController();
  private readonly starter: ContainerStarter;
  private readonly killer: ContainerKiller;
  private readonly starting = new Map<string, Promise<void>>();
  private readonly killing = new Map<string, Promise<void>>();
  private readonly failures = new Map<string, StartFailure>();
  private readonly log: Log;
  /** Aborts pulls and starts when the pod must end. */
  private starts = new AbortController();
  /** Aborts a wait for the grace when a shorter one is asked for. */
  private kills = new AbortController();
  private wakeUp: (() => void) | undefined;
  private isDirty = true;
  private isRemoved = false;
  private isAdmitted = false;
  private isTornDown = false;
  private sandbox: ReadySandbox | undefined;
  private sandboxRetryAtMs = 0;
  private ending: PodEnding | undefined;
  private endingSinceMs: number | undefined;
  private lastStatus: PodStatus;
  private readonly backoffsTold = new Map<string, number>();

  constructor(
    private readonly deps: PodDeps,
    private pod: Pod,
  ) {
    this.starter = new ContainerStarter(deps);
    this.killer = new ContainerKiller(deps);
    this.log = deps.log.child({ pod: `${nameOf(pod).namespace}/${nameOf(pod).name}` });
    this.lastStatus = pod.status;
    const { phase, reason, message } = pod.status;
    // It was ended before this agent started: it stays ended.
    if (phase === 'Failed' && reason !== undefined)
      this.ending = { reason, message: message ?? '' };
  }

  get uid(): string {
    return uidOf(this.pod);
  }

  private get isEnding(): boolean {
    return this.isRemoved || this.ending !== undefined || isTerminating(this.pod);
  }

  /** The pod as wanted, with the status reported last. */
  get current(): Pod {
    return { ...this.pod, status: this.lastStatus };
  }

  /** True while it takes room on the node. */
  get isActive(): boolean {
    return !this.isTornDown && this.isAdmitted && !isTerminal({ status: this.lastStatus });
  }

  update(pod: Pod): void {
    const before = this.graceMs();
    this.pod = { ...pod, status: this.lastStatus };
    if (isTerminating(pod)) this.starts.abort();
    if (this.graceMs() < before) this.kills.abort();
    this.wake();
  }

  /** The server no longer knows the pod: end it and leave nothing. */
  remove(): void {
    this.isRemoved = true;
    this.starts.abort();
    this.kills.abort();
    this.wake();
  }

  /** Ends the pod for good, as Failed. */
  evict(ending: PodEnding): void {
    if (this.ending !== undefined || isTerminal({ status: this.lastStatus })) return;
    this.ending = ending;
    this.deps.events.emit(this.pod, { type: 'Warning', ...ending });
    this.starts.abort();
    this.wake();
  }

  /** Secrets or configmaps changed: what waits for one need not wait for its time. */
  retryNow(): void {
    for (const [name, failure] of this.failures)
      this.failures.set(name, { ...failure, retryAtMs: 0 });
    this.wake();
  }

  /** Something outside changed: look again soon. */
  wake(): void {
    this.isDirty = true;
    this.wakeUp?.();
  }

  /** Until the pod is gone, or `signal` aborts; then containers run on. */
  async run(signal: AbortSignal): Promise<void> {
    const abort = () => {
      this.controller.abort();
      this.wake();
    };
    signal.addEventListener('abort', abort, { once: true });
    try {
      while (!signal.aborted) {
        this.isDirty = false;
        const isDone = await this.syncSafely();
        if (isDone) return;
        await this.waitForWork();
      }
    } finally {
      signal.removeEventListener('abort', abort);
      this.starts.abort();
      for (const { id } of this.runs()) this.deps.probes.unwatch(id);
      await Promise.allSettled([...this.starting.values(), ...this.killing.values()]);
    }
  }

  private async syncSafely(): Promise<boolean> {
    try {
      return await this.sync();
    } catch (error) {
      if (!this.controller.signal.aborted)
        this.log.error({ err: describeError(error) }, 'pod sync failed, trying again');
      return false;
    }
  }

  private async waitForWork(): Promise<void> {
    if (this.isDirty) return;
    const stop = new AbortController();
    this.wakeUp = () => stop.abort();
    await this.deps.clock.sleep(this.idleMs(), stop.signal);
    this.wakeUp = undefined;
  }

  /** True when nothing of the pod is left to care for. */
  private async sync(): Promise<boolean> {
    if (this.kills.signal.aborted) this.kills = new AbortController();
    if (this.isRemoved || isTerminating(this.pod)) return await this.end();
    if (this.isTornDown) return false;
    this.checkDeadline();
    if (this.ending === undefined && isTerminal({ status: this.lastStatus }))
      return await this.settle();
    if (!this.isAdmitted) this.admit();
    if (this.ending !== undefined) {
      if (await this.killAll(this.graceMs(), true)) await this.settle();
      return false;
    }
    await this.runPod();
    return false;
  }

  private admit(): void {
    const isKnown = this.runs().length > 0 || this.pod.status.startTime !== undefined;
    const refusal = isKnown ? undefined : this.deps.admit(this.pod);
    if (refusal === undefined) this.isAdmitted = true;
    else this.evict(refusal);
  }

  private checkDeadline(): void {
    const { activeDeadlineSeconds } = this.pod.spec;
    const { startTime } = this.lastStatus;
    if (activeDeadlineSeconds === undefined || startTime === undefined) return;
    if (this.deps.clock.now() < Date.parse(startTime) + activeDeadlineSeconds * 1000) return;
    const message = 'Pod was active on the node longer than the specified deadline';
    this.evict({ reason: 'DeadlineExceeded', message });
  }

  private async runPod(): Promise<void> {
    // Containers of an earlier agent are not reported before their probes are known again.
    if (this.runs().length === 0) this.report(this.plan());
    const sandbox = await this.ensureSandbox();
    if (sandbox === undefined) return;
    const volumes = this.ensureVolumes(sandbox);
    this.watchProbes(sandbox);
    const plan = this.plan();
    for (const { containerId, container, message } of plan.kills)
      void this.kill(containerId, container, this.graceMs(), message);
    if (volumes !== undefined) this.startNext(plan, sandbox, volumes);
    this.tellBackoffs(plan);
    this.report(plan);
    if (plan.isComplete) await this.killAll(this.graceMs(), true);
  }

  private async ensureSandbox(): Promise<ReadySandbox | undefined> {
    if (this.sandbox !== undefined) return this.sandbox;
    const { clock, settings, events } = this.deps;
    if (clock.now() < this.sandboxRetryAtMs) return undefined;
    try {
      this.sandbox = await ensureSandbox(this.deps, this.pod, this.starts.signal);
      return this.sandbox;
    } catch (error) {
      if (this.starts.signal.aborted) return undefined;
      this.sandboxRetryAtMs = clock.now() + settings.retryMs;
      const message = `Failed to create pod sandbox: ${describeError(error)}`;
      events.emit(this.pod, { type: 'Warning', reason: 'FailedCreatePodSandBox', message });
      return undefined;
    }
  }

  private ensureVolumes({ podIp }: ReadySandbox): PreparedVolumes | undefined {
    const { volumes, objects, events } = this.deps;
    try {
      return volumes.prepare({ pod: this.pod, objects, node: this.starter.nodeView(podIp) });
    } catch (error) {
      const message = describeError(error);
      events.emit(this.pod, { type: 'Warning', reason: 'FailedMount', message });
      return undefined;
    }
  }

  /** One container at a time, in the pod's order: a later one waits for the start of an earlier. */
  private startNext(plan: PodPlan, sandbox: ReadySandbox, volumes: PreparedVolumes): void {
    if (this.starting.size > 0 || this.starts.signal.aborted) return;
    const nowMs = this.deps.clock.now();
    const start = plan.starts.find(({ container: { name } }) => {
      const failure = this.failures.get(name);
      // A failure without a time waits for the pod to change; resync looks anyway.
      return failure?.retryAtMs === undefined || failure.retryAtMs <= nowMs;
    });
    if (start !== undefined) this.start(start, sandbox, volumes);
  }

  private start(start: StartAction, sandbox: ReadySandbox, volumes: PreparedVolumes): void {
    const { name } = start.container;
    const runs = this.observe().get(name);
    const request = { pod: this.pod, start, sandbox, volumes, runs };
    const task = this.starter.start(request, this.starts.signal).then((failure) => {
      this.starting.delete(name);
      if (failure === undefined) this.failures.delete(name);
      else
        this.failures.set(
          name,
          withRetry(failure, this.deps.clock.now() + this.deps.settings.resyncMs),
        );
      this.wake();
    });
    this.starting.set(name, task);
  }

  private kill(
    containerId: string,
    container: Container | undefined,
    graceMs: number,
    message?: string,
  ): Promise<void> {
    const running = this.killing.get(containerId);
    if (running !== undefined) return running;
    this.deps.probes.unwatch(containerId);
    const podIp = this.sandbox?.podIp ?? '';
    const request = { pod: this.pod, container, containerId, graceMs, podIp };
    const signal = AbortSignal.any([this.kills.signal, this.controller.signal]);
    const task = this.killer
      .kill(message === undefined ? request : { ...request, message }, signal)
      .catch(async (error: unknown) => {
        this.log.warn({ err: describeError(error) }, 'kill failed');
        await this.deps.clock.sleep(this.deps.settings.retryMs, signal);
      })
      .then(() => {
        this.killing.delete(containerId);
        this.wake();
      });
    this.killing.set(containerId, task);
    return task;
  }

  /** True when no container is alive. Main containers first, then sidecars, last one first. */
  private async killAll(graceMs: number, waitsForSidecars: boolean): Promise<boolean> {
    if (this.starting.size > 0) await Promise.allSettled(this.starting.values());
    const alive = this.runs().filter(({ state }) => state.status !== 'exited');
    const main = this.pod.spec.containers.map(({ name }) => name);
    const first = alive.filter(({ name }) => main.includes(name));
    const batch = waitsForSidecars && first.length > 0 ? first : alive.reverse();
    const kills = batch.map(({ id, name }) =>
      this.kill(id, containerNamed(this.pod, name), graceMs, `Stopping container ${name}`),
    );
    await Promise.allSettled(kills);
    return this.runs().every(({ state }) => state.status === 'exited');
  }

  /** The pod is being deleted, or is gone from the server already. */
  private async end(): Promise<boolean> {
    this.endingSinceMs ??= this.deps.clock.monotonicMs();
    if (!this.isTornDown) {
      const spentMs = this.deps.clock.monotonicMs() - this.endingSinceMs;
      const graceMs = Math.max(0, this.graceMs() - spentMs);
      if (!(await this.killAll(graceMs, true))) return this.again();
      await this.tearDown();
    }
    if (!this.isRemoved) {
      this.put(this.lastStatus, true);
      return false;
    }
    rmSync(this.deps.paths.logFolder(this.pod), { recursive: true, force: true });
    this.deps.statuses.forget(this.uid);
    return true;
  }

  private again(): boolean {
    this.isDirty = true;
    return false;
  }

  /** All containers have ended for good: once the server knows how, nothing needs to stay but logs. */
  private async settle(): Promise<boolean> {
    this.report(this.plan());
    if (this.deps.statuses.isStored(this.uid) && (await this.killAll(this.graceMs(), true)))
      await this.tearDown();
    return false;
  }

  private async tearDown(): Promise<void> {
    const { volumes, images } = this.deps;
    this.report(this.plan());
    const hasNetwork = this.pod.spec.hostNetwork !== true;
    await removeSandbox(this.deps, this.uid, hasNetwork);
    volumes.remove(this.uid);
    images.unpin(this.uid);
    this.sandbox = undefined;
    this.isTornDown = true;
  }

  private watchProbes({ podIp }: ReadySandbox): void {
    for (const run of this.runs()) {
      const { id, name, state } = run;
      const container = containerNamed(this.pod, name);
      if (state.status !== 'running' || container === undefined) this.deps.probes.unwatch(id);
      else if (!this.killing.has(id) && !this.starting.has(name)) {
        const before = this.verdictsOf(run);
        this.deps.probes.watch({ containerId: id, container, podIp }, before, {
          onChange: () => this.wake(),
          onFailure: (kind, output) => {
            const word = { startup: 'Startup', liveness: 'Liveness', readiness: 'Readiness' }[kind];
            const message = `${word} probe failed: ${output}`;
            const event = { type: 'Warning', reason: 'Unhealthy', message } as const;
            this.deps.events.emit(this.pod, event, fieldPathOf(this.pod, container));
          },
          onUnhealthy: (kind) => {
            const message = `Container ${name} failed ${kind} probe, will be restarted`;
            const seconds = container[`${kind}Probe`]?.terminationGracePeriodSeconds;
            const graceMs = seconds === undefined ? this.graceMs() : seconds * 1000;
            void this.kill(id, container, graceMs, message);
          },
        });
      }
    }
  }

  /** What an earlier agent found out about this run holds until a probe says otherwise. */
  private verdictsOf({ id, name }: ObservedContainer) {
    const { containerStatuses = [], initContainerStatuses = [] } = this.lastStatus;
    const status = [...containerStatuses, ...initContainerStatuses].find(
      (candidate) => candidate.name === name && candidate.containerID?.endsWith(id) === true,
    );
    return { started: status?.started === true, ready: status?.ready === true };
  }

  private tellBackoffs({ backoffUntilMs }: PodPlan): void {
    for (const [name, untilMs] of backoffUntilMs) {
      if (this.backoffsTold.get(name) === untilMs) continue;
      this.backoffsTold.set(name, untilMs);
      const { metadata } = this.pod;
      const message =
        `Back-off restarting failed container ${name} in pod ` +
        `${metadata.name}_${metadata.namespace ?? ''}(${this.uid})`;
      const container = containerNamed(this.pod, name);
      const path = container === undefined ? undefined : fieldPathOf(this.pod, container);
      this.deps.events.emit(this.pod, { type: 'Warning', reason: 'BackOff', message }, path);
    }
  }

  private observe(): PodObservation {
    const states = this.deps.runtime
      .containers()
      .filter(({ labels }) => labels[LABEL.uid] === this.uid);
    return observePod({ ...this.pod, status: this.lastStatus }, states);
  }

  /** The latest run of every container that the runtime has. */
  private runs(): readonly ObservedContainer[] {
    return [...this.observe().values()].flatMap(({ current }) =>
      current?.exists === true ? [current] : [],
    );
  }

  private plan(): PodPlan {
    const { clock, settings, probes } = this.deps;
    return planPod({
      pod: this.pod,
      observation: this.observe(),
      nowMs: clock.now(),
      settings,
      isEnding: this.isEnding,
      isStarted: ({ id, name }) => probes.isStarted(id) && !this.starting.has(name),
    });
  }

  private report(plan: PodPlan): void {
    const { clock, probes, node, settings, runtime } = this.deps;
    const status = computePodStatus({
      pod: { ...this.pod, status: this.lastStatus },
      observation: this.observe(),
      plan,
      waiting: this.failures,
      isReady: ({ id }) => probes.isReady(id) && !this.killing.has(id),
      isStarted: ({ id }) => probes.isStarted(id),
      terminationMessage: (run) => terminationMessageOf(this.deps.paths, this.pod, run),
      hasSandbox: this.sandbox !== undefined,
      podIp: this.sandbox?.podIp ?? this.lastStatus.podIP,
      hostIp: node().ip,
      ending: this.ending,
      isEnding: this.isEnding,
      nowMs: clock.now(),
      backoffDelayMs: (run) => nextBackoff(run, settings).delayMs,
    });
    const hasSandbox = runtime.sandboxes().some(({ id }) => id === sandboxIdOf(this.uid));
    this.put(status, !hasSandbox && isTerminal({ status }));
  }

  private put(status: PodStatus, terminated: boolean): void {
    if (JSON.stringify(status) !== JSON.stringify(this.lastStatus)) {
      this.lastStatus = status;
      this.pod = { ...this.pod, status };
      this.deps.noteStatus(this.uid, status);
    }
    const { namespace, name } = nameOf(this.pod);
    this.deps.statuses.put({ namespace, name, uid: this.uid, status, terminated });
  }

  private graceMs(): number {
    if (this.isRemoved) return FORCED_GRACE_MS;
    const { deletionGracePeriodSeconds } = this.pod.metadata;
    const ownSeconds = this.pod.spec.terminationGracePeriodSeconds ?? DEFAULT_GRACE_SECONDS;
    return (deletionGracePeriodSeconds ?? ownSeconds) * 1000;
  }

  /** How long nothing needs to be done unless something wakes the worker. */
  private idleMs(): number {
    const { clock, settings } = this.deps;
    const nowMs = clock.now();
    const { backoffUntilMs } = this.plan();
    const retries = [...this.failures.values()].flatMap(({ retryAtMs }) => retryAtMs ?? []);
    const deadline = this.deadlineMs();
    const dueMs = [
      nowMs + settings.resyncMs,
      ...backoffUntilMs.values(),
      ...retries,
      ...(this.sandbox === undefined && !this.isTornDown ? [this.sandboxRetryAtMs] : []),
      ...(deadline === undefined ? [] : [deadline]),
    ].filter((atMs) => atMs > nowMs);
    return Math.min(...dueMs) - nowMs;
  }

  private deadlineMs(): number | undefined {
    const { activeDeadlineSeconds } = this.pod.spec;
    const { startTime } = this.lastStatus;
    return activeDeadlineSeconds === undefined || startTime === undefined
      ? undefined
      : Date.parse(startTime) + activeDeadlineSeconds * 1000;
  }
}

const withRetry = (failure: StartFailure, fallbackMs: number): StartFailure => ({
  ...failure,
  retryAtMs: failure.retryAtMs ?? fallbackMs,
});
