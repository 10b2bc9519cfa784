import { mkdtempSync } from 'node:fs';
import { join } from 'node:path';

import { ApiError, hasReason, notFound } from '../../api/errors';
import { POD_METRICS, type PodMetrics } from '../../api/resource-metrics';
import { isNodeReady } from '../../api/nodes';
import { effectiveRequests, isPodReady, isTerminal } from '../../api/pods';
import {
  CONFIG_MAPS,
  ENDPOINT_SLICES,
  LEASES,
  NAMESPACES,
  NETWORK_POLICIES,
  NODES,
  PERSISTENT_VOLUME_CLAIMS,
  PERSISTENT_VOLUMES,
  PODS,
  RUNTIME_CLASSES,
  SECRETS,
  SERVICES,
} from '../../api/resources';
import type { Resource } from '../../api/resources';
import { nameOf, type Node, type Pod } from '../../api/types';
import type { ApiClient } from '../../client/api-client';
import { ApiEventRecorder } from '../../client/events';
import { Informers } from '../../client/informers';
import { ObjectFaults } from '../../client/object-faults';
import type { VirtualResource } from '../../client/virtual-resource';
import { createApiServer, type ApiServer } from '../../control-plane/api-server/api-server';
import { requestTo } from '../../control-plane/api-server/testing';
import { createControllers, runControllers } from '../../control-plane/controllers';
import { createNodesServer, type NodesServerDeps } from '../../control-plane/nodes';
import { openPki } from '../../control-plane/pki/pki';
import { createScheduler } from '../../control-plane/scheduler';
import { createWatchCaches, MemoryStore } from '../../control-plane/store';
import { TaskGroup } from '../../lib/async/task-group';
import { ManualClock, rfc3339, rfc3339Micro, systemClock } from '../../lib/clock';
import { lateBound } from '../../lib/late-bound';
import { silentLog } from '../../lib/log';
import { seededRandom, type Random } from '../../lib/random';
import { Incarnation, type Death } from './incarnation';
import { SimulatedAgent } from './simulated-agent';

export const NODE_CPU_MILLIS = 1000;
const STEP_MS = 250;
/** Turns of the event loop after which what was begun at one instant has come to rest. */
const TURNS_PER_STEP = 60;

/** One call of a component that changes, or was refused to change, an object. */
interface Write {
  readonly verb: string;
  readonly plural: string;
  readonly isRefused: boolean;
}

/** A node that exists only as an agent would show it: leases, statuses, deletions. */
interface SimulatedNode {
  readonly name: string;
  isDown: boolean;
  lastLeaseMs: number;
}

/** How a container of a pod ends, once it runs. */
export type Ending = 'Succeeded' | 'Failed';

export interface WorldOptions {
  /** The nodes are real agents, on fake runtimes, instead of being played. Default false. */
  readonly hasAgents?: boolean;
}

/**
 * The whole control plane in one process on a clock that the test moves and under a seed: store,
 * API, controllers and scheduler are the real ones, the nodes are played. Calls of the components
 * fail at random, before or after they took effect.
 */
export class World implements AsyncDisposable {
  readonly random: Random;
  readonly nodes: SimulatedNode[] = [];
  /** Instead of `nodes`, when asked for. */
  readonly agents: SimulatedAgent[] = [];
  /** Share of component calls that fail. */
  faultRate = 0;
  /** What the running pods of an app use together, in millicores; of others nothing is measured. */
  readonly loads = new Map<string, number>();
  /** What components asked the API to change, events left out; the test clears it. */
  readonly writes: Write[] = [];
  /** How the pods that the nodes run end, and when: asked at each step. Default: they run for ever. */
  endingOf: (pod: Pod) => Ending | undefined = () => undefined;
  /** Of each pod that has ended by itself: its uid, and how. */
  readonly endings = new Map<string, Ending>();
  private readonly group = new TaskGroup();
  /** Of the controllers; the last one lives. */
  private readonly incarnations: Incarnation[] = [];
  private startControllers: () => Incarnation = () => {
    throw new Error('the world has not begun');
  };
  /** How many pods of played nodes have got an address. */
  private addressCount = 0;
  private stopServingAgents: () => Promise<void> = () => Promise.resolve();

