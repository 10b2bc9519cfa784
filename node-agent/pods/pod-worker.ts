import { Alarm } from '../../lib/async/alarm';
import { onAbort } from '../../lib/async/on-abort';
import { isTerminal, isTerminating } from '../../api/pods';
import { addressesOf } from '../../api/service-endpoints';
import { nameOf, type Container, type Pod, type PodStatus, uidOf } from '../../api/types';
import { isStaticPod } from '../../api/static-pods';
import { withDeadline } from '../../lib/async/deadline';
import { describeError, type Log } from '../../lib/log';
import { Stopwatches } from '../../lib/stopwatches';
import { UNEXPECTED, unexpectedMessage } from '../devices/device-manager';
import { fieldPathOf } from '../images/image-puller';
import { NotYetError } from '../volumes/volume-content';
import { VolumeError } from '../volumes/volume-error';
import type { PreparedVolumes } from '../volumes/volume-manager';
import { ContainerTasks } from '../containers/container-tasks';
import { containerNamed } from '../pod-spec/environment';
import { nodeViewOf } from '../pod-spec/field-refs';
import { hasHostPorts } from '../pod-spec/host-ports';
import { sandboxIdOf } from '../inventory/labels';
import { observePod, type ObservedContainer, type PodObservation } from '../inventory/observe';
import { nextBackoff, planPod, type PodPlan } from '../plan/plan';
import type { PodDeps } from '../containers/pod-deps';
import { watchProbes } from './pod-probes';
import { PodTrace } from './pod-trace';
import { PodResizer } from './pod-resizer';
import { ensureSandbox, removeSandbox, type ReadySandbox } from '../containers/pod-sandbox';
import { deadlineMsOf, graceMsOf } from '../pod-spec/pod-times';
import { RunClock } from '../inventory/run-times';
import type { WaitingResize } from '../plan/resize-order';
import { adoptConditions, computePodStatus, type PodEnding } from '../plan/status';
import { terminationMessageOf } from '../containers/termination-message';
import { jsonEqual } from '../../api/json-value';
import { secondsToMs, type Int64 } from '../../api/int64';

/** A pod that nobody can ask for its grace any more (it was deleted by force) gets this long. */
const FORCED_GRACE_MS = 2_000;

/**
 * Runs one pod. A single loop looks at what is there and at what is wanted and does what is missing;
 * everything slow (pulls, starts, kills) runs beside it and wakes it at its end.
 *
 *  running ──deleted, evicted, complete──► ending ──containers gone──► torn down ──removed──► done
 */
export class PodWorker {
  private readonly controller = new AbortController();
  private readonly tasks: ContainerTasks;
  private readonly log: Log;
  private readonly alarm: Alarm;
  private isDirty = true;
  private isRemoved = false;
  private isAdmitted = false;
  /** Monotonic: since when labels or taints that may be stale speak against the pod. */
  private refusedSinceMs: number | undefined;
  private isTornDown = false;
  private sandbox: ReadySandbox | undefined;
  /** Monotonic. */
  private sandboxRetryAtMs = -Infinity;
  private ending: PodEnding | undefined;
  private graceMaxMs = Infinity;
  private endingSinceMs: number | undefined;
  /** Runs that were ended because their definition changed, by runtime id. */
  private readonly replaced = new Set<string>();
  private readonly backoffsTold = new Map<string, number>();
  private readonly runClock: RunClock;
  private readonly resizer: PodResizer;
  private readonly watches: Stopwatches;
  private readonly trace: PodTrace;

