import { mkdtempSync } from 'node:fs';
import { join } from 'node:path';

import { effectiveRequests, isTerminal } from '../../api/pods';
import type { Pod } from '../../api/types';
import type { ApiClient } from '../../client/api-client';
import { requestTo } from '../../control-plane/api-server/testing';
import type { NodesServer } from '../../control-plane/nodes';
import { openPki } from '../../control-plane/pki/pki';
import { ManualClock, systemClock } from '../../lib/clock';
import { lateBound } from '../../lib/late-bound';
import { seededRandom, type Random } from '../../lib/random';
import { CALM, FaultyStore } from './faulty-store';
import { flaky, type Write } from './flaky-client';
import type { Death } from './incarnation';
import { PlayedNodes, type Ending, type SimulatedNode } from './played-nodes';
import { patient, patiently, turns } from './patience';
import { podMetricsOf } from './pod-metrics';
import { ServerProcess, type ServerProcessDeps } from './server-process';
import { SimulatedAgent } from './simulated-agent';

export const NODE_CPU_MILLIS = 1000;
const STEP_MS = 250;
/** Turns of the event loop after which what was begun at one instant has come to rest. */
const TURNS_PER_STEP = 60;

export interface WorldOptions {
  /** The nodes are real agents, on fake runtimes, instead of being played. Default false. */
  readonly hasAgents?: boolean;
  /** Of the scheduler. Default: the usual one. */
  readonly profiles?: ServerProcessDeps['profiles'];
}

/**
 * The whole control plane in one process on a clock that the test moves and under a seed: API,
 * controllers and scheduler are the real ones, the store is in memory, the nodes are played. Calls of
 * the components fail at random, before or after they took effect; so do those of the store, if asked.
 */
export class World implements AsyncDisposable {
  readonly random: Random;
  /** Outlives every server. */
  readonly store: FaultyStore;
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
  /** Whose pods are not ready although they run: asked at each step. Default: nobody's. */
  isSick: (pod: Pod) => boolean = () => false;
  /** Of each pod that has ended by itself: its uid, and how. */
  readonly endings = new Map<string, Ending>();
  /** The API without faults, for the test itself: of the server that lives. Time passes while it is awaited. */
  readonly client: ApiClient;
  private readonly played: PlayedNodes;
  private readonly late = lateBound<ApiClient>('the API');
  /** The last one lives. */
  private readonly servers: ServerProcess[] = [];
  private readonly ends: Promise<void>[] = [];

  private constructor(
    private readonly seed: number,
    readonly clock: ManualClock,
    private readonly pki: ServerProcessDeps['pki'],
    private readonly hasAgents: boolean,
    private readonly profiles: ServerProcessDeps['profiles'],
  ) {
    this.random = seededRandom(seed);
    this.store = new FaultyStore({ clock, random: this.random });
    this.client = patient(this.late.proxy, (ms) => this.advance(ms));
    this.played = new PlayedNodes({
      ...{ client: this.late.proxy, clock, random: this.random, cpuMillis: NODE_CPU_MILLIS },
      fates: {
        endingOf: (pod) => this.endingOf(pod),
        isSick: (pod) => this.isSick(pod),
        hasEnded: (pod, ending) => this.endings.set(pod.metadata.uid ?? '', ending),
      },
    });
  }

  static async start(
    seed: number,
    directory: string,
    nodeCount: number,
    { hasAgents = false, profiles }: WorldOptions = {},
  ): Promise<World> {
    const pki = await openPki({ directory, serverNames: [], clock: systemClock });
    const clock = new ManualClock(Date.parse('2030-01-01T00:00:00Z'));
    const world = new World(seed, clock, pki, hasAgents, profiles);
    const server = world.openServer();
    for (const name of ['default', 'kube-node-lease']) {
      await world.client.create(
        { group: '', version: 'v1', kind: 'Namespace', plural: 'namespaces', isNamespaced: false },
        { apiVersion: 'v1', kind: 'Namespace', metadata: { name } },
      );
    }
    if (!hasAgents) for (let i = 1; i <= nodeCount; i++) await world.addNode(`node-${i}`);
    server.run({ hasAgents });
    if (hasAgents) await world.addAgents(mkdtempSync(join(directory, 'agents-')), nodeCount);
    await world.advance(5_000);
    return world;
  }