  private constructor(
    seed: number,
    readonly clock: ManualClock,
    private readonly server: ApiServer,
    private readonly end: () => Promise<void>,
  ) {
    this.random = seededRandom(seed);
  }

  static async start(
    seed: number,
    directory: string,
    nodeCount: number,
    { hasAgents = false }: WorldOptions = {},
  ): Promise<World> {
    const late = lateBound<ApiClient>('the API');
    const pki = await openPki({ directory, serverNames: [], clock: systemClock });
    const store = new MemoryStore();
    const shared = { random: seededRandom(seed), log: silentLog };
    const clock = new ManualClock(Date.parse('2030-01-01T00:00:00Z'));
    const caches = createWatchCaches({ store, clock, log: silentLog });
    const component = 'dhow-server';
    const faults = new ObjectFaults({
      log: silentLog,
      events: new ApiEventRecorder({ client: late.proxy, clock, log: silentLog, component }),
    });
    const scheduler = createScheduler({ ...shared, client: late.proxy, clock, seed, faults });
    const server = createApiServer({
      ...shared,
      store,
      caches,
      clock,
      tls: pki,
      nodeConnections: {
        isConnected: () => false,
        logs: () => {
          throw new ApiError('ServiceUnavailable', 'no agents here');
        },
        exec: () => Promise.reject(new ApiError('ServiceUnavailable', 'no agents here')),
        connect: () => Promise.reject(new ApiError('ServiceUnavailable', 'no agents here')),
        usage: () => Promise.reject(new ApiError('ServiceUnavailable', 'no agents here')),
      },
      virtualResources: [scheduler.decisions, scheduler.explanations, podMetricsOf(() => world)],
      objectFaults: faults,
      evictionSeconds: 30,
      version: '0.0.0',
    });
    const world: World = new World(seed, clock, server, async () => {
      await server[Symbol.asyncDispose]();
      await caches[Symbol.asyncDispose]();
    });
    late.bind(world.flaky(server.client));
    world.startControllers = () => {
      const incarnation = new Incarnation(late.proxy);
      const parts = { ...shared, client: incarnation.client, clock, faults };
      const informers = new Informers(parts);
      const eventsFor = (component: string) =>
        new ApiEventRecorder({ client: server.client, clock, log: silentLog, component });
      const controllers = createControllers(
        { ...parts, informers, eventsFor },
        { served: server.kinds, caCertificate: pki.caCertificate, nodeGracePeriodMs: 40_000 },
      );
      incarnation.run((signal) => informers.run(signal));
      incarnation.run((signal) => runControllers(controllers, { ...shared, clock }, signal));
      return incarnation;
    };
    for (const name of ['default', 'kube-node-lease']) {
      await server.client.create(
        { group: '', version: 'v1', kind: 'Namespace', plural: 'namespaces', isNamespaced: false },
        { apiVersion: 'v1', kind: 'Namespace', metadata: { name } },
      );
    }
    if (!hasAgents) for (let i = 1; i <= nodeCount; i++) await world.addNode(`node-${i}`);
    world.incarnations.push(world.startControllers());
    world.group.run((signal) => scheduler.run(signal));
    if (hasAgents) {
      const informers = new Informers({ ...shared, client: late.proxy, clock, faults });
      world.group.run((signal) => informers.run(signal));
      const { issueToken } = server;
      const nodesDeps = { ...shared, client: late.proxy, clock, informers, pki, issueToken };
      await world.addAgents(nodesDeps, mkdtempSync(join(directory, 'agents-')), nodeCount);
    }
    await world.advance(5_000);
    return world;
  }

  /** The API without faults, for the test itself. */
  get client(): ApiClient {
    return this.server.client;
  }

  /** As `kubectl drain` does: the answer's code, 201 or why not. */
  async evict({ metadata: { namespace = '', name } }: Pod): Promise<number> {
    const path = `/api/v1/namespaces/${namespace}/pods/${name}/eviction`;
    const body = { apiVersion: 'policy/v1', kind: 'Eviction', metadata: { namespace, name } };
    return (await requestTo(this.server)('POST', path, body)).status;
  }

  /** The controllers' process dies at one of its next writes. */
  killControllers(death: Death): void {
    this.incarnations.at(-1)?.dieAt(death);
  }