  constructor(
    private readonly deps: PodDeps,
    /** As wanted, with the status that was reported last. */
    private pod: Pod,
  ) {
    this.log = deps.log.child({ pod: `${nameOf(pod).namespace}/${nameOf(pod).name}` });
    this.alarm = new Alarm(deps.clock);
    this.runClock = new RunClock(deps.clock);
    this.resizer = new PodResizer(deps);
    this.watches = new Stopwatches(deps.clock);
    this.trace = new PodTrace(deps);
    this.tasks = new ContainerTasks({
      deps,
      log: this.log,
      stopping: this.controller.signal,
      onDone: () => this.wake(),
    });
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

  /** The pod as wanted, but with what it has been granted of it; with the status reported last. */
  get current(): Pod {
    return this.resizer.grantedPod(this.pod);
  }

  /** True while it takes room on the node. What the server has forgotten has none to defend. */
  get isActive(): boolean {
    return !this.isTornDown && !this.isForgotten && this.isAdmitted && !isTerminal(this.pod);
  }

  /** Nothing of it runs. */
  get hasStopped(): boolean {
    return this.runs().every(({ state }) => state.status === 'exited');
  }

  /** What it was given to run with is of no use to it any more. */
  get hasGivenUp(): boolean {
    return this.isTornDown || (isTerminal(this.pod) && this.hasStopped);
  }

  /** The server has removed the pod, and may have given its room to another. */
  get isForgotten(): boolean {
    return this.isRemoved;
  }

  /** What it asks for beyond what it has; undefined: it has all. */
  get waitingResize(): WaitingResize | undefined {
    const isWaiting = !this.isEnding && this.resizer.isWaiting(this.pod);
    return isWaiting ? { asked: this.pod, granted: this.current } : undefined;
  }

  /** Tries to get it what it waits for, in its turn. */
  resizeNow(): void {
    this.resizer.decide(this.pod);
    if (!this.resizer.isWaiting(this.pod)) this.wake();
  }

  update(pod: Pod): void {
    // Every change on the node brings all pods here: most have nothing new to say.
    if (pod.metadata.resourceVersion === this.pod.metadata.resourceVersion) return;
    const before = this.graceMs();
    this.pod = { ...pod, status: adoptConditions(this.pod.status, pod.status) };
    if (isTerminating(pod)) this.tasks.cancelStarts();
    if (this.graceMs() < before) this.tasks.hurryKills();
    // Another image, say, is worth a try at once.
    this.retryNow();
  }

  /** The server no longer knows the pod: end it and leave nothing. */
  remove(): void {
    this.isRemoved = true;
    this.tasks.cancelStarts();
    this.tasks.hurryKills();
    this.wake();
  }

  /** Ends the pod for good, as Failed, within its own grace or a shorter one. */
  evict(ending: PodEnding, graceMs = Infinity): void {
    if (this.ending !== undefined || isTerminal(this.pod)) return;
    this.ending = ending;
    this.graceMaxMs = graceMs;
    const { reason, message, isToldByStatusOnly } = ending;
    if (isToldByStatusOnly !== true)
      this.deps.events.emit(this.pod, { type: 'Warning', reason, message });
    this.tasks.cancelStarts();
    this.wake();
  }

  /** The pod, or secrets or configmaps that it may use, changed: what waits need not wait longer. */
  retryNow(): void {
    this.tasks.retryNow();
    this.wake();
  }

  /** Something outside changed: look again soon. */
  wake(): void {
    this.isDirty = true;
    this.alarm.wake();
  }

  /** Until the pod is gone, or `signal` aborts; then containers run on. */
  async run(signal: AbortSignal): Promise<void> {
    const abort = () => {
      this.controller.abort();
      this.tasks.cancelStarts();
      this.wake();
    };
    onAbort(signal, abort);
    try {
      while (!signal.aborted) {
        this.isDirty = false;
        const idleMs = await this.syncSafely();
        if (idleMs === 'done') return;
        await this.waitForWork(idleMs);
      }
    } finally {
      signal.removeEventListener('abort', abort);
      this.trace.end();
      for (const { id } of this.runs()) this.deps.probes.unwatch(id);
      await this.tasks.drained();
    }
  }

  /** How long nothing needs to be done. Never throws: one pod's trouble is not that of others. */
  private async syncSafely(): Promise<number | 'done'> {
    try {
      return (await this.sync()) ? 'done' : this.idleMs();
    } catch (error) {
      if (!this.controller.signal.aborted)
        this.log.error({ err: describeError(error) }, 'pod sync failed, trying again');
      return this.deps.settings.retryMs;
    }
  }

  private async waitForWork(idleMs: number): Promise<void> {
    if (!this.isDirty) await this.alarm.sleep(idleMs);
  }

  /** True when nothing of the pod is left to care for. */
  private async sync(): Promise<boolean> {
    if (this.isRemoved || isTerminating(this.pod)) return await this.end();
    if (this.isTornDown) return false;
    this.checkDeadline();
    if (this.ending === undefined && isTerminal(this.pod)) return await this.settle();
    if (!this.isAdmitted && this.ending === undefined) this.admit();
    if (this.ending === undefined && !this.isAdmitted) return false;
    if (this.ending === undefined) await this.runPod();
    else if (await this.killAll(this.graceMs())) await this.settle();
    return false;
  }

  private admit(): void {
    const isKnown = this.runs().length > 0 || this.pod.status.startTime !== undefined;
    if (isKnown) this.takeCpusAgain();
    const refusal = isKnown ? undefined : this.deps.admit(this.pod);
    if (refusal === undefined) {
      this.isAdmitted = true;
      if (!isKnown) this.trace.begin(this.pod);
      return;
    }
    const { clock, settings } = this.deps;
    this.refusedSinceMs ??= clock.monotonicMs();
    // What placed the pod here may have seen newer labels: they are about to come.
    const isFinal =
      refusal.mayBeStale !== true || clock.monotonicMs() >= this.refusedSinceMs + settings.retryMs;
    const { reason, message } = refusal;
    if (isFinal) this.evict({ reason, message });
  }

  /** It was let in before; that it has no processors of its own any more does not end it. */
  private takeCpusAgain(): void {
    const shortage = this.deps.cpus.take(this.pod);
    if (shortage !== undefined) this.log.warn({ err: shortage.message }, 'a pod shares processors');
  }

  private checkDeadline(): void {
    const deadlineMs = deadlineMsOf(this.pod, this.watches);
    if (deadlineMs === undefined || this.deps.clock.monotonicMs() < deadlineMs) return;
    const message = 'Pod was active on the node longer than the specified deadline';
    this.evict({ reason: 'DeadlineExceeded', message });
  }

  private async runPod(): Promise<void> {
    this.resizer.load(this.pod, () => this.observe());
    // Others may wait for the same room, and come first.
    if (this.resizer.isWaiting(this.pod)) this.deps.resizeInOrder();
    else this.resizer.decide(this.pod);
    // Containers of an earlier agent are not reported before their probes are known again.
    if (this.runs().length === 0) this.report(this.plan());
    if (!(await this.ensureDevices())) return;
    const sandbox = await this.ensureSandbox();
    if (sandbox === undefined) return;
    const volumes = await this.ensureVolumes(sandbox);
    this.watchProbes(sandbox.podIps);
    await this.resizer.enforce(this.pod, () => this.runs());
    const plan = this.plan();
    this.replaceOutdated(plan);
    if (volumes !== undefined)
      this.tasks.startNext(plan.starts, { pod: this.current, sandbox, volumes }, this.observe());
    this.tellBackoffs(plan);
    this.report(plan);
    if (plan.isComplete) await this.killAll(this.graceMs());
  }

  private replaceOutdated({ kills }: PodPlan): void {
    for (const { containerId, container, message } of kills) {
      const run = this.runs().find(({ id }) => id === containerId);
      if (run !== undefined && this.resizer.needsRestart(run, container))
        this.resizer.noteEnd(this.pod, containerId);
      this.replaced.add(containerId);
      void this.kill(containerId, container, this.graceMs(), message);
    }
  }

  /** A pod whose containers run has what it will ever have. */
  private async ensureDevices(): Promise<boolean> {
    const { pod, deps, tasks } = this;
    if (this.sandbox !== undefined || this.runs().length > 0 || !deps.devices.lacks(pod))
      return true;
    try {
      await this.step('the allocation of its devices', tasks.startSignal, (signal) =>
        deps.devices.allocate(pod, signal),
      );
      return true;
    } catch (error) {
      if (!tasks.startSignal.aborted)
        this.evict({ reason: UNEXPECTED, message: unexpectedMessage(describeError(error)) });
      return false;
    }
  }

  private async ensureSandbox(): Promise<ReadySandbox | undefined> {
    if (this.sandbox !== undefined) return this.sandbox;
    const { clock, settings, events } = this.deps;
    if (clock.monotonicMs() < this.sandboxRetryAtMs) return undefined;
    const { startSignal } = this.tasks;
    try {
      const make = (signal: AbortSignal) => ensureSandbox(this.deps, this.current, signal);
      this.sandbox = await this.trace.during('Create sandbox', () =>
        this.step('the making of its sandbox', startSignal, make),
      );
      return this.sandbox;
    } catch (error) {
      if (startSignal.aborted) return undefined;
      this.sandboxRetryAtMs = clock.monotonicMs() + settings.retryMs;
      const message = `Failed to create pod sandbox: ${describeError(error)}`;
      events.emit(this.pod, { type: 'Warning', reason: 'FailedCreatePodSandBox', message });
      return undefined;
    }
  }

  private async ensureVolumes({ podIps }: ReadySandbox): Promise<PreparedVolumes | undefined> {
    const { volumes, objects, events, node } = this.deps;
    const { startSignal } = this.tasks;
    try {
      const own = volumes.prepare({ pod: this.pod, objects, node: nodeViewOf(node(), podIps) });
      return await this.trace.once('Prepare volumes', () =>
        this.withDriverVolumes(own, startSignal),
      );
    } catch (error) {
      if (error instanceof NotYetError || startSignal.aborted) return undefined;
      const reason = error instanceof VolumeError ? error.reason : 'FailedMount';
      events.emit(this.pod, { type: 'Warning', reason, message: describeError(error) });
      return undefined;
    }
  }

  private async withDriverVolumes(
    own: PreparedVolumes,
    startSignal: AbortSignal,
  ): Promise<PreparedVolumes> {
    const { volumes, csi } = this.deps;
    const provided = volumes.csiVolumes(this.pod);
    if (provided.length === 0) return own;
    const paths = await this.step('the mounting of its volumes', startSignal, (signal) =>
      csi.prepare(this.pod, provided, signal),
    );
    return new Map([...own, ...paths]);
  }

  private watchProbes([podIp = '']: readonly string[]): void {
    const { pod, deps, tasks } = this;
    const probed = {
      pod,
      podIp,
      isEnding: this.isEnding,
      isBusy: ({ id, name }: ObservedContainer) => tasks.isKilling(id) || tasks.isStarting(name),
      onChange: () => this.probesChanged(),
      onUnhealthy: (
        { id }: ObservedContainer,
        container: Container,
        { message, graceSeconds }: { message: string; graceSeconds: Int64 | undefined },
      ) => {
        const graceMs = graceSeconds === undefined ? this.graceMs() : secondsToMs(graceSeconds);
        void this.kill(id, container, graceMs, message);
      },
    };
    watchProbes(deps, probed, this.runs());
  }

  private probesChanged(): void {
    // While containers end, the loop waits for them: what readiness says is told meanwhile.
    if (this.isEnding && !this.isRemoved && !this.isTornDown) this.report(this.plan());
    this.wake();
  }

  private kill(
    containerId: string,
    container: Container | undefined,
    graceMs: number,
    message: string,
  ): Promise<void> {
    const podIp = this.sandbox?.podIps[0] ?? '';
    return this.tasks.kill({ pod: this.pod, container, containerId, graceMs, podIp, message });
  }

  /** True when no container is alive. Main containers first, then sidecars, last one first. */
  private async killAll(graceMs: number): Promise<boolean> {
    await this.tasks.untilStarted();
    const alive = this.runs().filter(({ state }) => state.status !== 'exited');
    const main = this.pod.spec.containers.map(({ name }) => name);
    const first = alive.filter(({ name }) => main.includes(name));
    const batch = first.length > 0 ? first : alive.reverse();
    const kills = batch.map(async ({ id, name }) => {
      await this.kill(id, containerNamed(this.pod, name), graceMs, `Stopping container ${name}`);
      // How one ended need not wait for the others.
      if (!this.isRemoved) this.report(this.plan());
    });
    await Promise.allSettled(kills);
    return this.runs().every(({ state }) => state.status === 'exited');
  }

  /** The pod is being deleted, or is gone from the server already. */
  private async end(): Promise<boolean> {
    this.endingSinceMs ??= this.deps.clock.monotonicMs();
    if (!this.isTornDown) {
      this.watchProbes(this.sandbox?.podIps ?? addressesOf(this.pod));
      const spentMs = this.deps.clock.monotonicMs() - this.endingSinceMs;
      const graceMs = Math.max(0, this.graceMs() - spentMs);
      if (!(await this.killAll(graceMs))) return this.again();
      await this.tearDown();
    }
    if (!this.isRemoved) {
      this.put(this.pod.status, true);
      return false;
    }
    const { signal } = this.controller;
    await this.step('the removal of its logs', signal, () =>
      this.deps.logs.remove(this.deps.paths.logFolderName(this.pod)),
    );
    this.deps.allocations.remove(this.uid);
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
    if (this.deps.statuses.isStored(this.uid) && (await this.killAll(this.graceMs())))
      await this.tearDown();
    return false;
  }

  private async tearDown(): Promise<void> {
    const { volumes, csi, images } = this.deps;
    this.report(this.plan());
    const { signal } = this.controller;
    await this.removeSandbox(signal);
    await this.step('the removal of its volumes', signal, async (s) => {
      await csi.release(this.uid, s);
      await volumes.remove(this.uid);
    });
    images.unpin(this.uid);
    this.deps.cpus.release(this.uid);
    this.deps.devices.release(this.uid);
    this.sandbox = undefined;
    this.isTornDown = true;
    if (hasHostPorts(this.pod.spec)) this.deps.network.changed();
  }

  private async removeSandbox(signal: AbortSignal): Promise<void> {
    try {
      await this.step('the removal of its sandbox', signal, () =>
        removeSandbox(this.deps, this.uid),
      );
    } catch (error) {
      if (!signal.aborted) {
        const message = `error killing pod: ${describeError(error)}`;
        this.deps.events.emit(this.pod, { type: 'Warning', reason: 'FailedKillPod', message });
      }
      throw error;
    }
  }

  /** Whatever a step does, the worker goes on in time, and at once when it must stop. */
  private step<T>(
    what: string,
    signal: AbortSignal,
    work: (signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    const { clock, settings } = this.deps;
    return withDeadline({ what, limitMs: settings.stepLimitMs, clock, signal }, work);
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
    const states = this.deps.runtime.containers(sandboxIdOf(this.uid));
    const observation = observePod(this.pod, states);
    this.runClock.note(observation);
    return observation;
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
      pod: this.current,
      observation: this.observe(),
      nowMs: clock.monotonicMs(),
      timesOf: (run) => this.runClock.timesOf(run),
      settings,
      isEnding: this.isEnding,
      isStarted: ({ id, name }) => probes.isStarted(id) && !this.tasks.isStarting(name),
      isReplaced: ({ id }) => this.replaced.has(id) || this.resizer.wasEnded(id),
      needsRestart: (run, container) => this.resizer.needsRestart(run, container),
    });
  }

