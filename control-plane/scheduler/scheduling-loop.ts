import type { SchedulingDecision } from '../../api/decisions';
import { PODS } from '../../api/resources';
import { tolerationSecondsFor } from '../../api/taints';
import { uidOf, type Pod } from '../../api/types';
import type { EventRecorder } from '../../client/events';
import type { FaultReporter } from '../../client/object-faults';
import type { TaskGroup } from '../../lib/async/task-group';
import { describeError } from '../../lib/log';
import { podSpan, spanning, type Tracing } from '../../lib/tracing/tracing';
import { Binder, type BinderDeps, type BindResult } from './binder';
import { CONSUMER, type ClusterEvents } from './cluster-events';
import type { ConditionWriter } from './condition-writer';
import type { Decision } from './decide';
import type { DecisionLog } from './decisions/decision-log';
import type { IndexedEngine } from './engine/indexed-engine';
import { GangPlacer, type Member } from './gangs/gang-placer';
import type { Gangs } from './gangs/gangs';
import { preemptForGroup } from './gangs/group-preemptor';
import { fitsOn } from './gangs/make-room';
import type { Room } from './gangs/place-together';
import { assignedMessage } from './message';
import type { PluginMetrics } from './plugin-metrics';
import type { Attempt, SchedulingQueue } from './queue';
import { DEFAULT_SCHEDULER_NAME, withoutPreemption, type Profile, type Profiles } from './profile';
import type { Journal } from './replay/journal';
import type { EndedAttempt, SchedulerMetrics } from './scheduler-metrics';
import type { Snapshot } from './snapshot';
import type { Preemptor } from './preemptor';
import { suggest } from './suggest';
import type { PodInfo } from './pod-info';
import { planVolumes } from './volumes/pod-volumes';
import type { VolumeBinder } from './volumes/volume-binder';
import type { VolumePromise, VolumeView } from './volumes/volume-view';

export interface SchedulingLoopDeps extends BinderDeps {
  /** In the name of the pod's scheduler. */
  readonly eventsFor: (pod: Pod) => EventRecorder;
  readonly conditions: ConditionWriter;
  readonly decisions: DecisionLog;
  readonly snapshot: Snapshot;
  readonly engine: IndexedEngine;
  readonly queue: SchedulingQueue;
  readonly cluster: ClusterEvents;
  readonly pods: { get(key: string): Pod | undefined; list(): Iterable<Pod> };
  readonly seed: number;
  readonly faults: FaultReporter;
  readonly volumes: VolumeView;
  readonly volumeBinder: VolumeBinder;
  readonly preemptor: Preemptor;
  readonly profiles: Profiles;
  readonly metrics: SchedulerMetrics;
  readonly pluginMetrics: PluginMetrics;
  readonly gangs: Gangs;
  readonly journal: Pick<Journal, 'note'>;
  /** Default: nothing is traced. */
  readonly tracing?: Tracing;
}

/** Volumes that nobody else gets before `release` is called. */
interface Promised {
  readonly promise: VolumePromise;
  readonly release: () => void;
}

/**
 * Takes pods one at a time, decides, assumes, and lets the binding finish behind: the next pod sees
 * the assumption, and bindings in flight together are committed together by the store.
 */
export class SchedulingLoop {
  private readonly binder: Binder;
  /** Those of attempts: what is only asked to explain them is not measured. */
  private readonly measured: Profiles;
  private bindingCount = 0;
  private bindingEnded: () => void = () => undefined;
  private turnStartedAtMs = 0;
  private gangs: GangPlacer | undefined;

  constructor(private readonly deps: SchedulingLoopDeps) {
    this.binder = new Binder(deps);
    this.measured = deps.profiles.measuredBy((name) => deps.pluginMetrics.meterOf(name));
  }

  async run(group: TaskGroup, signal: AbortSignal): Promise<void> {
    this.finishGangs(group);
    for (;;) {
      await this.bindingSlot(signal);
      const attempt = await this.deps.queue.pop(signal);
      if (attempt === undefined) return;
      this.tryOne(attempt, group);
      this.deps.cluster.offerTurnedAway(this.deps.pods.list());
      await this.giveWay();
    }
  }

