import { Alarm } from '../../lib/async/alarm';
import { onAbort } from '../../lib/async/on-abort';
import { isTerminal, isTerminating } from '../../api/pods';
import type { Pod } from '../../api/types';
import { describeError } from '../../lib/log';
import { Stopwatches } from '../../lib/stopwatches';
import { UNEXPECTED, unexpectedMessage } from '../devices/device-manager';
import { ContainerTasks } from '../containers/container-tasks';
import type { PodDeps } from '../containers/pod-deps';
import { deadlineMsOf } from '../pod-spec/pod-times';
import type { WaitingResize } from '../plan/resize-order';
import { adoptConditions, type PodEnding } from '../plan/status';
import { PodAdmission } from './pod-admission';
import { PodKiller } from './pod-killer';
import { PodProvisions } from './pod-provisions';
import { PodRecord } from './pod-record';
import { PodReports } from './pod-reports';
import { PodResizer } from './pod-resizer';
import { PodTrace } from './pod-trace';
import { untilNext } from './worker-plan';

/**
 * Runs one pod. A single loop looks at what is there and at what is wanted and does what is missing;
 * everything slow (pulls, starts, kills) runs beside it and wakes it at its end.
 *
 *  running ──deleted, evicted, complete──► ending ──containers gone──► torn down ──removed──► done
 */
export class PodWorker {
  private readonly controller = new AbortController();
  private readonly record: PodRecord;
  private readonly tasks: ContainerTasks;
  private readonly reports: PodReports;
  private readonly admission: PodAdmission;
  private readonly provisions: PodProvisions;
  private readonly killer: PodKiller;
  private readonly alarm: Alarm;
  private isDirty = true;
  private endingSinceMs: number | undefined;
  private readonly resizer: PodResizer;
  private readonly watches: Stopwatches;
  private readonly trace: PodTrace;

  constructor(
    private readonly deps: PodDeps,
    /** As wanted, with the status that was reported last. */
    pod: Pod,
  ) {
    const record = new PodRecord(pod, deps.log);
    const stopping = this.controller.signal;
    const wake = () => this.wake();
    const tasks = new ContainerTasks({ deps, log: record.log, stopping, onDone: wake });
    const resizer = new PodResizer(deps);
    const trace = new PodTrace(deps);
    const reports = new PodReports({ deps, record, tasks, resizer, trace });
    this.provisions = new PodProvisions({ deps, record, tasks, trace, stopping });
    this.killer = new PodKiller({ deps, record, tasks, reports, onProbe: wake });
    this.alarm = new Alarm(deps.clock);
    this.watches = new Stopwatches(deps.clock);
    this.admission = new PodAdmission({ deps, record, trace });
    this.record = record;
    this.tasks = tasks;
    this.reports = reports;
    this.resizer = resizer;
    this.trace = trace;
  }

  get uid(): string {
    return this.record.uid;
  }

  /** The pod as wanted, but with what it has been granted of it; with the status reported last. */
  get current(): Pod {
    return this.reports.current;
  }

  /** True while it takes room on the node. What the server has forgotten has none to defend. */
  get isActive(): boolean {
    const { isTornDown, isRemoved, pod } = this.record;
    return !isTornDown && !isRemoved && this.admission.isAdmitted && !isTerminal(pod);
  }

  /** Nothing of it runs. */
  get hasStopped(): boolean {
    return this.reports.hasStopped;
  }

  /** Nothing of it runs, and what it took of the node, its volumes too, is there for others again. */
  get hasFreed(): boolean {
    return this.record.isTornDown;
  }

  /** What it was given to run with is of no use to it any more. */
  get hasGivenUp(): boolean {
    return this.record.isTornDown || (isTerminal(this.record.pod) && this.hasStopped);
  }

  /** The server has removed the pod, and may have given its room to another. */
  get isForgotten(): boolean {
    return this.record.isRemoved;
  }

  /** What it asks for beyond what it has; undefined: it has all. */
  get waitingResize(): WaitingResize | undefined {
    const { pod, isEnding } = this.record;
    const isWaiting = !isEnding && this.resizer.isWaiting(pod);
    return isWaiting ? { asked: pod, granted: this.current } : undefined;
  }

  /** Tries to get it what it waits for, in its turn. */
  resizeNow(): void {
    this.resizer.decide(this.record.pod);
    if (!this.resizer.isWaiting(this.record.pod)) this.wake();
  }

  update(pod: Pod): void {
    const { record, tasks } = this;
    // Every change on the node brings all pods here: most have nothing new to say.
    if (pod.metadata.resourceVersion === record.pod.metadata.resourceVersion) return;
    const before = record.graceMs;
    record.pod = { ...pod, status: adoptConditions(record.pod.status, pod.status) };
    if (isTerminating(pod)) tasks.cancelStarts();
    if (record.graceMs < before) tasks.hurryKills();
    // Another image, say, is worth a try at once.
    this.retryNow();
  }

  /** The server no longer knows the pod: end it and leave nothing. Each change on the node says so anew. */
  remove(): void {
    if (!this.record.isRemoved) this.tasks.hurryKills();
    this.record.isRemoved = true;
    this.tasks.cancelStarts();
    this.wake();
  }

