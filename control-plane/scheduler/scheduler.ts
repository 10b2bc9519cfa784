import { setMaxListeners } from 'node:events';
import type { PodExplanation, SchedulingDecision } from '../../api/decisions';
import { keyOf, type Pod } from '../../api/types';
import type { ApiClient } from '../../client/api-client';
import { ApiEventRecorder, type EventRecorder } from '../../client/events';
import { loggedFaults, type FaultReporter } from '../../client/object-faults';
import { NamespaceIndex } from '../../client/namespace-index';
import type { Placements } from '../../client/placements';
import type { VirtualResource } from '../../client/virtual-resource';
import { keepRunning } from '../../lib/async/keep-running';
import { TaskGroup } from '../../lib/async/task-group';
import type { Clock } from '../../lib/clock';
import type { Log } from '../../lib/log';
import type { Random } from '../../lib/random';
import type { Tracing } from '../../lib/tracing/tracing';
import type { CaptureSources } from './capture/capture';
import { Changes } from './changes';
import { ClusterEvents } from './cluster-events';
import { ConditionWriter } from './condition-writer';
import { DecisionLog } from './decisions/decision-log';
import { Segments } from './decisions/segments';
import { IndexedEngine } from './engine/indexed-engine';
import { COSCHEDULING, Gangs } from './gangs/gangs';
import { PodExplanations } from './explanations';
import { Preemptor } from './preemptor';
import { SnapshotPlacements } from './placements';
import type { WakeEvent } from './plugins/plugin';
import { PluginMetrics } from './plugin-metrics';
import { selectorsFrom } from './pod-selectors';
import { DEFAULT_PROFILE, DEFAULT_SCHEDULER_NAME, Profiles, type Profile } from './profile';
import { SchedulingQueue, type Backoff } from './queue';
import { Journal } from './replay/journal';
import { SchedulerMetrics } from './scheduler-metrics';
import { SchedulingLoop } from './scheduling-loop';
import { SelfCheck } from './self-check';
import { Snapshot } from './snapshot';
import { subscribe, synced, viewsOf, type Views } from './views';
import { DriverFacts } from './volumes/storage-facts';
import { VolumeBinder } from './volumes/volume-binder';
import { VolumeView } from './volumes/volume-view';

/** Views are informers that the caller runs and shares; without them the scheduler runs its own. */
export interface SchedulerDeps extends Partial<Views> {
  readonly client: ApiClient;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** Where decision records are kept; without it, in memory only. */
  readonly dir?: string;
  /** Breaks ties; equal seeds place alike. Default: drawn from `random`. */
  readonly seed?: number;
  /** Default: writes `v1 Event` objects through `client`. */
  readonly events?: EventRecorder;
  /** Told of objects that the scheduler cannot handle. Default: they are only logged. */
  readonly faults?: FaultReporter;
  /** Pods whose `spec.schedulerName` is of none are left alone. Default: upstream's one. */
  readonly profiles?: readonly Profile[];
  readonly backoff?: Backoff;
  /** What profiles and backoff were read from: captures hold it. */
  readonly configuration?: string;
  /** Of Dhow: captures tell it. */
  readonly version?: string;
  /** What nodes said of classes of pods may take up so much. */
  readonly podClassBytes?: number;
  /** Default: nothing is traced. */
  readonly tracing?: Tracing;
}

export interface Scheduler {
  readonly decisions: VirtualResource<SchedulingDecision>;
  readonly explanations: VirtualResource<PodExplanation>;
  readonly placements: Placements;
  /** For whoever collects metrics. */
  readonly metrics: Pick<SchedulerMetrics, 'lines'>;
  /** Places pods until `signal` aborts, and then follows its views no more. Call once. */
  run(signal: AbortSignal): Promise<void>;
}