  private report(plan: PodPlan): void {
    const { clock, probes, node, settings, runtime } = this.deps;
    const observation = this.observe();
    const status = computePodStatus({
      pod: this.current,
      observation,
      plan,
      waiting: this.tasks.waiting,
      isReady: ({ id }) => probes.isReady(id),
      isStarted: ({ id }) => probes.isStarted(id),
      terminationMessage: (run) => terminationMessageOf(this.deps.paths, this.pod, run),
      hasSandbox: this.sandbox !== undefined,
      podIps: this.sandbox?.podIps ?? addressesOf(this.pod),
      hostIps: node().ips,
      ending: this.ending,
      // Also one that an earlier agent has rejected: a pod let in has statuses of its containers.
      isRejected: this.pod.status.containerStatuses === undefined,
      isEnding: this.isEnding,
      resourcesOf: (name, run) => this.resizer.resourcesOf(name, run),
      resize: isTerminal(this.pod) ? [] : this.resizer.conditions(),
      nowMs: clock.now(),
      backoffDelayMs: (run) => nextBackoff(run, this.runClock.timesOf(run).ranMs, settings).delayMs,
    });
    const hasSandbox = runtime.sandboxes().some(({ id }) => id === sandboxIdOf(this.uid));
    this.put(status, !hasSandbox && isTerminal({ status }));
  }