  /** Groups of which a crash left a part go before all others. */
  private finishGangs(group: TaskGroup): void {
    const { cluster, gangs, queue } = this.deps;
    for (const { members } of gangs.inPart()) {
      for (const pod of members) {
        const attempt = cluster.isOurs(pod) ? queue.take(uidOf(pod)) : undefined;
        if (attempt === undefined) continue;
        // The others are tried with it.
        this.tryOne(attempt, group);
        break;
      }
    }
  }

  private tryOne(popped: Attempt, group: TaskGroup): void {
    const { queue, pods, cluster } = this.deps;
    const { info } = popped;
    const pod = pods.get(info.key);
    if (pod === undefined || pod.metadata.uid !== info.uid || !cluster.isOurs(pod)) {
      queue.remove(info.uid);
      return;
    }
    const attempt = this.numbered(popped);
    if (this.deps.tracing !== undefined) this.traceWait(attempt);
    try {
      this.place(attempt, pod, group);
    } catch (error) {
      // A pod that breaks a plugin must not stop the others.
      queue.failed(info.uid, 'AttemptFailed');
      this.deps.faults.report({ consumer: CONSUMER, resource: PODS, object: pod, error });
      this.recordError(attempt, describeError(error));
      this.ended(attempt, 'error');
    }
  }

  private ended({ info, takenAtMs }: Attempt, result: EndedAttempt['result']): void {
    const { clock, metrics } = this.deps;
    const { schedulerName = DEFAULT_SCHEDULER_NAME } = info.pod.spec;
    const seconds = (clock.monotonicMs() - takenAtMs) / 1000;
    metrics.ended({ result, profile: schedulerName, seconds });
  }

  private place(attempt: Attempt, pod: Pod, group: TaskGroup): void {
    const { snapshot, volumes, gangs, journal } = this.deps;
    const gang = gangs.of(pod);
    if (gang !== undefined && gang.neededCount > 0) {
      this.gangPlacer(group).place(attempt, pod, gang, group);
      return;
    }
    const info = volumes.resolve(attempt.info);
    const { decision, latencyMicros } = this.decide(info, this.measured.of(pod));
    const record = this.record({ ...attempt, info }, decision, latencyMicros);
    // Those of a group are left out: none was taken for itself.
    journal.note({ kind: 'decision', info, record });
    const { nodeName } = decision;
    if (nodeName === undefined) {
      this.refuse(pod, info, decision, group);
      this.ended(attempt, 'unschedulable');
      return;
    }
    snapshot.assume(attempt.info, nodeName);
    this.carryOut({ attempt, pod, info }, nodeName, this.promised(info, nodeName), group);
  }

  private decide(info: PodInfo, profile: Profile) {
    const { clock, engine, seed, metrics, pluginMetrics } = this.deps;
    const startMs = clock.monotonicMs();
    const decision = pluginMetrics.during(profile.schedulerName, () =>
      engine.decide(info, seed, profile),
    );
    const latencyMicros = Math.round((clock.monotonicMs() - startMs) * 1000);
    metrics.decided(decision, latencyMicros / 1e6);
    return { decision, latencyMicros };
  }

  /** The pod is assumed on its node, and its volumes are promised. */
  private carryOut(
    { attempt, pod, info }: Member,
    nodeName: string,
    promised: Promised | undefined,
    group: TaskGroup,
  ): void {
    const { queue } = this.deps;
    this.deps.cluster.endNomination(info.uid);
    queue.scheduled(info.uid);
    if (promised === undefined) group.run((signal) => this.bind(attempt, pod, nodeName, signal));
    else group.run((signal) => this.bindWithVolumes(attempt, pod, promised, signal));
  }

