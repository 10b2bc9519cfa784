import { mkdirSync } from 'node:fs';
import { join } from 'node:path';

import { JobThread } from '../lib/async/job-thread';
import type { Pod } from '../api/types';
import { CLUSTER_KEY, ROW } from '../api/assignment-rows';
import { Semaphore } from '../lib/async/semaphore';
import { TaskGroup } from '../lib/async/task-group';
import type { Agent, AgentDeps } from './agent-deps';
import { ingressPortsIn } from './config';
import type { EvictionManager } from './eviction/eviction-manager';
import { createEvictionManager } from './eviction/node-eviction';
import type { ClusterNames } from './containers/pod-dns';
import { createNodeCsi, type NodeCsi } from './csi/node-csi';
import { createCpuManager } from './cpus/node-cpus';
import type { CpuManager } from './cpus/pod-cpus';
import { COMPANION_FOLDER } from './companion/record';
import { createNodeDevices, type NodeDevices } from './devices/node-devices';
import { ResolverKeeper } from './dns';
import { IngressKeeper } from './ingress';
import { diskUseOf } from './images/disk-use';
import { ImageCollector } from './images/image-collector';
import { ImagePuller } from './images/image-puller';
import { PullRecords } from './images/pull-records';
import { NodeNetwork } from './network/node-network';
import { nodeInfoOf } from './node/node-info';
import { AGENT_VERSION, NodeReporter } from './node/node-reporter';
import { podsShareOf } from './node/reserved';
import { QosGroups } from './containers/qos-groups';
import { ExitBell } from './containers/exit-bell';
import type { PodDeps } from './containers/pod-deps';
import { noteTraces } from './pods/pod-trace';
import { PodManager } from './pods/pod-manager';
import { podStores } from './pods/pod-stores';
import { roomOnNode } from './pods/room-on-node';
import type { PodPaths } from './inventory/pod-paths';
import { ProbeRunner } from './probes/probe-runner';
import { ServiceProxy } from './services/service-proxy';
import { AssignmentStore } from './session/assignment-store';
import { EventOutbox, nodeObject } from './outbox/event-outbox';
import { SessionClient, type SessionHandlers } from './session/session-client';
import { ManifestFolder } from './static-pods/manifest-folder';
import { StaticPods } from './static-pods/static-pods';
import { StatusOutbox } from './outbox/status-outbox';
import { PolicyKeeper } from './policy/policy-keeper';
import { DEFAULT_SETTINGS, type AgentSettings } from './settings';
import { measure, METER_HEAP_MAX_MB, type MeterJob, type MeterReading } from './storage/meter';
import { NodeShutdown } from './shutdown/node-shutdown';
import { shutdownSteps } from './shutdown/plan';
import { StorageKeeper } from './storage/storage-keeper';
import { storagePlacesOf } from './storage/storage-places';
import { withOwnUid } from './streams/own-uid';
import { StreamServer } from './streams/stream-server';
import { createNodeUsage } from './usage/node-usage';
import { FolderRemover } from './volumes/folder-remover';
import { createNfsMounter } from './volumes/nfs-mounter';
import { VolumeManager } from './volumes/volume-manager';

export type { Agent, AgentDeps } from './agent-deps';

/** The part of Dhow that runs pods on one machine. */
export const createAgent = (deps: AgentDeps): Agent => new NodeAgent(deps);

const NO_PODS: ReadonlyMap<string, Pod> = new Map();

class NodeAgent implements Agent {
  private readonly settings: AgentSettings;
  private readonly manifests: ManifestFolder | undefined;
  private readonly statics: StaticPods;
  private readonly statuses: StatusOutbox;
  private readonly events: EventOutbox;
  private readonly assignments: AssignmentStore;
  private readonly pullRecords: PullRecords;
  private readonly reporter: NodeReporter;
  private readonly meter: JobThread<MeterJob, MeterReading>;
  private readonly pods: PodManager;
  private readonly session: SessionClient;
  private readonly streams: StreamServer;
  private streamTasks: TaskGroup | undefined;
  private readonly network: NodeNetwork;
  private readonly policies: PolicyKeeper;
  private readonly volumes: VolumeManager;
  private readonly csi: NodeCsi;
  private readonly folders: FolderRemover;
  private readonly collector: ImageCollector;
  private readonly cpus: CpuManager;
  private readonly devices: NodeDevices;
  private readonly eviction: EvictionManager;
  private readonly shutdown: NodeShutdown;
  private readonly resolver: ResolverKeeper | undefined;
  private readonly ingress: IngressKeeper | undefined;
  private readonly services: ServiceProxy;
  private hasSnapshot = false;
  private readonly hasGivenUp = (podUid: string): boolean =>
    this.pods.worker(podUid)?.hasGivenUp ?? false;

