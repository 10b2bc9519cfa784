import { isTerminal } from '../../api/pods';
import { jsonEqual } from '../../api/json-value';
import { nameOf, type Container, type Pod, type PodStatus } from '../../api/types';
import type { ContainerTasks } from '../containers/container-tasks';
import type { PodDeps } from '../containers/pod-deps';
import { terminationMessageOf } from '../containers/termination-message';
import { fieldPathOf } from '../images/image-puller';
import { sandboxIdOf } from '../inventory/labels';
import { observePod, type ObservedContainer, type PodObservation } from '../inventory/observe';
import { RunClock } from '../inventory/run-times';
import { nextBackoff, planPod, type PodPlan } from '../plan/plan';
import { computePodStatus } from '../plan/status';
import { containerNamed } from '../pod-spec/environment';
import type { PodRecord } from './pod-record';
import type { PodResizer } from './pod-resizer';
import type { PodTrace } from './pod-trace';
import { backoffMessage } from './worker-plan';

interface PodReportsDeps {
  readonly deps: PodDeps;
  readonly record: PodRecord;
  readonly tasks: ContainerTasks;
  readonly resizer: PodResizer;
  readonly trace: PodTrace;
}

/** Looks at what is there of a pod, says what is to be done for it, and tells the server of it. */
export class PodReports {
  /** Runs that were ended because their definition changed, by runtime id. */
  private readonly replaced = new Set<string>();
  private readonly backoffsTold = new Map<string, number>();
  private readonly runClock: RunClock;

  constructor(private readonly parts: PodReportsDeps) {
    this.runClock = new RunClock(parts.deps.clock);
  }

  /** The pod as wanted, but with what it has been granted of it; with the status reported last. */
  get current(): Pod {
    return this.parts.resizer.grantedPod(this.parts.record.pod);
  }

  observe(): PodObservation {
    const { deps, record } = this.parts;
    const states = deps.runtime.containers(sandboxIdOf(record.uid));
    const observation = observePod(record.pod, states);
    this.runClock.note(observation);
    return observation;
  }

  /** The latest run of every container that the runtime has. */
  runs(): readonly ObservedContainer[] {
    return [...this.observe().values()].flatMap(({ current }) =>
      current?.exists === true ? [current] : [],
    );
  }

  /** Nothing of it runs. */
  get hasStopped(): boolean {
    return this.runs().every(({ state }) => state.status === 'exited');
  }

  plan(): PodPlan {
    const { deps, record, tasks, resizer } = this.parts;
    const { clock, settings, probes } = deps;
    return planPod({
      pod: this.current,
      observation: this.observe(),
      nowMs: clock.monotonicMs(),
      timesOf: (run) => this.runClock.timesOf(run),
      settings,
      isEnding: record.isEnding,
      isStarted: ({ id, name }) => probes.isStarted(id) && !tasks.isStarting(name),
      isReplaced: ({ id }) => this.replaced.has(id) || resizer.wasEnded(id),
      needsRestart: (run, container) => resizer.needsRestart(run, container),
    });
  }

  /** A run is about to be ended, since its container is now another. */
  noteReplaced(containerId: string, container: Container): void {
    const { record, resizer } = this.parts;
    const run = this.runs().find(({ id }) => id === containerId);
    if (run !== undefined && resizer.needsRestart(run, container))
      resizer.noteEnd(record.pod, containerId);
    this.replaced.add(containerId);
  }

  tellBackoffs({ backoffUntilMs }: PodPlan): void {
    const { deps, record } = this.parts;
    for (const [name, untilMs] of backoffUntilMs) {
      if (this.backoffsTold.get(name) === untilMs) continue;
      this.backoffsTold.set(name, untilMs);
      const message = backoffMessage(record.pod, name);
      const container = containerNamed(record.pod, name);
      const path = container === undefined ? undefined : fieldPathOf(record.pod, container);
      deps.events.emit(record.pod, { type: 'Warning', reason: 'BackOff', message }, path);
    }
  }

  report(plan: PodPlan = this.plan()): void {
    const { deps, record, tasks, resizer } = this.parts;
    const { clock, probes, node, settings, runtime } = deps;
    const observation = this.observe();
    const status = computePodStatus({
      pod: this.current,
      observation,
      plan,
      waiting: tasks.waiting,
      sandboxProblem: record.sandboxProblem,
      isReady: ({ id }) => probes.isReady(id),
      isStarted: ({ id }) => probes.isStarted(id),
      terminationMessage: (run) => terminationMessageOf(deps.paths, record.pod, run),
      hasSandbox: record.sandbox !== undefined,
      podIps: record.podIps,
      hostIps: node().ips,
      ending: record.ending,
      // Also one that an earlier agent has rejected: a pod let in has statuses of its containers.
      isRejected: record.pod.status.containerStatuses === undefined,
      isEnding: record.isEnding,
      resourcesOf: (name, run) => resizer.resourcesOf(name, run),
      resize: isTerminal(record.pod) ? [] : resizer.conditions(),
      nowMs: clock.now(),
      backoffDelayMs: (run) => nextBackoff(run, this.runClock.timesOf(run).ranMs, settings).delayMs,
    });
    const hasSandbox = runtime.sandboxes().some(({ id }) => id === sandboxIdOf(record.uid));
    this.put(status, !hasSandbox && isTerminal({ status }));
  }

  /** `terminated`: nothing of the pod runs, or ever will. */
  put(status: PodStatus, terminated: boolean): void {
    const { deps, record, trace } = this.parts;
    const { uid } = record;
    if (!jsonEqual(status, record.pod.status)) {
      trace.note(status);
      record.pod = { ...record.pod, status };
      deps.noteStatus(uid, status);
    }
    const { namespace, name } = nameOf(record.pod);
    deps.statuses.put({ namespace, name, uid, status, terminated });
  }
}