  private gangPlacer(group: TaskGroup): GangPlacer {
    const { cluster, snapshot, volumes, profiles, metrics } = this.deps;
    const promises = new Map<string, Promised>();
    const took = new WeakMap<Decision, number>();
    const resolve = ({ attempt }: Member): PodInfo => volumes.resolve(attempt.info);
    const record = ({ attempt, info }: Member, decision: Decision) =>
      this.record({ ...this.numbered(attempt), info }, decision, took.get(decision) ?? 0);
    return (this.gangs ??= new GangPlacer({
      ...this.deps,
      isWaiting: (pod) => cluster.isOurs(pod),
      room: this.roomOn(snapshot, promises),
      decide: (member) => {
        const profile = withoutPreemption(this.measured.of(member.pod));
        const { decision, latencyMicros } = this.decide(resolve(member), profile);
        took.set(decision, latencyMicros);
        return decision;
      },
      fitsOn: (member, nodeName) =>
        fitsOn(resolve(member), nodeName, {
          cluster: snapshot,
          profile: profiles.of(member.pod),
        }),
      preempt: (members, gang, promised) =>
        preemptForGroup(members, gang, promised, {
          ...this.deps,
          resolve,
          profileOf: ({ pod }) => profiles.of(pod),
          roomOn: (copy) => this.roomOn(copy, new Map()),
        }),
      accept: (member, decision) => {
        const { nodeName = '' } = decision;
        const { uid } = member.info;
        const promised = promises.get(uid);
        promises.delete(uid);
        record(member, decision);
        this.carryOut(member, nodeName, promised, group);
      },
      refuse: (member, decision) => {
        record({ ...member, info: resolve(member) }, decision);
        // Not in what was decided of it alone.
        const { preemption } = decision;
        if (preemption !== undefined) metrics.preempted(preemption.victims.length);
        this.refuse(member.pod, member.info, decision, group);
        this.ended(member.attempt, 'unschedulable');
      },
    }));
  }

  /** Where members of a group have their places while the others are tried. */
  private roomOn(cluster: Snapshot, promises: Map<string, Promised>): Room {
    return {
      assume: (info, nodeName) => {
        cluster.assume(info, nodeName);
        // Or those after it would count on the same volumes.
        const promised = this.promised(this.deps.volumes.resolve(info), nodeName);
        if (promised !== undefined) promises.set(info.uid, promised);
      },
      forget: (uid) => {
        promises.get(uid)?.release();
        promises.delete(uid);
        cluster.forget(uid);
      },
    };
  }

  /** It waits: for others to end, where that helps, or for something else to change. */
  private refuse(pod: Pod, info: PodInfo, decision: Decision, group: TaskGroup): void {
    const { queue, conditions, eventsFor, snapshot, cluster, preemptor } = this.deps;
    const { refusedBy, message, preemption, nominatedNodeName } = decision;
    if (nominatedNodeName === undefined) cluster.endNomination(info.uid);
    else snapshot.nominate(info, nominatedNodeName);
    queue.refused(info.uid, refusedBy, nominatedNodeName !== undefined);
    conditions.write(pod, { reason: 'Unschedulable', message, nominatedNodeName });
    eventsFor(pod).event(PODS, pod, 'Warning', 'FailedScheduling', message);
    if (preemption !== undefined) group.run((signal) => preemptor.evict(info, preemption, signal));
  }

  /** What must be done about the pod's claims before it is bound; undefined when nothing. */
  private promised({ volumes }: PodInfo, nodeName: string): Promised | undefined {
    const node = this.deps.snapshot.node(nodeName)?.node;
    if (volumes === undefined || volumes.delayed.length === 0 || node === undefined)
      return undefined;
    const plan = planVolumes(volumes, node);
    if (plan.kind === 'refused') return undefined;
    const promise = { ...plan, nodeName };
    return { promise, release: this.deps.volumes.promise(promise) };
  }