  constructor(private readonly deps: AgentDeps) {
    const { config, clock, random, log, images, transport } = deps;
    const { restartBackoffMaxMs, stateDir, runDir } = config;
    this.settings = { ...DEFAULT_SETTINGS, restartBackoffMaxMs, ...deps.settings };
    this.manifests = this.manifestFolder();
    this.statics = new StaticPods({
      // Without a folder there are none, and that is known.
      pods: () => (this.manifests === undefined ? NO_PODS : this.manifests.known),
      onMirror: (uid) => {
        this.statuses.renamed(uid);
        this.policies.ownPodsChanged();
      },
      clock,
    });
    this.statuses = new StatusOutbox(clock, this.statics);
    this.events = new EventOutbox(clock);
    this.assignments = new AssignmentStore(join(runDir, 'checkpoint'), log, clock);
    this.pullRecords = new PullRecords({ directory: join(stateDir, 'image-pulls'), images, log });
    this.network = this.nodeNetwork();
    this.policies = this.policyKeeper();
    this.reporter = this.nodeReporter();
    const path = config.meterWorkerPath;
    this.meter = new JobThread({ path, run: measure, heapMaxMb: METER_HEAP_MAX_MB });
    const stores = podStores(config, deps.log);
    this.volumes = new VolumeManager({
      ...{ stateDir, runDir, mounter: deps.mounter, nfs: createNfsMounter({ clock }) },
      claims: this.assignments,
      tokens: (key) => this.assignments.token(key),
      node: () => this.assignments.facts.node,
    });
    this.csi = this.nodeCsi();
    this.folders = this.folderRemover();
    this.collector = this.imageCollector();
    this.cpus = createCpuManager({ ...deps, hasGivenUp: this.hasGivenUp });
    this.devices = this.nodeDevices();
    this.pods = new PodManager(this.podDeps(stores));
    this.eviction = this.evictionManager(stores.paths);
    this.shutdown = this.nodeShutdown();
    this.resolver = this.resolverKeeper();
    this.ingress = this.ingressKeeper();
    this.services = this.serviceProxy();
    this.streams = this.streamServer(stores.paths);
    this.session = new SessionClient({
      ...{ transport, noteAuthorities: deps.noteAuthorities },
      hello: () => this.hello(),
      joinAgain: deps.joinAgain ?? (() => Promise.reject(new Error('removed from the cluster'))),
      handlers: this.handlers(),
      statuses: this.statuses,
      events: this.events,
      changedNodeReport: () => this.reporter.changedReport(),
      folders: this.folders,
      grower: this.csi.grower,
      statics: this.statics,
      plugins: this.csi.plugins,
      clock,
      random,
      log,
    });
  }

  get isConnected(): boolean {
    return this.session.isConnected;
  }

  shutDown(): Promise<void> {
    return this.shutdown.run();
  }

  async run(signal: AbortSignal): Promise<void> {
    const { config } = this.deps;
    mkdirSync(config.stateDir, { recursive: true, mode: 0o700 });
    mkdirSync(config.runDir, { recursive: true, mode: 0o700 });
    this.assignments.load();
    await this.pullRecords.load();
    const stopNetwork = new AbortController();
    const network = this.network.run(stopNetwork.signal);
    try {
      await this.runPods(signal);
    } finally {
      // Last: pods that end as the agent stops still need it.
      stopNetwork.abort();
      await network;
      await this.meter[Symbol.asyncDispose]();
    }
  }

  private nodeDevices(): NodeDevices {
    const { deps, hasGivenUp } = this;
    return createNodeDevices({ ...deps, hasGivenUp, onChange: () => this.session.nudge() });
  }

  private currentPods(): readonly Pod[] {
    return this.pods.activeWorkers().map(({ current }) => current);
  }

  private syncPods(): void {
    this.pods.sync(this.statics.merged(this.assignments.pods));
  }