  get areControllersDead(): boolean {
    return this.incarnations.at(-1)?.isDead === true;
  }

  /** The controllers' process ends, if it has not, and another begins, which knows what is stored. */
  restartControllers(): void {
    this.incarnations.at(-1)?.kill();
    this.incarnations.push(this.startControllers());
  }

  /** Lets virtual time pass, the nodes play their part, and checks at each step that none is overcommitted. */
  async advance(ms: number): Promise<void> {
    for (let passed = 0; passed < ms; passed += STEP_MS) {
      await this.clock.advance(STEP_MS);
      for (let turn = 0; turn < TURNS_PER_STEP; turn++) {
        await new Promise((resolve) => setImmediate(resolve));
      }
      const pods = await this.pods();
      for (const node of this.nodes) await this.play(node, pods).catch(ifOvertaken);
      this.checkRoom(pods);
      for (const agent of this.agents) agent.check();
    }
  }

  async pods(): Promise<readonly Pod[]> {
    return (await this.client.list(PODS)).items;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.faultRate = 0;
    for (const agent of this.agents) agent.kill();
    const stopped = Promise.all([
      this.group[Symbol.asyncDispose](),
      this.stopServingAgents(),
      ...this.incarnations.map((incarnation) => incarnation.ended()),
    ]);
    // Loops that sleep wake by their signals; those that back off need the clock to move.
    for (let i = 0; i < 20; i++) await this.clock.advance(60_000);
    await stopped;
    await this.end();
  }

  private async addAgents(
    { informers, ...deps }: AgentsDeps,
    directory: string,
    count: number,
  ): Promise<void> {
    const server = createNodesServer({
      ...deps,
      pods: informers.of(PODS),
      nodes: informers.of(NODES),
      secrets: informers.of(SECRETS),
      configMaps: informers.of(CONFIG_MAPS),
      claims: informers.of(PERSISTENT_VOLUME_CLAIMS),
      volumes: informers.of(PERSISTENT_VOLUMES),
      runtimeClasses: informers.of(RUNTIME_CLASSES),
      services: informers.of(SERVICES),
      endpointSlices: informers.of(ENDPOINT_SLICES),
      namespaces: informers.of(NAMESPACES),
      networkPolicies: informers.of(NETWORK_POLICIES),
      tokens: { verify: () => false },
    });
    this.stopServingAgents = async () => server[Symbol.asyncDispose]();
    for (let index = 1; index <= count; index++) {
      const name = `node-${String(index)}`;
      const agent = new SimulatedAgent({
        ...{ client: this.client, server, clock: this.clock, random: this.random },
        ...{ directory: join(directory, name), name, cpuMillis: NODE_CPU_MILLIS, index },
      });
      this.agents.push(agent);
      await agent.start();
    }
  }

  async addNode(name: string): Promise<void> {
    const resources = { cpu: `${NODE_CPU_MILLIS}m`, memory: '4Gi', pods: '110' };
    const now = rfc3339(this.clock.now());
    const node: Node = {
      apiVersion: 'v1',
      kind: 'Node',
      metadata: { name, labels: { 'kubernetes.io/hostname': name } },
      spec: {},
      status: {
        capacity: resources,
        allocatable: resources,
        conditions: [
          { type: 'Ready', status: 'True', lastHeartbeatTime: now, lastTransitionTime: now },
        ],
      },
    };
    const created = await this.client.create(NODES, node);
    const status = { ...node.status };
    await this.client.update(NODES, { ...created, status }, { subresource: 'status' });
    await this.client.create(LEASES, {
      apiVersion: 'coordination.k8s.io/v1',
      kind: 'Lease',
      metadata: { name, namespace: 'kube-node-lease' },
      spec: { holderIdentity: name, renewTime: rfc3339Micro(this.clock.now()) },
    });
    this.nodes.push({ name, isDown: false, lastLeaseMs: this.clock.now() });
  }

  /** Its machine is switched off, and its Node deleted. */
  async removeNode(name: string): Promise<void> {
    const at = this.nodes.findIndex((node) => node.name === name);
    this.nodes.splice(at, 1);
    await this.client.delete(NODES, { namespace: '', name });
  }