  /** However long its volumes take: pods without any are not held up by it. */
  private async bindWithVolumes(
    attempt: Attempt,
    pod: Pod,
    { promise, release }: Promised,
    signal: AbortSignal,
  ): Promise<void> {
    const { volumeBinder, eventsFor, faults, profiles, pluginMetrics } = this.deps;
    const { nodeName } = promise;
    try {
      const { schedulerName: profile, bindTimeoutMs } = profiles.of(pod);
      const result = await pluginMetrics.behind(
        { profile, plugin: 'VolumeBinding', point: 'PreBind' },
        volumeBinder.bind(pod, promise, bindTimeoutMs, signal),
        ({ kind }) => (kind === 'bound' ? 'Success' : 'Error'),
      );
      if (result.kind === 'bound') {
        await this.bind(attempt, pod, nodeName, signal);
        return;
      }
      if (result.kind === 'stopped') {
        if (!signal.aborted) this.forget(attempt.info.uid);
        return;
      }
      const message = `running PreBind plugin "VolumeBinding": ${result.message}`;
      this.recordError(attempt, message);
      this.ended(attempt, 'error');
      eventsFor(pod).event(PODS, pod, 'Warning', 'FailedScheduling', message);
      this.forget(attempt.info.uid);
      this.retry(attempt);
    } catch (error) {
      faults.report({ consumer: CONSUMER, resource: PODS, object: pod, error });
      this.forget(attempt.info.uid);
      this.retry(attempt);
    } finally {
      release();
    }
  }

  private async bind(
    attempt: Attempt,
    pod: Pod,
    nodeName: string,
    signal: AbortSignal,
  ): Promise<void> {
    this.bindingCount++;
    try {
      const result = await this.bound(pod, nodeName, signal);
      this.conclude(attempt, pod, nodeName, result);
    } catch (error) {
      // What became of the binding is unknown: the assumption stays until the watch tells.
      this.deps.faults.report({ consumer: CONSUMER, resource: PODS, object: pod, error });
    } finally {
      this.bindingCount--;
      this.bindingEnded();
    }
  }

  private bound(pod: Pod, nodeName: string, signal: AbortSignal): Promise<BindResult> {
    const { pluginMetrics, profiles } = this.deps;
    return pluginMetrics.behind(
      { profile: profiles.of(pod).schedulerName, plugin: 'DefaultBinder', point: 'Bind' },
      this.tracedBinding(pod, nodeName, signal),
      ({ kind }) => (kind === 'bound' ? 'Success' : 'Error'),
    );
  }

  private tracedBinding(pod: Pod, nodeName: string, signal: AbortSignal): Promise<BindResult> {
    const { tracing } = this.deps;
    if (tracing === undefined) return this.binder.bind(pod, nodeName, signal);
    const span = podSpan(tracing, pod.metadata.uid, 'Bind pod', () => ({
      attributes: { 'k8s.node.name': nodeName },
    }));
    const binding = this.binder.bind(pod, nodeName, signal).then((result) => {
      span?.set({ 'dhow.binding.result': result.kind });
      return result;
    });
    return spanning(span, binding);
  }

  private conclude(attempt: Attempt, pod: Pod, nodeName: string, result: BindResult): void {
    const { eventsFor, snapshot, log, metrics, clock } = this.deps;
    const { uid, key } = attempt.info;
    switch (result.kind) {
      case 'bound':
        eventsFor(pod).event(PODS, pod, 'Normal', 'Scheduled', assignedMessage(key, nodeName));
        this.warnOfEviction(pod, nodeName);
        this.ended(attempt, 'scheduled');
        metrics.bound(attempt.number, (clock.monotonicMs() - attempt.queuedAtMs) / 1000);
        return;
      case 'bound-elsewhere':
        snapshot.setPod(result.pod);
        this.freed(nodeName);
        return;
      case 'gone':
        this.forget(uid);
        return;
      case 'refused':
        log.warn({ pod: key, node: nodeName, why: result.message }, 'binding refused');
        this.recordError(attempt, `binding to ${nodeName} failed: ${result.message}`);
        this.ended(attempt, 'error');
        this.forget(uid);
        this.retry(attempt);
        return;
      case 'stopped':
        return;
    }
  }

  /** A pod that tolerates a NoExecute taint for a while only will not stay: better said now. */
  private warnOfEviction(pod: Pod, nodeName: string): void {
    const { eventsFor, snapshot } = this.deps;
    const taints = snapshot.node(nodeName)?.taints ?? [];
    const seconds = tolerationSecondsFor(pod.spec.tolerations, taints);
    if (seconds === undefined) return;
    const message = `${nodeName} has a NoExecute taint that the pod tolerates for ${seconds} s only`;
    eventsFor(pod).event(PODS, pod, 'Warning', 'EvictionExpected', message);
  }