  private put(status: PodStatus, terminated: boolean): void {
    if (!jsonEqual(status, this.pod.status)) {
      this.trace.note(status);
      this.pod = { ...this.pod, status };
      this.deps.noteStatus(this.uid, status);
    }
    const { namespace, name } = nameOf(this.pod);
    this.deps.statuses.put({ namespace, name, uid: this.uid, status, terminated });
  }

  private graceMs(): number {
    const isForced = this.isRemoved && !isStaticPod(this.pod);
    return isForced ? FORCED_GRACE_MS : Math.min(this.graceMaxMs, graceMsOf(this.pod));
  }

  /** How long nothing needs to be done unless something wakes the worker. */
  private idleMs(): number {
    const { clock, settings } = this.deps;
    const nowMs = clock.monotonicMs();
    const deadlineMs = deadlineMsOf(this.pod, this.watches);
    const dueMs = [
      nowMs + settings.resyncMs,
      ...this.plan().backoffUntilMs.values(),
      ...[...this.tasks.waiting.values()].map(({ retryAtMs }) => retryAtMs),
      ...(this.sandbox === undefined && !this.isTornDown ? [this.sandboxRetryAtMs] : []),
      ...(this.refusedSinceMs === undefined ? [] : [this.refusedSinceMs + settings.retryMs]),
      ...(deadlineMs === undefined ? [] : [deadlineMs]),
      ...(this.resizer.dueMs === undefined ? [] : [this.resizer.dueMs]),
    ].filter((atMs) => atMs > nowMs);
    return Math.min(...dueMs) - nowMs;
  }
}