  get nodes(): readonly SimulatedNode[] {
    return this.played.nodes;
  }

  /** As `kubectl drain` does: the answer's code, 201 or why not. */
  async evict({ metadata: { namespace = '', name } }: Pod): Promise<number> {
    const path = `/api/v1/namespaces/${namespace}/pods/${name}/eviction`;
    const body = { apiVersion: 'policy/v1', kind: 'Eviction', metadata: { namespace, name } };
    const answered = requestTo(this.server.api)('POST', path, body);
    return (await patiently(answered, (ms) => this.advance(ms))).status;
  }

  /** The controllers' process dies at one of its next writes. */
  killControllers(death: Death): void {
    this.server.killControllers(death);
  }

  get areControllersDead(): boolean {
    return this.server.areControllersDead;
  }

  /** The controllers' process ends, if it has not, and another begins, which knows what is stored. */
  restartControllers(): void {
    this.server.restartControllers();
  }

  /** The whole server dies at one of its next writes to the store. */
  killServer(death: Death): void {
    this.server.dieAt(death);
  }

  get isServerDead(): boolean {
    return this.server.isDead;
  }

  /** The server ends, if it has not, and another begins on the same store. Agents find it again. */
  restartServer(): void {
    this.ends.push(this.server.ended());
    for (const agent of this.agents) agent.link?.drop();
    this.openServer().run({ hasAgents: this.hasAgents });
  }

  /**
   * Another server leads, and the one before goes on as if it still did: it has been cut off, or was
   * asleep. Returns what ends it.
   */
  changeLeader(): () => void {
    const former = this.server;
    this.openServer().run({ hasAgents: this.hasAgents });
    return () => this.ends.push(former.ended());
  }

  /**
   * Lets virtual time pass, the nodes play their part, and checks at each step that none is
   * overcommitted.
   */
  async advance(ms: number, stepMs = STEP_MS): Promise<void> {
    for (let passed = 0; passed < ms; passed += stepMs) {
      await this.clock.advance(stepMs);
      await turns(TURNS_PER_STEP);
      const pods = await this.pods();
      await this.played.play(pods);
      this.checkRoom(pods);
      await this.playAgents(pods);
    }
  }

  /** Those that are stored now. */
  pods(): Promise<readonly Pod[]> {
    return Promise.resolve(this.store.current('pods') as readonly Pod[]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.faultRate = 0;
    this.store.trouble = CALM;
    for (const agent of this.agents) agent.kill();
    const stopped = Promise.all([...this.ends, this.server.ended()]);
    // Loops that sleep wake by their signals; those that back off need the clock to move.
    for (let i = 0; i < 20; i++) await this.clock.advance(60_000);
    await stopped;
  }

  async addNode(name: string): Promise<void> {
    await this.played.add(name);
  }

  /** Its machine is switched off, and its Node deleted. */
  async removeNode(name: string): Promise<void> {
    await this.played.remove(name);
  }

  private get server(): ServerProcess {
    const server = this.servers.at(-1);
    if (server === undefined) throw new Error('the world has not begun');
    return server;
  }

  private openServer(): ServerProcess {
    const server = new ServerProcess({
      ...{ store: this.store, clock: this.clock, pki: this.pki },
      term: this.store.beginTerm(),
      seed: this.seed + this.servers.length,
      podMetrics: podMetricsOf(() => this),
      ...(this.profiles === undefined ? {} : { profiles: this.profiles }),
      spoil: (client) =>
        flaky(client, {
          draw: () => this.random.next(),
          faultRate: () => this.faultRate,
          onWrite: (write) => this.writes.push(write),
        }),
    });
    this.servers.push(server);
    this.late.bind(server.api.client);
    return server;
  }

  private async addAgents(directory: string, count: number): Promise<void> {
    const server: Pick<NodesServer, 'serve'> = {
      serve: (...args) => this.server.agentsServer.serve(...args),
    };
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

  private async playAgents(pods: readonly Pod[]): Promise<void> {
    const byUid = new Map(pods.map((pod) => [pod.metadata.uid, pod]));
    for (const agent of this.agents) {
      await agent.endPods((uid) => {
        const pod = byUid.get(uid);
        return pod && this.endingOf(pod);
      });
      agent.check();
    }
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
}

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
