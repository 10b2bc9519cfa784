import { fakeMounter } from '../../node-agent/volumes/fake-mounter';
import { cpSync, existsSync, lstatSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';

import type { ApiClient } from '../../client/api-client';
import type { NodesServer } from '../../control-plane/nodes';
import { NodeClaims } from '../../control-plane/nodes/node-claims';
import type { Clock } from '../../lib/clock';
import { silentLog } from '../../lib/log';
import type { Random } from '../../lib/random';
import { createAgent } from '../../node-agent/agent';
import { parseAgentConfig } from '../../node-agent/config';
import { LABEL } from '../../node-agent/inventory/labels';
import { FakeContainerRuntime } from '../../runtime/containers';
import type { ContainerState } from '../../runtime/container-runtime';
import { FakeImageService } from '../../runtime/images';
import { FakePodNetwork } from '../../runtime/network';
import { AgentLink } from './agent-link';
import type { Ending } from './played-nodes';

const MEMORY_BYTES = 4 * 2 ** 30;
const VERSIONS_MAX = 100;

export interface SimulatedAgentDeps {
  readonly client: ApiClient;
  readonly server: Pick<NodesServer, 'serve'>;
  readonly clock: Clock;
  readonly random: Random;
  /** Of this machine alone. */
  readonly directory: string;
  readonly name: string;
  readonly cpuMillis: number;
  /** Distinguishes the machines' addresses. */
  readonly index: number;
}

/** What is on one machine and outlives an agent: containers, images, network, and its files. */
export class SimulatedAgent {
  readonly runtime: FakeContainerRuntime;
  readonly images = new FakeImageService();
  network: FakePodNetwork | undefined;
  private readonly claims: NodeClaims;
  private readonly address: string;
  private readonly agentId: string;
  private key = '';
  private lives = 0;
  private life:
    | { readonly link: AgentLink; readonly agent: { readonly isConnected: boolean }; end(): void }
    | undefined;

  constructor(private readonly deps: SimulatedAgentDeps) {
    const { clock, client, name, index } = deps;
    this.runtime = new FakeContainerRuntime({
      clock,
      writesLogs: false,
      program: async ({ signal }) => {
        await clock.sleep(Infinity, signal);
        return 0;
      },
    });
    for (let version = 1; version <= VERSIONS_MAX; version++) this.images.publish(`app:${version}`);
    this.claims = new NodeClaims(client);
    this.agentId = `agent of ${name}`;
    this.address = `192.0.2.${index}`;
  }

  get name(): string {
    return this.deps.name;
  }

  /** Undefined while no agent runs. */
  get link(): AgentLink | undefined {
    return this.life?.link;
  }

  /** Whatever is wrong with the machine is mended. */
  async recover(): Promise<void> {
    this.link?.mend();
    if (this.life === undefined) await this.start();
  }

  /** Starts the agent; the first time it joins the cluster. */
  async start(): Promise<void> {
    if (this.key === '') await this.join();
    const { name, clock, random, cpuMillis, server } = this.deps;
    const directory = this.nextDirectory();
    const holder = () => ({ nodeName: name, key: this.key });
    const link = new AgentLink(server, holder, this.address);
    const stop = new AbortController();
    const part = <T extends object>(object: T): T => hangingAfter(object, stop.signal);
    const agent = createAgent({
      config: parseAgentConfig({
        server: '127.0.0.1',
        nodeName: name,
        stateDir: join(directory, 'state'),
        runDir: join(directory, 'run'),
        launcherPath: '/nonexistent',
      }),
      agentId: this.agentId,
      nodeIps: [this.address],
      facts: {
        ...{ cpuMillis, memoryBytes: MEMORY_BYTES, machineId: name, bootId: 'b' },
        ...{ kernelVersion: '6', osImage: 'Linux' },
      },
      hugePages: () => new Map(),
      transport: link,
      joinAgain: () => this.join(),
      runtime: part(this.runtime),
      images: part(this.images),
      openNetwork: ({ podCidrs }) => {
        this.network ??= new FakePodNetwork(podCidrs, clock);
        return Promise.resolve(part(this.network));
      },
      mounter: fakeMounter(),
      clock,
      random,
      log: silentLog,
    });
    // What a killed process leaves undone never settles, and is nobody's to wait for.
    void agent.run(stop.signal);
    this.life = {
      link,
      agent,
      end: () => {
        stop.abort();
        link.cut();
      },
    };
  }

  /** The agent is killed wherever it is; the machine goes on. */
  kill(): void {
    this.life?.end();
    this.life = undefined;
  }

  /** The machine is switched off: nothing of its containers is left, its disk is. */
  async powerOff(): Promise<void> {
    this.kill();
    rmSync(join(this.deps.directory, String(this.lives), 'run'), { recursive: true, force: true });
    for (const { id } of this.runtime.sandboxes()) {
      await this.runtime.removeSandbox(id);
      await this.network?.detach(id);
    }
  }

  /** Running containers by the pod's uid. */
  running(): ReadonlyMap<string, readonly ContainerState[]> {
    const byUid = new Map<string, ContainerState[]>();
    for (const state of this.runtime.containers()) {
      if (state.status !== 'running') continue;
      const uid = state.labels[LABEL.uid] ?? '';
      byUid.set(uid, [...(byUid.get(uid) ?? []), state]);
    }
    return byUid;
  }

  /** Containers come to the ends that their pods have, by uid, if any. */
  async endPods(endingOf: (uid: string) => Ending | undefined): Promise<void> {
    for (const [uid, [state]] of this.running()) {
      const ending = endingOf(uid);
      if (ending === undefined || state === undefined) continue;
      await this.runtime.exitContainer(state.id, ending === 'Succeeded' ? 0 : 1);
    }
  }

  /** The folders that are volumes, by their uids. */
  volumeFolders(): readonly string[] {
    const folder = join(this.deps.directory, String(this.lives), 'state', 'volumes');
    return existsSync(folder) ? readdirSync(folder) : [];
  }

  /** @throws Error when a container of a pod runs twice */
  check(): void {
    for (const [uid, states] of this.running()) {
      const names = states.map(({ labels }) => labels[LABEL.container]);
      if (new Set(names).size < names.length)
        throw new Error(`${this.deps.name} runs a container of pod ${uid} twice: ${names.join()}`);
    }
  }

  /** What its agent is up to, for whoever wonders why something is left here. */
  get condition(): string {
    if (this.life === undefined) return 'no agent';
    return this.life.agent.isConnected ? 'connected' : 'not connected';
  }

  /** Uids of pods that hold anything here. */
  sandboxUids(): readonly string[] {
    return this.runtime.sandboxes().map(({ labels }) => labels[LABEL.uid] ?? '');
  }

  private async join(): Promise<void> {
    this.key = `key ${String(Math.floor(this.deps.random.next() * 2 ** 40))}`;
    await this.claims.join(this.deps.name, this.agentId, this.key, new AbortController().signal);
  }

  /** What a killed agent still writes goes into files that its successor does not read. */
  private nextDirectory(): string {
    const before = join(this.deps.directory, String(this.lives));
    const directory = join(this.deps.directory, String(++this.lives));
    mkdirSync(before, { recursive: true });
    // A socket is its process's: it cannot be copied.
    const filter = (path: string) => !lstatSync(path).isSocket();
    cpSync(before, directory, { recursive: true, filter });
    return directory;
  }
}

/** A part of the machine in the hands of a process: once that is dead, its calls have no effect. */
const hangingAfter = <T extends object>(object: T, signal: AbortSignal): T =>
  new Proxy(object, {
    get: (target, key) => {
      const value: unknown = Reflect.get(target, key, target);
      if (typeof value !== 'function') return value;
      return (...args: unknown[]): unknown =>
        signal.aborted && !LOOKS.has(key)
          ? new Promise(() => undefined)
          : value.apply(target, args);
    },
  });

/** Those that answer at once, and change nothing. */
const LOOKS = new Set<string | symbol>([
  ...['sandboxes', 'containers', 'container', 'events'],
  ...['pinOwners', 'attachments', 'peers'],
]);