/** Puts a scheduler together. What it answers may be served before and after `run`. */
export const createScheduler = (deps: SchedulerDeps): Scheduler => {
  const { client, clock, random, log, dir, faults = loggedFaults(log) } = deps;
  const profiles = new Profiles(deps.profiles ?? [DEFAULT_PROFILE]);
  const { views, own } = viewsOf(deps, { client, clock, random, log, faults });
  const { pods } = views;
  const seed = seedOf(deps);
  const eventsFor = recordersOf(deps);
  const segments = dir === undefined ? undefined : new Segments({ dir, clock, log });
  const decisions = new DecisionLog(segments);
  const { snapshot, indexes } = snapshotAmid(views);
  const journal = new Journal(snapshot);
  const volumes = volumesAmid(views, snapshot);
  const { queue, metrics, pluginMetrics, measured, lines } = measuredQueue(deps, profiles);
  const changes = new Changes({ snapshot, volumes, profiles });
  const conditions = new ConditionWriter({ client, clock, log });
  const cluster = new ClusterEvents({ snapshot, queue, changes, conditions, profiles, faults });
  const volumeBinder = new VolumeBinder({
    ...{ client, clock, claims: views.claims, volumes: views.volumes },
    node: (name) => snapshot.node(name)?.node,
    isWanted: (pod) => isWanted(cluster, pods.get(keyOf(pod)), pod),
  });
  const isAssumed = (uid: string) => snapshot.isAssumed(uid);
  const gangs = new Gangs({ groups: views.groups, pods, isAssumed });
  const preemptor = new Preemptor({ client, eventsFor, clock, log });
  const engine = engineOver(snapshot, deps);
  const loop = new SchedulingLoop({
    ...{ client, clock, random, log, eventsFor, decisions, snapshot, queue, cluster, conditions },
    ...{ pods, seed, faults, volumes, volumeBinder, preemptor, profiles, gangs, metrics, journal },
    ...{ pluginMetrics, engine },
    ...(deps.tracing === undefined ? {} : { tracing: deps.tracing }),
  });
  // What the engine keeps is the same for both, and so must be its profiles.
  const asked = { engine, seed, profiles: measured, volumes };
  const selfCheck = new SelfCheck({ clock, log, queue, metrics, ...asked });

  const run = async (signal: AbortSignal): Promise<void> => {
    await decisions.load(clock.now());
    await using _files = segments ?? NOTHING;
    await using group = new TaskGroup(signal);
    // Every binding in flight listens to it: there is no leak to warn of.
    setMaxListeners(0, group.signal);
    conditions.start(group);
    for (const informer of own) group.run((each) => informer.run(each));
    group.run((each) => selfCheck.run(each));
    const unsubscribe = subscribe(cluster, volumeBinder, views);
    try {
      group.run(async (each) => {
        await synced(views, each);
        const place = (signal: AbortSignal) => loop.run(group, signal);
        await keepRunning('scheduler', place, { clock, random, log }, each);
      });
      await group.wait();
    } finally {
      unsubscribe();
      for (const index of indexes) index[Symbol.dispose]();
    }
  };

  return {
    decisions,
    metrics: { lines },
    explanations: new PodExplanations({
      ...{ pods, snapshot, queue, decisions, profiles, volumes, gangs },
    }),
    placements: new SnapshotPlacements({
      ...{ snapshot, queue, clock, journal, seed, profiles, volumes, gangs },
      ...{ sources: Object.values(views), captured: captureSourcesOf(views, deps) },
    }),
    run,
  };
};

const captureSourcesOf = (
  { namespaces, budgets, claims }: Views,
  { configuration, version: dhowVersion = 'development' }: SchedulerDeps,
): CaptureSources => ({
  ...{ namespaces, budgets, claims, dhowVersion },
  ...(configuration === undefined ? {} : { configuration }),
});

const wakeEventsIn =
  (profiles: Profiles) =>
  (plugin: string): readonly WakeEvent[] =>
    plugin === COSCHEDULING ? ['PodGroupChanged'] : profiles.wakeEventsOf(plugin);

const seedOf = ({ seed, random }: SchedulerDeps): number =>
  seed ?? Math.floor(random.next() * 2 ** 32);

const engineOver = (cluster: Snapshot, { log, podClassBytes }: SchedulerDeps): IndexedEngine =>
  new IndexedEngine({
    cluster,
    ...(podClassBytes === undefined ? {} : { bytesMax: podClassBytes }),
    onFault: (error) => log.error({ err: error }, 'what nodes say of a class of pods is not kept'),
  });

/** Is it still there, and still to be placed? */
const isWanted = (cluster: ClusterEvents, now: Pod | undefined, { metadata }: Pod): boolean =>
  now !== undefined && now.metadata.uid === metadata.uid && cluster.isOurs(now);

const measuredQueue = ({ clock, random, backoff }: SchedulerDeps, profiles: Profiles) => {
  const queue: SchedulingQueue = new SchedulingQueue({
    ...{ clock, wakeEventsOf: wakeEventsIn(profiles) },
    ...(backoff === undefined ? {} : { backoff }),
    onQueued: (name, event) => metrics.queued(name, event),
  });
  const metrics = new SchedulerMetrics(queue);
  const pluginMetrics = new PluginMetrics({ clock, random });
  const lines = () => [...metrics.lines(), ...pluginMetrics.lines()];
  const measured = profiles.measuredBy((name) => pluginMetrics.meterOf(name));
  return { queue, metrics, pluginMetrics, measured, lines };
};

const snapshotAmid = (views: Views) => {
  const budgets = new NamespaceIndex(views.budgets);
  const services = new NamespaceIndex(views.services);
  const snapshot: Snapshot = new Snapshot({
    namespaceLabels: (name) => views.namespaces.get(name)?.metadata.labels,
    budgetsIn: (namespace) => budgets.in(namespace),
    selectorFor: selectorsFrom({ ...views, servicesIn: (namespace) => services.in(namespace) }),
    storage: new DriverFacts({
      ...views,
      isClaimUsedOn: (claimKey, nodeName) => snapshot.isClaimUsedOn(claimKey, nodeName),
    }),
  });
  return { snapshot, indexes: [budgets, services] };
};

const volumesAmid = (views: Views, snapshot: Snapshot): VolumeView =>
  new VolumeView({
    ...views,
    isClaimUsed: (claimKey, butUid) => snapshot.isClaimUsed(claimKey, butUid),
  });

/** Events come from the scheduler that the pod names: one recorder for each. */
const recordersOf = ({ events, ...deps }: SchedulerDeps): ((pod: Pod) => EventRecorder) => {
  const recorders = new Map<string, EventRecorder>();
  return ({ spec: { schedulerName: component = DEFAULT_SCHEDULER_NAME } }) => {
    if (events !== undefined) return events;
    const recorder = recorders.get(component) ?? new ApiEventRecorder({ ...deps, component });
    recorders.set(component, recorder);
    return recorder;
  };
};

const NOTHING: AsyncDisposable = { [Symbol.asyncDispose]: async () => undefined };