  private manifestFolder(): ManifestFolder | undefined {
    const { config, clock, log } = this.deps;
    const { nodeName, podManifestPath: path } = config;
    if (path === undefined) return undefined;
    const onChange = () => {
      this.statics.changed();
      this.policies.ownPodsChanged();
      this.syncPods();
    };
    return new ManifestFolder({ path, nodeName, onChange, clock, log });
  }

  private async runPods(signal: AbortSignal): Promise<void> {
    // What runs of them is theirs before anybody could take it for an orphan.
    await this.manifests?.look();
    this.syncPods();
    await using tasks = new TaskGroup(signal);
    this.streamTasks = tasks;
    const mayRemove = () =>
      this.hasSnapshot && this.network.current !== undefined && this.manifests?.isRead !== false;
    tasks.run((s) => this.pods.followRuntime(s));
    tasks.run((s) => this.pods.keepHouse(mayRemove, s));
    tasks.run((s) => this.csi.plugins.run(s));
    tasks.run((s) => this.devices.plugins.run(s));
    tasks.run((s) => this.folders.run(() => this.hasSnapshot, s));
    tasks.run((s) => this.csi.grower.run(s));
    tasks.run((s) => this.collector.run(s));
    tasks.run((s) => this.eviction.run(s));
    tasks.run((s) => this.manifests?.run(s) ?? Promise.resolve());
    tasks.run((s) => this.policies.run(s));
    tasks.run((s) => this.session.run(s));
    const { resolver, ingress } = this;
    if (resolver !== undefined) tasks.run((s) => resolver.run(s));
    if (ingress !== undefined) tasks.run((s) => ingress.run(s));
    tasks.run((s) => this.services.run(s));
    await tasks.wait();
    await this.pods.stop();
  }

  private nodeCsi(): NodeCsi {
    return createNodeCsi({
      ...{ ...this.deps, objects: this.assignments, events: this.events, settings: this.settings },
      onDrivers: () => this.pods.objectsChanged(),
      pods: () => this.currentPods(),
      csiVolumesOf: (pod) => this.volumes.csiVolumes(pod),
    });
  }

  private nodeReporter(): NodeReporter {
    const { config, facts, nodeIps, images, wireguard, hugePages, runtime } = this.deps;
    return new NodeReporter({
      ...{ config, facts, nodeIps, images, wireguard, hugePages, runtime },
      notReady: () => this.shutdown.problem ?? this.network.problem,
      pressures: () => this.eviction.pressures,
      mtu: () => this.network.current?.mtu,
      peerWays: () => this.network.peerWays,
      devices: () => this.devices.manager.counts(),
      volumesInUse: () => this.csi.volumes.inUse(this.volumes.podUids()),
    });
  }

  private policyKeeper(): PolicyKeeper {
    const { clock, log } = this.deps;
    return new PolicyKeeper({
      tables: this.assignments.network,
      network: () => this.network.current,
      ownPods: {
        ownUid: (uid) => this.statics.ownUid(uid),
        uids: () => this.manifests?.known?.keys() ?? [],
      },
      ...{ clock, log },
    });
  }

  private nodeNetwork(): NodeNetwork {
    const { config, openNetwork, clock, log } = this.deps;
    return new NodeNetwork({
      open: openNetwork,
      facts: () => {
        const { peers, ...range } = this.assignments.facts;
        const wanted = peers.map(({ unreachable, ...peer }) => ({
          ...peer,
          isUnreachable: unreachable,
        }));
        return { ...range, peers: wanted };
      },
      hostPorts: () => {
        const isKnown = this.hasSnapshot || this.assignments.pods.size > 0;
        return isKnown ? this.pods.hostPorts() : undefined;
      },
      onChange: () => this.session.nudge(),
      settings: this.settings,
      ...{ nodeName: config.nodeName, events: this.events, clock, log },
    });
  }

  private evictionManager(paths: PodPaths): EvictionManager {
    const { config, facts, runtime } = this.deps;
    const places = { runtime, volumes: this.volumes, paths };
    return createEvictionManager({
      ...this.deps,
      memoryBytes: facts.memoryBytes,
      podsMemoryBytes: podsShareOf(facts, config).memoryBytes,
      ...{ meter: this.meter, events: this.events },
      placesOf: (pod) => storagePlacesOf(pod, places),
      pods: () => this.pods.activeWorkers(),
      reclaimDisk: (signal) => this.collector.removeUnused(signal),
      onChange: () => this.session.nudge(),
    });
  }