  private async play(node: SimulatedNode, pods: readonly Pod[]): Promise<void> {
    if (node.isDown) return;
    const nowMs = this.clock.now();
    if (nowMs - node.lastLeaseMs >= 10_000) await this.heartbeat(node, nowMs);
    for (const pod of pods.filter(({ spec }) => spec.nodeName === node.name)) {
      if (pod.metadata.deletionTimestamp !== undefined) await this.endDeleted(pod);
      else if (isTerminal(pod)) continue;
      else if (effectiveRequests(pod.spec).cpuMillis > NODE_CPU_MILLIS) await this.reject(pod);
      else if (!isPodReady(pod) && this.random.next() < 0.5) await this.runPod(pod, nowMs);
      else if (isPodReady(pod)) await this.endPod(pod, this.endingOf(pod), nowMs);
    }
  }

  private async endDeleted(pod: Pod): Promise<void> {
    const preconditions = { uid: pod.metadata.uid ?? '' };
    if (!isTerminal(pod)) {
      const status = { ...pod.status, phase: 'Failed' };
      await this.client.update(PODS, { ...pod, status }, { subresource: 'status' });
    }
    if (Number(pod.metadata.deletionGracePeriodSeconds ?? 0) === 0 && isTerminal(pod)) return;
    await this.client.delete(PODS, nameOf(pod), { gracePeriodSeconds: 0, preconditions });
  }

  private async endPod(pod: Pod, phase: Ending | undefined, nowMs: number): Promise<void> {
    if (phase === undefined) return;
    const exitCode = phase === 'Succeeded' ? 0 : 1;
    const finishedAt = rfc3339(nowMs);
    const containerStatuses = pod.spec.containers.map(({ name, image = '' }) => ({
      ...{ name, image, imageID: '', ready: false, restartCount: 0 },
      state: { terminated: { exitCode, startedAt: finishedAt, finishedAt } },
    }));
    const conditions = (pod.status.conditions ?? []).map((condition) =>
      condition.type === 'Ready'
        ? { ...condition, status: 'False', lastTransitionTime: finishedAt }
        : condition,
    );
    const status = { ...pod.status, phase, containerStatuses, conditions };
    await this.client.update(PODS, { ...pod, status }, { subresource: 'status' });
    this.endings.set(pod.metadata.uid ?? '', phase);
  }

  private async heartbeat(node: SimulatedNode, nowMs: number): Promise<void> {
    node.lastLeaseMs = nowMs;
    const renewTime = rfc3339Micro(nowMs);
    const lease = { namespace: 'kube-node-lease', name: node.name };
    await this.client.patch(LEASES, lease, 'merge', { spec: { renewTime } });
    const current = await this.client.get(NODES, { namespace: '', name: node.name });
    if (isNodeReady(current)) return;
    const now = rfc3339(nowMs);
    const ready = {
      type: 'Ready',
      status: 'True',
      lastHeartbeatTime: now,
      lastTransitionTime: now,
    };
    const conditions = [
      ...(current.status.conditions ?? []).filter(({ type }) => type !== 'Ready'),
      ready,
    ];
    const status = { ...current.status, conditions };
    await this.client.update(NODES, { ...current, status }, { subresource: 'status' });
  }

  /** As an agent does with a pod that named its node itself and does not fit there. */
  private async reject(pod: Pod): Promise<void> {
    const status = { ...pod.status, phase: 'Failed', reason: 'OutOfcpu' };
    await this.client.update(PODS, { ...pod, status }, { subresource: 'status' });
  }

  private async runPod(pod: Pod, nowMs: number): Promise<void> {
    const others = (pod.status.conditions ?? []).filter(({ type }) => type !== 'Ready');
    const ready = { type: 'Ready', status: 'True', lastTransitionTime: rfc3339(nowMs) };
    const startTime = pod.status.startTime ?? rfc3339(nowMs);
    const conditions = [...others, ready];
    const podIP =
      pod.status.podIP ?? `10.42.${++this.addressCount >> 8}.${this.addressCount & 255}`;
    const address = { podIP, podIPs: [{ ip: podIP }] };
    const status = { ...pod.status, ...address, phase: 'Running', startTime, conditions };
    await this.client.update(PODS, { ...pod, status }, { subresource: 'status' });
  }