  private retry(attempt: Attempt): void {
    const { pods, queue, cluster } = this.deps;
    const pod = pods.get(attempt.info.key);
    if (pod?.metadata.uid === attempt.info.uid && cluster.isOurs(pod)) {
      queue.retry(attempt, 'BindingFailed');
    }
  }

  private forget(uid: string): void {
    const nodeName = this.deps.snapshot.forget(uid);
    if (nodeName !== undefined) this.freed(nodeName);
  }

  private freed(nodeName: string): void {
    this.deps.cluster.freed(nodeName);
  }

  private record(attempt: Attempt, decision: Decision, latencyMicros: number): SchedulingDecision {
    const { clock, decisions, snapshot, queue, profiles } = this.deps;
    const profile = profiles.of(attempt.info.pod);
    if (this.deps.tracing !== undefined) this.traceAttempt(attempt, decision, latencyMicros);
    // It costs more than the decision: with a crowd waiting, only live explanations work it out.
    const hasTime = queue.readyCount < CROWD;
    const suggestion =
      decision.nodeName === undefined && hasTime
        ? suggest(attempt.info, snapshot, { profile })
        : undefined;
    const node = snapshot.node(decision.preemption?.nodeName ?? '');
    return decisions.record(decision, {
      attempt,
      ...(node === undefined ? {} : { node }),
      timeMs: clock.now(),
      latencyMicros,
      ...(suggestion === undefined ? {} : { suggestion }),
    });
  }

  /** It ends as the pod is taken. */
  private traceWait({ info, number, trigger, waitingSinceMs }: Attempt): void {
    const { tracing, clock } = this.deps;
    using _ended = podSpan(tracing, info.uid, 'Wait in queue', () => ({
      startMs: clock.now() - (clock.monotonicMs() - waitingSinceMs),
      attributes: { 'dhow.scheduling.attempt': number, 'dhow.scheduling.trigger': trigger },
    }));
  }

  private traceAttempt(
    { info, number }: Attempt,
    { nodeName, message }: Decision,
    latencyMicros: number,
  ): void {
    const { tracing, clock } = this.deps;
    using span = podSpan(tracing, info.uid, 'Schedule pod', () => ({
      startMs: clock.now() - latencyMicros / 1000,
      attributes: {
        'dhow.scheduling.attempt': number,
        'dhow.scheduling.result': nodeName === undefined ? 'unschedulable' : 'scheduled',
        ...(nodeName === undefined ? {} : { 'k8s.node.name': nodeName }),
      },
    }));
    if (nodeName === undefined) span?.fail(message);
  }

  /** A broken attempt counts as one of its own: records are never rewritten. */
  private recordError(attempt: Attempt, message: string): void {
    this.deps.decisions.recordError(this.numbered(attempt), message, this.deps.clock.now());
  }

  /** Counts on from what earlier runs of the scheduler recorded for this pod. */
  private numbered(attempt: Attempt): Attempt {
    const last = this.deps.decisions.latest(attempt.info.uid)?.spec.attempt ?? 0;
    return { ...attempt, number: Math.max(last + 1, attempt.number) };
  }

  private async bindingSlot(signal: AbortSignal): Promise<void> {
    while (this.bindingCount >= BINDINGS_IN_FLIGHT_MAX && !signal.aborted) {
      await new Promise<void>((resolve) => (this.bindingEnded = resolve));
    }
  }

  /** Lets sockets and timers run: a long queue would otherwise hold the process for seconds. */
  private async giveWay(): Promise<void> {
    const nowMs = this.deps.clock.monotonicMs();
    if (nowMs - this.turnStartedAtMs < TURN_MS) return;
    await new Promise((resolve) => setImmediate(resolve));
    this.turnStartedAtMs = this.deps.clock.monotonicMs();
  }
}

/** Enough for full commit batches, few enough that a stalled store is noticed soon. */
const BINDINGS_IN_FLIGHT_MAX = 256;
const TURN_MS = 5;
const CROWD = 64;
