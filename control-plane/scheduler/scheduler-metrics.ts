import { exponentialBounds, Histogram } from '../../lib/histogram';
import { histograms, labelText, metric } from '../../lib/metrics-text';
import type { Decision } from './decide';
import type { QueueCounts } from './queue';

/** What is measured of an attempt once it has ended. */
export interface EndedAttempt {
  readonly result: 'scheduled' | 'unschedulable' | 'error';
  /** The name of the pod's scheduler. */
  readonly profile: string;
  /** From when it was taken until it was bound, or refused. */
  readonly seconds: number;
}

/**
 * What upstream's scheduler counts, under its names, and what it does not: who refuses, and why. Memory
 * is bounded by plugins, events and reasons. Source: upstream's pkg/scheduler/metrics.
 */
export class SchedulerMetrics {
  private readonly attempts = new Map<string, { count: number; durations: Histogram }>();
  private readonly algorithm = new Histogram(ATTEMPT_BOUNDS);
  private readonly waits = new Map<string, Histogram>();
  private readonly tries = new Histogram(exponentialBounds(1, 2, 5));
  private readonly victims = new Histogram(exponentialBounds(1, 2, 7));
  private readonly incoming = new Map<string, number>();
  private readonly refusing = new Map<string, number>();
  private readonly refusedNodes = new Map<string, number>();
  private preemptions = 0;
  private oversleepers = 0;

  /** `counts` tells of now, when asked. */
  constructor(private readonly queue: { counts(): QueueCounts }) {}

  decided({ reasons, refusedBy, preemption }: Decision, seconds: number): void {
    this.algorithm.observe(seconds);
    for (const plugin of refusedBy) increase(this.refusing, labelText({ plugin }));
    for (const [reason, count] of Object.entries(reasons))
      increase(this.refusedNodes, labelText({ reason }), count);
    if (preemption !== undefined) this.preempted(preemption.victims.length);
  }

  /** Pods are to end so that another fits. */
  preempted(victimCount: number): void {
    this.preemptions++;
    this.victims.observe(victimCount);
  }

  ended({ result, profile, seconds }: EndedAttempt): void {
    const labels = labelText({ result, profile });
    const known = this.attempts.get(labels) ?? {
      count: 0,
      durations: new Histogram(ATTEMPT_BOUNDS),
    };
    known.count++;
    known.durations.observe(seconds);
    this.attempts.set(labels, known);
  }

  /** A pod has its node: `seconds` since it was first queued. */
  bound(attempts: number, seconds: number): void {
    this.tries.observe(attempts);
    const labels = labelText({ attempts: attempts >= 16 ? '16+' : String(attempts) });
    const known = this.waits.get(labels) ?? new Histogram(exponentialBounds(0.01, 2, 20));
    known.observe(seconds);
    this.waits.set(labels, known);
  }

  /** A pod fitted a node while it waited for a change. */
  overslept(): void {
    this.oversleepers++;
  }

  /** A pod came to a queue. */
  queued(queue: string, event: string): void {
    increase(this.incoming, labelText({ queue, event: EVENT_LABELS[event] ?? event }));
  }

  /** In the text format of Prometheus. */
  lines(): readonly string[] {
    return [...this.attemptLines(), ...this.queueLines(), ...this.refusalLines()];
  }

  private attemptLines(): readonly string[] {
    return [
      ...metric(
        'scheduler_schedule_attempts_total',
        'counter',
        "Number of attempts to schedule pods, by the result. 'unschedulable' means a pod could not be scheduled, while 'error' means an internal scheduler problem.",
        [...this.attempts].map(([labels, { count }]) => [labels, count] as const),
      ),
      ...histograms(
        'scheduler_scheduling_attempt_duration_seconds',
        'Scheduling attempt latency in seconds (scheduling algorithm + binding)',
        [...this.attempts].map(([labels, { durations }]) => [labels, durations] as const),
      ),
      ...histograms(
        'scheduler_scheduling_algorithm_duration_seconds',
        'Scheduling algorithm latency in seconds',
        [['', this.algorithm]],
      ),
      ...histograms(
        'scheduler_pod_scheduling_sli_duration_seconds',
        'E2e latency for a pod being scheduled, from the time the pod enters the scheduling queue and might involve multiple scheduling attempts.',
        [...this.waits],
      ),
      ...histograms(
        'scheduler_pod_scheduling_attempts',
        'Number of attempts to successfully schedule a pod.',
        [['', this.tries]],
      ),
      ...metric(
        'scheduler_preemption_attempts_total',
        'counter',
        'Total preemption attempts in the cluster till now',
        [['', this.preemptions]],
      ),
      ...histograms('scheduler_preemption_victims', 'Number of selected preemption victims', [
        ['', this.victims],
      ]),
    ];
  }

  private queueLines(): readonly string[] {
    const { pending, unschedulable } = this.queue.counts();
    return [
      ...metric(
        'scheduler_pending_pods',
        'gauge',
        'Number of pending pods, by the queue type.',
        Object.entries(pending).map(([queue, count]) => [labelText({ queue }), count] as const),
      ),
      ...metric(
        'scheduler_queue_incoming_pods_total',
        'counter',
        'Number of pods added to scheduling queues by event and queue type.',
        [...this.incoming],
      ),
      ...metric(
        'scheduler_unschedulable_pods',
        'gauge',
        'The number of unschedulable pods broken down by plugin name. A pod will increment the gauge for all plugins that caused it to not schedule and so this metric have meaning only when broken down by plugin.',
        [...unschedulable].flatMap(([profile, plugins]) =>
          [...plugins].map(([plugin, count]) => [labelText({ plugin, profile }), count] as const),
        ),
      ),
    ];
  }

  private refusalLines(): readonly string[] {
    return [
      ...metric(
        'dhow_scheduler_overslept_pods_total',
        'counter',
        'Pods that fitted a node and that no change had woken: found by the self-check, and tried.',
        [['', this.oversleepers]],
      ),
      ...metric(
        'dhow_scheduler_plugin_refusals_total',
        'counter',
        'Attempts in which a plugin refused a node, by plugin.',
        [...this.refusing],
      ),
      ...metric(
        'dhow_scheduler_node_refusals_total',
        'counter',
        'Nodes that were refused, by the first reason.',
        [...this.refusedNodes],
      ),
    ];
  }
}

const increase = (counts: Map<string, number>, labels: string, by = 1): void => {
  const known = counts.get(labels);
  if (known === undefined && counts.size >= SERIES_MAX) return;
  counts.set(labels, (known ?? 0) + by);
};

/** Upstream's labels of what puts pods into queues. Source: framework/events.go. */
const EVENT_LABELS: Readonly<Record<string, string>> = {
  PodAdded: 'PodAdd',
  PodUpdated: 'PodUpdate',
  GatesLifted: 'PodUpdate',
  NodeAdded: 'NodeAdd',
  NodeLabelsChanged: 'NodeLabelChange',
  NodeTaintsChanged: 'NodeTaintChange',
  NodeAllocatableChanged: 'NodeAllocatableChange',
  PodRemoved: 'AssignedPodDelete',
  PeriodicRetry: 'UnschedulableTimeout',
  AttemptFailed: 'ScheduleAttemptFailure',
  BindingFailed: 'ScheduleAttemptFailure',
};

const ATTEMPT_BOUNDS = exponentialBounds(0.001, 2, 15);
const SERIES_MAX = 500;
