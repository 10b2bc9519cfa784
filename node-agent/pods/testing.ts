import type { Container, Pod, PodSpec, PodStatus } from '../../api/types';
import { FakeContainerRuntime } from '../../runtime/containers';
import { FakeImageService } from '../../runtime/images';
import { FakePodNetwork } from '../../runtime/network';
import { JobThread } from '../../lib/async/job-thread';
import { Semaphore } from '../../lib/async/semaphore';
import { ManualClock } from '../../lib/clock';
import { silentLog } from '../../lib/log';
import { seededRandom } from '../../lib/random';
import { ImagePuller } from '../images/image-puller';
import { PullRecords } from '../images/pull-records';
import { ProbeRunner, type ProbeAction } from '../probes/probe-runner';
import type { EventSink } from '../outbox/event-outbox';
import { StatusOutbox } from '../outbox/status-outbox';
import { DEFAULT_SETTINGS } from '../settings';
import { measure, METER_HEAP_MAX_MB } from '../storage/meter';
import { StorageKeeper } from '../storage/storage-keeper';
import { storagePlacesOf } from '../storage/storage-places';
import { fakeMounter, noNfs } from '../volumes/fake-mounter';
import { VolumeManager } from '../volumes/volume-manager';
import type { ObjectSource } from '../pod-spec/environment';
import { ANY_CPUS } from '../cpus/pod-cpus';
import { NO_DEVICES } from '../devices/device-manager';
import { QosGroups } from '../containers/qos-groups';
import { ExitBell } from '../containers/exit-bell';
import type { PodDeps } from '../containers/pod-deps';
import { PodManager } from './pod-manager';
import { AllocationStore } from '../inventory/allocation-store';
import { PodPaths } from '../inventory/pod-paths';
import { PodLogs } from '../logs/pod-logs';

export const testContainer = (more: Partial<Container> = {}): Container => ({
  name: 'web',
  image: 'web:1',
  command: ['sh', '-c', 'sleep 100000'],
  ...more,
});

export interface TestPodOptions {
  readonly spec?: Partial<PodSpec>;
  readonly status?: PodStatus;
  readonly metadata?: Partial<Pod['metadata']>;
}

/** A pod `default/web` with one container that sleeps. */
export const testPod = ({ spec, status, metadata }: TestPodOptions = {}): Pod => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'web', namespace: 'default', uid: 'uid-1', ...metadata },
  spec: { containers: [testContainer()], restartPolicy: 'Always', nodeName: 'n1', ...spec },
  status: { phase: 'Pending', ...status },
});

/** A node's pods on fakes and a clock that the test moves. */
export interface PodBench {
  readonly clock: ManualClock;
  readonly runtime: FakeContainerRuntime;
  readonly images: FakeImageService;
  readonly network: FakePodNetwork;
  readonly manager: PodManager;
  readonly deps: PodDeps;
  /** The status reported last. */
  status(uid?: string): PodStatus;
  /** True once the pod was reported as terminated. */
  isTerminated(uid?: string): boolean;
  /** `reason: message` of every event. */
  events(): readonly string[];
  run(...pods: readonly Pod[]): Promise<void>;
  /** Moves time in small steps until `reached`, at most `limitMs` (a minute). */
  until(reached: () => boolean, limitMs?: number): Promise<void>;
  stop(): Promise<void>;
}

export interface PodBenchOptions {
  readonly directory: string;
  readonly runtime?: FakeContainerRuntime;
  readonly clock?: ManualClock;
  readonly probeAction?: ProbeAction;
  readonly objects?: ObjectSource;
  readonly admit?: PodDeps['admit'];
  readonly refuseResize?: PodDeps['refuseResize'];
  readonly runtimeClass?: PodDeps['runtimeClass'];
  readonly speaksSctp?: PodDeps['speaksSctp'];
  readonly logDir?: string;
  readonly csi?: PodDeps['csi'];
  readonly devices?: PodDeps['devices'];
  readonly tracing?: PodDeps['tracing'];
  readonly cpus?: (deps: {
    readonly runtime: FakeContainerRuntime;
    readonly hasGivenUp: (uid: string) => boolean;
  }) => PodDeps['cpus'];
}

const settings = DEFAULT_SETTINGS;
const NODE = {
  name: 'n1',
  ips: ['192.0.2.1'],
  cpuMillis: 2000,
  memoryBytes: 2 ** 31,
  capacityBytes: 2 ** 31,
};
const NO_SERVICES: PodDeps['services'] = { list: () => [], whenKnown: () => Promise.resolve() };
const NO_POLICIES: PodDeps['policies'] = { prepare: () => Promise.resolve() };
const NO_DRIVERS: PodDeps['csi'] = {
  prepare: () => Promise.reject(new Error('no driver')),
  release: () => Promise.resolve(),
};
const NO_OBJECTS: ObjectSource = { secret: () => undefined, configMap: () => undefined };

