import { setMaxListeners } from 'node:events';
import { onAbort } from '../../lib/async/on-abort';
import type { PodExplanation, SchedulingDecision } from '../../api/decisions';
import { NODES, PODS } from '../../api/resources';
import type { Node, Pod } from '../../api/types';
import type { ApiClient } from '../../client/api-client';
import { ApiEventRecorder, type EventRecorder } from '../../client/events';
import { Informer } from '../../client/informer';
import { loggedFaults, type FaultReporter } from '../../client/object-faults';
import type { Placements } from '../../client/placements';
import type { VirtualResource } from '../../client/virtual-resource';
import { keepRunning } from '../../lib/async/keep-running';
import { TaskGroup } from '../../lib/async/task-group';
import type { Clock } from '../../lib/clock';
import type { Log } from '../../lib/log';
import type { Random } from '../../lib/random';
import { ClusterEvents, CONSUMER, DEFAULT_SCHEDULER_NAME, mayFit } from './cluster-events';
import { ConditionWriter } from './condition-writer';
import { DecisionLog } from './decisions/decision-log';
import { Segments } from './decisions/segments';
import { PodExplanations } from './explanations';
import { SnapshotPlacements } from './placements';
import { DEFAULT_PROFILE } from './profile';
import { SchedulingQueue } from './queue';
import { SchedulingLoop } from './scheduling-loop';
import { Snapshot } from './snapshot';

export interface SchedulerDeps {
  readonly client: ApiClient;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** Where decision records are kept; without it, in memory only. */
  readonly dir?: string;
  /** Breaks ties; equal seeds place alike. Default: drawn from `random`. */
  readonly seed?: number;
  /** Informers that the caller runs and shares; without them the scheduler runs its own. */
  readonly pods?: Informer<Pod>;
  readonly nodes?: Informer<Node>;
  /** Default: writes `v1 Event` objects through `client`. */
  readonly events?: EventRecorder;
  /** Told of objects that the scheduler cannot handle. Default: they are only logged. */
  readonly faults?: FaultReporter;
  /** Pods with another `spec.schedulerName` are left alone. Default `default-scheduler`. */
  readonly schedulerName?: string;
}

export interface Scheduler {
  readonly decisions: VirtualResource<SchedulingDecision>;
  readonly explanations: VirtualResource<PodExplanation>;
  readonly placements: Placements;
  /** Places pods until `signal` aborts. Call once, and on one server at a time. */
  run(signal: AbortSignal): Promise<void>;
}

/** Puts a scheduler together. What it answers may be served before and after `run`. */
export const createScheduler = (deps: SchedulerDeps): Scheduler => {
  const { client, clock, random, log, dir, schedulerName = DEFAULT_SCHEDULER_NAME } = deps;
  const { faults = loggedFaults(log) } = deps;
  const informerDeps = { client, clock, random, log, faults };
  const pods = deps.pods ?? new Informer(PODS, informerDeps);
  const nodes = deps.nodes ?? new Informer(NODES, informerDeps);
  const events =
    deps.events ?? new ApiEventRecorder({ client, clock, log, component: schedulerName });
  const segments = dir === undefined ? undefined : new Segments({ dir, clock, log });
  const decisions = new DecisionLog(segments);
  const snapshot = new Snapshot();
  const queue = new SchedulingQueue({ clock, mayFit: mayFit(snapshot), wakeEventsOf });
  const conditions = new ConditionWriter({ client, clock, log });
  const cluster = new ClusterEvents({ snapshot, queue, conditions, schedulerName, faults });
  const seed = deps.seed ?? Math.floor(random.next() * 2 ** 32);
  const loop = new SchedulingLoop({
    ...{
      client,
      clock,
      random,
      log,
      events,
      decisions,
      snapshot,
      queue,
      cluster,
      conditions,
      pods,
      seed,
      faults,
    },
  });

  const run = async (signal: AbortSignal): Promise<void> => {
    await decisions.load(clock.now());
    await using _files = segments ?? NOTHING;
    await using group = new TaskGroup(signal);
    // Every binding in flight listens to it: there is no leak to warn of.
    setMaxListeners(0, group.signal);
    conditions.start(group);
    if (deps.nodes === undefined) group.run((each) => nodes.run(each));
    if (deps.pods === undefined) group.run((each) => pods.run(each));
    const unsubscribe = subscribe(cluster, pods, nodes);
    try {
      group.run(async (each) => {
        await synced(pods, nodes, each);
        await keepRunning(
          'scheduler',
          (signal) => loop.run(group, signal),
          { clock, random, log },
          each,
        );
      });
      await group.wait();
    } finally {
      unsubscribe();
    }
  };

  return {
    decisions,
    explanations: new PodExplanations({ pods, snapshot, queue, decisions, schedulerName }),
    placements: new SnapshotPlacements({ snapshot, sources: [pods, nodes], schedulerName }),
    run,
  };
};

const subscribe = (
  cluster: ClusterEvents,
  pods: Informer<Pod>,
  nodes: Informer<Node>,
): (() => void) => {
  const stops = [
    nodes.subscribe({
      name: CONSUMER,
      onAdd: (node) => cluster.nodeAdded(node),
      onUpdate: (node, previous) => cluster.nodeChanged(node, previous),
      onDelete: (node) => cluster.nodeGone(node),
    }),
    pods.subscribe({
      name: CONSUMER,
      onAdd: (pod) => cluster.podChanged(pod),
      onUpdate: (pod, previous) => cluster.podChanged(pod, previous),
      onDelete: (pod) => cluster.podGone(pod),
    }),
  ];
  return () => stops.forEach((stop) => stop());
};

/** Placing before both lists are in would take full nodes for empty ones. */
const synced = async (
  pods: Informer<Pod>,
  nodes: Informer<Node>,
  signal: AbortSignal,
): Promise<void> => {
  const aborted = new Promise<void>((resolve) => {
    if (signal.aborted) resolve();
    else onAbort(signal, () => resolve());
  });
  await Promise.race([aborted, Promise.all([pods.whenSynced(), nodes.whenSynced()])]);
};

const wakeEventsOf = (plugin: string) =>
  DEFAULT_PROFILE.filters.find(({ name }) => name === plugin)?.wakeOn ?? [];

const NOTHING: AsyncDisposable = { [Symbol.asyncDispose]: async () => undefined };