  private folderRemover(): FolderRemover {
    const { clock, log } = this.deps;
    return new FolderRemover({
      folders: this.volumes.folders,
      volumes: () => this.assignments.volumes(),
      settings: this.settings,
      ...{ clock, log },
    });
  }

  /** What the agent is told at start comes before what the server says. */
  private clusterNames(): ClusterNames {
    const { clusterDns, clusterDomain } = this.deps.config;
    const cluster = this.assignments.network.clusterNetwork.get(CLUSTER_KEY);
    return {
      servers: clusterDns.length > 0 ? clusterDns : (cluster?.clusterDns ?? []),
      domain: clusterDomain ?? cluster?.clusterDomain ?? DEFAULT_CLUSTER_DOMAIN,
    };
  }

  private resolverKeeper(): ResolverKeeper | undefined {
    const { config, clock, random, log } = this.deps;
    const { resolverPath: program, clusterDns, resolvConf, runDir } = config;
    if (program === undefined || clusterDns.length > 0) return undefined;
    const directory = join(runDir, COMPANION_FOLDER.resolver);
    const { network } = this.assignments;
    return new ResolverKeeper({ directory, program, network, resolvConf, clock, random, log });
  }

  private ingressKeeper(): IngressKeeper | undefined {
    const { config, nodeIps, clock, random, log } = this.deps;
    const { ingressPath: program, ingressHttpPort, ingressHttpsPort, nodeName } = config;
    if (program === undefined || ingressPortsIn(config).length === 0) return undefined;
    return new IngressKeeper({
      directory: join(config.runDir, COMPANION_FOLDER.ingress),
      program,
      network: this.assignments.network,
      settings: { addresses: nodeIps, httpPort: ingressHttpPort, httpsPort: ingressHttpsPort },
      onProblem: (message) => {
        const event = { type: 'Warning', reason: 'IngressNotServed', message } as const;
        this.events.emit(nodeObject(nodeName), event);
      },
      ...{ clock, random, log },
    });
  }

  private serviceProxy(): ServiceProxy {
    const { config, clock, log } = this.deps;
    return new ServiceProxy({
      view: this.assignments.network,
      whenOpen: (signal) => this.network.whenOpen(signal),
      nodeName: config.nodeName,
      labels: () => this.assignments.facts.node?.labels,
      nodePortAddresses: config.nodePortAddresses,
      events: this.events,
      settings: this.settings,
      ...{ clock, log },
    });
  }

  private streamServer(paths: PodPaths): StreamServer {
    const { config, facts, transport, runtime, clock, log, lag, tracing } = this.deps;
    const { pods, events } = this;
    const { cpuMillis, memoryBytes } = facts;
    const { usage, metrics } = createNodeUsage({
      ...{ nodeName: config.nodeName, cpuMillis, memoryBytes, runtime, events, clock },
      ...{ meter: this.meter, stateDir: config.stateDir },
      logFolderOf: (pod, container) => join(paths.logFolder(pod), container),
      pods: () => this.currentPods(),
      claims: this.assignments,
      folderOf: (volume) => this.volumes.folders.folderOf(volume),
      csiFigures: (pod, volume, signal) => this.csi.mounted.figures(pod, volume, signal),
      podOf: (uid) => pods.worker(uid)?.current,
      services: () => this.services.counts,
      resolver: () => this.resolver?.counts,
      ingress: () => this.ingress?.counts,
      lag: () => lag?.(),
      tracing: () => tracing?.lines() ?? [],
    });
    return new StreamServer({ transport, runtime, pods, paths, usage, metrics, clock, log });
  }

  private nodeShutdown(): NodeShutdown {
    const { config, clock, log } = this.deps;
    const { events, statuses } = this;
    return new NodeShutdown({
      steps: shutdownSteps(config),
      nodeName: config.nodeName,
      pods: () => this.pods.activeWorkers(),
      isTold: (uid) => statuses.isStored(uid),
      onBegin: () => this.session.nudge(),
      ...{ events, clock, log },
    });
  }

  private imageCollector(): ImageCollector {
    const { images, clock, log, config } = this.deps;
    const records = this.pullRecords;
    return new ImageCollector({
      images,
      pods: () => this.assignments.pods.values(),
      diskUse: () => diskUseOf(config.stateDir),
      records,
      ...{ clock, log },
    });
  }

  private async hello() {
    const { config, agentId } = this.deps;
    const node = await this.reporter.node();
    return { nodeName: config.nodeName, agentId, version: AGENT_VERSION, node };
  }