export const createPodBench = (options: PodBenchOptions): PodBench => {
  const { directory, objects = NO_OBJECTS, admit = () => undefined, probeAction } = options;
  const { csi = NO_DRIVERS, devices = NO_DEVICES, runtimeClass = () => undefined } = options;
  const { tracing, clock = new ManualClock(Date.UTC(2026, 0, 1)) } = options;
  const runtime = options.runtime ?? new FakeContainerRuntime({ clock });
  const images = new FakeImageService();
  images.publish('web:1');
  const network = new FakePodNetwork(['10.42.0.0/24'], clock);
  const { seen, events } = recordedEvents();
  const { statuses, reports } = storedStatuses(clock);
  const random = seededRandom(1);
  const paths = new PodPaths(directory, `${directory}/run`, options.logDir);
  const volumes = volumesIn(directory);
  const active = () => manager.active();
  const deps: PodDeps = {
    runtime,
    images,
    puller: pullerOf(directory, { images, objects, events, clock, settings, tracing }),
    network: openNetwork(network, () => manager.hostPorts()),
    policies: NO_POLICIES,
    volumes,
    storage: storageKeeper({ runtime, volumes, paths }),
    ...{ objects, services: NO_SERVICES, csi, devices, runtimeClass, admit },
    probes: probesOf({ runtime, clock, random }, probeAction),
    statuses,
    events,
    exits: new ExitBell(),
    paths,
    logs: new PodLogs(paths, silentLog),
    node: () => NODE,
    ...{ settings, podPidsLimit: 100 },
    groups: new QosGroups({ ...{ runtime, allPods: NODE, log: silentLog }, pods: active }),
    cpus: options.cpus?.({ runtime, hasGivenUp: givenUpIn(() => manager) }) ?? ANY_CPUS,
    clusterNames: () => ({ servers: ['10.96.0.10'], domain: 'cluster.local' }),
    ...{ resolvConfPath: '/etc/resolv.conf', speaksSctp: options.speaksSctp ?? (() => true) },
    startSlots: new Semaphore(4, { holdMaxMs: settings.startHoldMs, clock }),
    refuseResize: options.refuseResize ?? (() => undefined),
    resizeInOrder: () => manager.resizeInOrder(),
    allocations: new AllocationStore(`${directory}/allocations`, silentLog),
    noteStatus: () => undefined,
    ...{ clock, random, log: silentLog, tracing },
  };
  const manager: PodManager = new PodManager(deps);
  let version = 0;
  const stopping = new AbortController();
  const following = manager.followRuntime(stopping.signal);
  return {
    clock,
    runtime,
    images,
    network,
    manager,
    deps,
    status: (uid = 'uid-1') => reports.get(uid)?.status ?? {},
    isTerminated: (uid = 'uid-1') => reports.get(uid)?.terminated ?? false,
    events: () => seen,
    run: async (...pods) => {
      manager.sync(assigned(pods, ++version));
      await clock.advance(0);
    },
    until: (reached, limitMs = 60_000) => advanceUntil(clock, reached, limitMs),
    stop: async () => {
      stopping.abort();
      await manager.stop();
      await following;
    },
  };
};

const givenUpIn =
  (manager: () => PodManager) =>
  (uid: string): boolean =>
    manager().worker(uid)?.hasGivenUp ?? false;

const probesOf = (
  deps: Pick<PodDeps, 'runtime' | 'clock' | 'random'>,
  action: ProbeAction | undefined,
): ProbeRunner =>
  new ProbeRunner({
    ...deps,
    slackMs: settings.probeSlackMs,
    ...(action === undefined ? {} : { action }),
  });

const pullerOf = (
  directory: string,
  deps: Omit<ConstructorParameters<typeof ImagePuller>[0], 'records'>,
): ImagePuller => {
  const { images } = deps;
  const records = new PullRecords({ directory: `${directory}/pulls`, images, log: silentLog });
  return new ImagePuller({ ...deps, records });
};

const volumesIn = (directory: string): VolumeManager =>
  new VolumeManager({
    stateDir: directory,
    runDir: `${directory}/run`,
    mounter: fakeMounter(),
    nfs: noNfs,
    claims: { claim: () => undefined, volume: () => undefined },
    tokens: (key) => ({ key, token: `token of ${key}` }),
    node: () => undefined,
  });

const openNetwork = (
  network: FakePodNetwork,
  ports: PodManager['hostPorts'],
): PodDeps['network'] => ({
  current: network,
  whenOpen: () => Promise.resolve(network),
  publishHostPorts: () => network.syncHostPorts(ports()),
  changed: () => void network.syncHostPorts(ports()),
});

const storageKeeper = (places: Pick<PodDeps, 'runtime' | 'volumes' | 'paths'>): StorageKeeper =>
  new StorageKeeper({
    meter: new JobThread({ path: undefined, run: measure, heapMaxMb: METER_HEAP_MAX_MB }),
    placesOf: (pod) => storagePlacesOf(pod, places),
    log: silentLog,
  });

/** As from the server, which gives every state of an object a version of its own. */
const assigned = (pods: readonly Pod[], version: number): ReadonlyMap<string, Pod> =>
  new Map(
    pods.map((pod) => {
      const metadata = { ...pod.metadata, resourceVersion: String(version) };
      return [metadata.uid ?? '', { ...pod, metadata }];
    }),
  );

const advanceUntil = async (
  clock: ManualClock,
  reached: () => boolean,
  limitMs: number,
): Promise<void> => {
  for (let ms = 0; ms <= limitMs; ms += 250) {
    // File system calls finish in real time, between steps of the clock.
    for (let turn = 0; turn < 20 && !reached(); turn++)
      await new Promise((resolve) => setTimeout(resolve, 1));
    if (reached()) return;
    await clock.advance(250);
  }
  throw new Error('condition not reached');
};

const recordedEvents = () => {
  const seen: string[] = [];
  const emit: EventSink['emit'] = (_object, { reason, message }) =>
    seen.push(`${reason}: ${message}`);
  return { seen, events: { emit } };
};

/** An outbox whose server stores everything at once. */
const storedStatuses = (clock: ManualClock) => {
  const statuses = new StatusOutbox(clock);
  const reports = new Map<string, { status: PodStatus; terminated: boolean }>();
  const put = statuses.put.bind(statuses);
  statuses.put = (report) => {
    reports.set(report.uid, report);
    put(report);
    for (const { uid } of statuses.take(100)) statuses.acknowledge(uid);
  };
  return { statuses, reports };
};