  private checkRoom(pods: readonly Pod[]): void {
    const used = new Map<string, number>();
    for (const pod of pods.filter((each) => !isTerminal(each))) {
      const { nodeName } = pod.spec;
      const { cpuMillis } = effectiveRequests(pod.spec);
      // What is larger than the node was not placed by anybody, and the node rejects it.
      if (nodeName === undefined || cpuMillis > NODE_CPU_MILLIS) continue;
      used.set(nodeName, (used.get(nodeName) ?? 0) + cpuMillis);
    }
    for (const [node, cpuMillis] of used) {
      if (cpuMillis > NODE_CPU_MILLIS) throw new Error(`${node} is overcommitted: ${cpuMillis}m`);
    }
  }

  private async noted(verb: string, args: unknown[], call: Promise<unknown>): Promise<unknown> {
    const [resource] = args as [Resource?];
    const plural = verb === 'bind' ? 'pods' : (resource?.plural ?? '');
    const isWrite = ['create', 'update', 'patch', 'delete', 'bind'].includes(verb);
    const note = (isRefused: boolean) => {
      if (isWrite && plural !== 'events') this.writes.push({ verb, plural, isRefused });
    };
    try {
      const result = await call;
      note(false);
      return result;
    } catch (error) {
      note(true);
      throw error;
    }
  }

  /** Fails calls of the components: half of them before, half after they took effect. */
  private flaky(client: ApiClient): ApiClient {
    return new Proxy(client, {
      get: (target, key: keyof ApiClient) => {
        if (key === 'watch') return target.watch.bind(target);
        const call = target[key].bind(target) as (...args: unknown[]) => Promise<unknown>;
        return async (...args: unknown[]) => {
          const chance = this.random.next();
          if (chance < this.faultRate / 2) throw new ApiError('ServiceUnavailable', 'lost request');
          const result = await this.noted(key, args, call(...args));
          if (chance < this.faultRate) throw new ApiError('ServiceUnavailable', 'lost answer');
          return result;
        };
      },
    });
  }
}

interface AgentsDeps extends Pick<
  NodesServerDeps,
  'client' | 'pki' | 'clock' | 'random' | 'log' | 'issueToken'
> {
  readonly informers: Informers;
}

/** Metrics of the pods that run, as their app's load makes them. */
const podMetricsOf = (worldOf: () => World): VirtualResource<PodMetrics> => ({
  resource: POD_METRICS,
  get: async ({ name }) => {
    throw notFound('podmetrics', POD_METRICS.group, name);
  },
  list: async (namespace) => {
    const world = worldOf();
    const { loads, clock } = world;
    const running = (await world.pods()).filter((pod) => isPodReady(pod) && !isTerminal(pod));
    const timestamp = rfc3339(clock.now());
    const items = running
      .filter((pod) => namespace === undefined || pod.metadata.namespace === namespace)
      .flatMap(({ metadata }): readonly PodMetrics[] => {
        const { name, labels = {} } = metadata;
        const load = loads.get(labels['app'] ?? '');
        if (load === undefined) return [];
        const alike = running.filter((pod) => pod.metadata.labels?.['app'] === labels['app']);
        const usage = { cpu: `${Math.floor(load / alike.length)}m`, memory: '64Mi' };
        return [
          {
            ...{
              apiVersion: 'metrics.k8s.io/v1beta1',
              kind: 'PodMetrics',
              timestamp,
              window: '10s',
            },
            metadata: { name, namespace: metadata.namespace ?? '', labels },
            containers: [{ name: 'main', usage }],
          },
        ];
      });
    return { items, resourceVersion: '1' };
  },
});

/** Somebody else was faster: an agent looks again at the next step. */
const ifOvertaken = (error: unknown): void => {
  if (!hasReason(error, 'Conflict', 'NotFound')) throw error;
};

/** An app of small pods; its version is the tag of its image. */
export const deploymentOf = (
  name: string,
  replicas: number,
  version: number,
  namespace = 'default',
) => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name, namespace },
  spec: {
    replicas,
    selector: { matchLabels: { app: name } },
    template: {
      metadata: { labels: { app: name } },
      spec: {
        containers: [
          {
            name: 'main',
            image: `app:${version}`,
            resources: { requests: { cpu: '100m', memory: '64Mi' } },
          },
        ],
      },
    },
  },
});