  private handlers(): SessionHandlers {
    const { activities } = this.deps;
    return {
      onHello: (hello) => {
        this.assignments.applyHello(hello);
        this.network.changed();
      },
      onSnapshot: (rows) => {
        using _work = activities?.begin('snapshot of assignments');
        noteTraces(this.deps.tracing, rows);
        this.assignments.applySnapshot(rows);
        this.hasSnapshot = true;
        this.network.changed();
        // First: pods that are new have all of it from their beginning.
        this.pods.objectsChanged();
        this.syncPods();
        this.folders.changed();
        this.csi.grower.changed();
      },
      onChanges: (changes) => {
        using _work = activities?.begin('change of assignments');
        const objects = [...changes.rows, ...changes.removed];
        const touched = new Set(objects.map(({ resource }) => resource));
        const touches = (...resources: readonly string[]) =>
          resources.some((each) => touched.has(each));
        noteTraces(this.deps.tracing, changes.rows);
        this.assignments.applyChanges(changes);
        if (touches(ROW.peers)) this.network.changed();
        // First: pods that are new have all of it from their beginning.
        this.pods.objectsChanged(objects);
        // The network of the whole cluster changes more often than what concerns this node.
        if (touches(...Object.values(ROW))) this.syncPods();
        if (touches(ROW.volumes)) this.folders.changed();
        if (touches(ROW.volumes, ROW.claims)) this.csi.grower.changed();
      },
      onOpenStream: (request) => {
        const own = withOwnUid(request, (uid) => this.statics.ownUid(uid));
        this.streamTasks?.run((signal) => this.streams.serve(own, signal));
      },
    };
  }

  private qosGroups(): QosGroups {
    const { config, runtime, facts, log } = this.deps;
    const allPods = podsShareOf(facts, config);
    return new QosGroups({ runtime, pods: () => this.pods.active(), allPods, log });
  }

  private podDeps(stores: ReturnType<typeof podStores>): PodDeps {
    const { config, runtime, images, clock, random, log, tracing } = this.deps;
    const { settings, events, assignments } = this;
    const action = this.deps.probeAction;
    const node = nodeInfoOf(config, this.deps.nodeIps, this.deps.facts, this.deps.hugePages());
    const { volumes } = this;
    const places = { runtime, volumes, paths: stores.paths };
    return {
      runtime,
      images,
      storage: new StorageKeeper({
        meter: this.meter,
        placesOf: (pod) => storagePlacesOf(pod, places),
        log,
      }),
      puller: new ImagePuller({
        ...{ images, events, clock, settings, tracing },
        records: this.pullRecords,
        objects: assignments,
      }),
      network: this.network,
      policies: this.policies,
      volumes,
      csi: this.csi.volumes,
      objects: assignments,
      services: {
        list: () => assignments.network.services.list(),
        whenKnown: (...of) => assignments.network.whenKnown(...of),
      },
      runtimeClass: (name) => assignments.runtimeClass(name),
      probes: new ProbeRunner({
        runtime,
        clock,
        random,
        slackMs: settings.probeSlackMs,
        ...(action === undefined ? {} : { action }),
      }),
      statuses: this.statuses,
      events,
      exits: new ExitBell(),
      ...stores,
      node: () => node,
      settings,
      podPidsLimit: config.podPidsLimit,
      groups: this.qosGroups(),
      clusterNames: () => this.clusterNames(),
      resolvConfPath: config.resolvConf,
      speaksSctp: this.deps.speaksSctp ?? (() => true),
      startSlots: new Semaphore(settings.concurrentStarts, {
        holdMaxMs: settings.startHoldMs,
        clock,
      }),
      ...roomOnNode({
        active: () => this.pods.active(),
        allocatable: () => this.reporter.allocatable(),
        node: () => assignments.facts.node,
        closed: (pod) => this.shutdown.refuse() ?? this.eviction.refuse(pod),
        cpus: this.cpus,
        devices: this.devices.manager,
      }),
      resizeInOrder: () => this.pods.resizeInOrder(),
      cpus: this.cpus,
      devices: this.devices.manager,
      noteStatus: (uid, status) => assignments.noteStatus(uid, status),
      tracing,
      clock,
      random,
      log,
    };
  }
}

/** Source: the kubelet's default. */
const DEFAULT_CLUSTER_DOMAIN = 'cluster.local';