  /** Ends the pod for good, as Failed, within its own grace or a shorter one. */
  evict(ending: PodEnding, graceMs = Infinity): void {
    const { record } = this;
    if (record.ending !== undefined || isTerminal(record.pod)) return;
    record.ending = ending;
    record.graceMaxMs = graceMs;
    const { reason, message, isToldByStatusOnly } = ending;
    if (isToldByStatusOnly !== true)
      this.deps.events.emit(record.pod, { type: 'Warning', reason, message });
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
      for (const { id } of this.reports.runs()) this.deps.probes.unwatch(id);
      await this.tasks.drained();
    }
  }

  /** How long nothing needs to be done. Never throws: one pod's trouble is not that of others. */
  private async syncSafely(): Promise<number | 'done'> {
    try {
      return (await this.sync()) ? 'done' : this.idleMs();
    } catch (error) {
      if (!this.controller.signal.aborted)
        this.record.log.error({ err: describeError(error) }, 'pod sync failed, trying again');
      return this.deps.settings.retryMs;
    }
  }

  private async waitForWork(idleMs: number): Promise<void> {
    if (!this.isDirty) await this.alarm.sleep(idleMs);
  }

  /** True when nothing of the pod is left to care for. */
  private async sync(): Promise<boolean> {
    const { record } = this;
    if (record.isRemoved || isTerminating(record.pod)) return await this.end();
    if (record.isTornDown) return false;
    this.checkDeadline();
    if (record.ending === undefined && isTerminal(record.pod)) {
      await this.settle();
      return false;
    }
    if (!this.admission.isAdmitted && record.ending === undefined) this.admit();
    if (record.ending === undefined && !this.admission.isAdmitted) return false;
    if (record.ending === undefined) await this.runPod();
    else if (await this.killer.killAll(record.graceMs)) await this.settle();
    return false;
  }

  private admit(): void {
    const { record, reports } = this;
    const isKnown = reports.runs().length > 0 || record.pod.status.startTime !== undefined;
    const refusal = this.admission.ask(isKnown);
    if (refusal === undefined) return;
    const { reason, message } = refusal;
    this.evict({ reason, message });
  }

  private checkDeadline(): void {
    const deadlineMs = deadlineMsOf(this.record.pod, this.watches);
    if (deadlineMs === undefined || this.deps.clock.monotonicMs() < deadlineMs) return;
    const message = 'Pod was active on the node longer than the specified deadline';
    this.evict({ reason: 'DeadlineExceeded', message });
  }

  private async runPod(): Promise<void> {
    const { record, reports, resizer, provisions, killer } = this;
    resizer.load(record.pod, () => reports.observe());
    // Others may wait for the same room, and come first.
    if (resizer.isWaiting(record.pod)) this.deps.resizeInOrder();
    else resizer.decide(record.pod);
    // Containers of an earlier agent are not reported before their probes are known again.
    if (reports.runs().length === 0) reports.report();
    if (!(await this.ensureDevices())) return;
    const sandbox = await provisions.ensureSandbox(this.current);
    if (sandbox === undefined) return;
    const volumes = await provisions.ensureVolumes(sandbox);
    killer.watchProbes(sandbox.podIps);
    await resizer.enforce(record.pod, () => reports.runs());
    const plan = reports.plan();
    killer.replaceOutdated(plan);
    if (volumes !== undefined)
      this.tasks.startNext(plan.starts, { pod: this.current, sandbox, volumes }, reports.observe());
    reports.tellBackoffs(plan);
    reports.report(plan);
    if (plan.isComplete) await killer.killAll(record.graceMs);
  }

  /** A pod whose containers run has what it will ever have. */
  private async ensureDevices(): Promise<boolean> {
    const { record, deps, tasks } = this;
    if (record.sandbox !== undefined || this.reports.runs().length > 0) return true;
    if (!deps.devices.lacks(record.pod)) return true;
    try {
      await this.provisions.allocateDevices();
      return true;
    } catch (error) {
      if (!tasks.startSignal.aborted)
        this.evict({ reason: UNEXPECTED, message: unexpectedMessage(describeError(error)) });
      return false;
    }
  }

  /** The pod is being deleted, or is gone from the server already. */
  private async end(): Promise<boolean> {
    const { record, killer, reports } = this;
    this.endingSinceMs ??= this.deps.clock.monotonicMs();
    if (!record.isTornDown) {
      killer.watchProbes(record.podIps);
      const spentMs = this.deps.clock.monotonicMs() - this.endingSinceMs;
      const graceMs = Math.max(0, record.graceMs - spentMs);
      if (!(await killer.killAll(graceMs))) return this.again();
      await this.tearDown();
    }
    if (!record.isRemoved) {
      reports.put(record.pod.status, true);
      return false;
    }
    await this.provisions.forget();
    return true;
  }

  private again(): boolean {
    this.isDirty = true;
    return false;
  }

  /** All containers have ended for good: once the server knows how, nothing needs to stay but logs. */
  private async settle(): Promise<void> {
    const { record, reports, killer } = this;
    reports.report();
    if (this.deps.statuses.isStored(record.uid) && (await killer.killAll(record.graceMs)))
      await this.tearDown();
  }

  private async tearDown(): Promise<void> {
    this.reports.report();
    await this.provisions.release();
  }

  /** How long nothing needs to be done unless something wakes the worker. */
  private idleMs(): number {
    const { clock, settings } = this.deps;
    const nowMs = clock.monotonicMs();
    const dueMs = [
      nowMs + settings.resyncMs,
      ...this.reports.plan().backoffUntilMs.values(),
      ...[...this.tasks.waiting.values()].map(({ retryAtMs }) => retryAtMs),
      this.provisions.sandboxDueMs,
      this.admission.dueMs,
      deadlineMsOf(this.record.pod, this.watches),
      this.resizer.dueMs,
    ];
    return untilNext(dueMs, nowMs);
  }
}
