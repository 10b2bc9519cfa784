import { hasReason } from '../../api/errors';
import { isNodeReady } from '../../api/nodes';
import { effectiveRequests, isPodReady, isTerminal } from '../../api/pods';
import { LEASES, NODES, PODS } from '../../api/resources';
import { nameOf, type Node, type Pod } from '../../api/types';
import type { ApiClient } from '../../client/api-client';
import { rfc3339, rfc3339Micro, type Clock } from '../../lib/clock';
import type { Random } from '../../lib/random';
import { hasSettled } from './patience';

/** A node that exists only as an agent would show it: leases, statuses, deletions. */
export interface SimulatedNode {
  readonly name: string;
  isDown: boolean;
  lastLeaseMs: number;
}

/** How a container of a pod ends, once it runs. */
export type Ending = 'Succeeded' | 'Failed';

/** What becomes of the pods that run: asked at each step. */
export interface Fates {
  endingOf(pod: Pod): Ending | undefined;
  /** Its container has died and is restarted, or fails its readiness. */
  isSick(pod: Pod): boolean;
  hasEnded(pod: Pod, ending: Ending): void;
}

interface PlayedNodesDeps {
  readonly client: ApiClient;
  readonly clock: Clock;
  readonly random: Random;
  readonly cpuMillis: number;
  readonly fates: Fates;
}

/** Nodes that are played: of their agents there is only what they tell the API. */
export class PlayedNodes {
  readonly nodes: SimulatedNode[] = [];
  /** How many pods have got an address. */
  private addressCount = 0;
  private playing: Promise<void> | undefined;

  constructor(private readonly deps: PlayedNodesDeps) {}

  async add(name: string): Promise<void> {
    const { client, clock, cpuMillis } = this.deps;
    const resources = { cpu: `${cpuMillis}m`, memory: '4Gi', pods: '110' };
    const now = rfc3339(clock.now());
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
    const created = await client.create(NODES, node);
    const status = { ...node.status };
    await client.update(NODES, { ...created, status }, { subresource: 'status' });
    await client.create(LEASES, {
      apiVersion: 'coordination.k8s.io/v1',
      kind: 'Lease',
      metadata: { name, namespace: 'kube-node-lease' },
      spec: { holderIdentity: name, renewTime: rfc3339Micro(clock.now()) },
    });
    this.nodes.push({ name, isDown: false, lastLeaseMs: clock.monotonicMs() });
  }

  /** Its machine is switched off, and its Node deleted. */
  async remove(name: string): Promise<void> {
    const at = this.nodes.findIndex((node) => node.name === name);
    this.nodes.splice(at, 1);
    await this.deps.client.delete(NODES, { namespace: '', name });
  }

  /** Each does what is due now, unless they still wait for the server: then they look again later. */
  async play(pods: readonly Pod[]): Promise<void> {
    this.playing ??= this.playAll(pods).finally(() => {
      this.playing = undefined;
    });
    const { playing } = this;
    if (await hasSettled(playing)) await playing;
  }

  private async playAll(pods: readonly Pod[]): Promise<void> {
    for (const node of this.nodes) {
      if (node.isDown) continue;
      await this.heartbeat(node).catch(ifOvertaken);
      for (const pod of pods.filter(({ spec }) => spec.nodeName === node.name))
        if (!this.isDown(node)) await this.playPod(pod).catch(ifOvertaken);
    }
  }

  /** It may go down while it waits for the server. */
  private isDown(node: SimulatedNode): boolean {
    return node.isDown;
  }

  private async playPod(pod: Pod): Promise<void> {
    const { cpuMillis, random, fates } = this.deps;
    if (pod.metadata.deletionTimestamp !== undefined) await this.endDeleted(pod);
    else if (isTerminal(pod)) return;
    else if (effectiveRequests(pod.spec).cpuMillis > cpuMillis) await this.reject(pod);
    else if (!isPodReady(pod)) {
      if (random.next() < 0.5 && !fates.isSick(pod)) await this.run(pod);
    } else await this.playRunning(pod);
  }

  private async playRunning(pod: Pod): Promise<void> {
    const { fates } = this.deps;
    const ending = fates.endingOf(pod);
    if (ending !== undefined) await this.end(pod, ending);
    else if (fates.isSick(pod)) await this.sicken(pod);
  }

  private async endDeleted(pod: Pod): Promise<void> {
    const { client } = this.deps;
    const preconditions = { uid: pod.metadata.uid ?? '' };
    if (!isTerminal(pod)) await this.tell(pod, { phase: 'Failed' });
    if (Number(pod.metadata.deletionGracePeriodSeconds ?? 0) === 0 && isTerminal(pod)) return;
    await client.delete(PODS, nameOf(pod), { gracePeriodSeconds: 0, preconditions });
  }

  private async end(pod: Pod, phase: Ending): Promise<void> {
    const exitCode = phase === 'Succeeded' ? 0 : 1;
    const finishedAt = rfc3339(this.deps.clock.now());
    const containerStatuses = pod.spec.containers.map(({ name, image = '' }) => ({
      ...{ name, image, imageID: '', ready: false, restartCount: 0 },
      state: { terminated: { exitCode, startedAt: finishedAt, finishedAt } },
    }));
    const conditions = this.readiness(pod, 'False');
    await this.tell(pod, { phase, containerStatuses, conditions });
    this.deps.fates.hasEnded(pod, phase);
  }

  private async heartbeat(node: SimulatedNode): Promise<void> {
    const { client, clock } = this.deps;
    const nowMs = clock.monotonicMs();
    if (nowMs - node.lastLeaseMs < 10_000) return;
    node.lastLeaseMs = nowMs;
    const renewTime = rfc3339Micro(clock.now());
    const lease = { namespace: 'kube-node-lease', name: node.name };
    await client.patch(LEASES, lease, 'merge', { spec: { renewTime } });
    const current = await client.get(NODES, { namespace: '', name: node.name });
    if (isNodeReady(current)) return;
    const now = rfc3339(clock.now());
    const times = { lastHeartbeatTime: now, lastTransitionTime: now };
    const conditions = [
      ...(current.status.conditions ?? []).filter(({ type }) => type !== 'Ready'),
      { type: 'Ready', status: 'True', ...times },
    ];
    const status = { ...current.status, conditions };
    await client.update(NODES, { ...current, status }, { subresource: 'status' });
  }

  /** As an agent does with a pod that named its node itself and does not fit there. */
  private async reject(pod: Pod): Promise<void> {
    await this.tell(pod, { phase: 'Failed', reason: 'OutOfcpu' });
  }

  private async run(pod: Pod): Promise<void> {
    const startTime = pod.status.startTime ?? rfc3339(this.deps.clock.now());
    const podIP =
      pod.status.podIP ?? `10.42.${++this.addressCount >> 8}.${this.addressCount & 255}`;
    const address = { podIP, podIPs: [{ ip: podIP }] };
    const conditions = this.readiness(pod, 'True');
    await this.tell(pod, { ...address, phase: 'Running', startTime, conditions });
  }

  private async sicken(pod: Pod): Promise<void> {
    await this.tell(pod, { conditions: this.readiness(pod, 'False') });
  }

  private readiness(pod: Pod, status: 'True' | 'False') {
    const others = (pod.status.conditions ?? []).filter(({ type }) => type !== 'Ready');
    const lastTransitionTime = rfc3339(this.deps.clock.now());
    return [...others, { type: 'Ready', status, lastTransitionTime }];
  }

  private async tell(pod: Pod, change: Partial<Pod['status']>): Promise<void> {
    const status = { ...pod.status, ...change };
    await this.deps.client.update(PODS, { ...pod, status }, { subresource: 'status' });
  }
}

/** Somebody else was faster, or the server is not there: an agent looks again at the next step. */
const ifOvertaken = (error: unknown): void => {
  if (!hasReason(error, ...PASSING)) throw error;
};

const PASSING = [
  ...(['Conflict', 'NotFound', 'ServiceUnavailable', 'Timeout', 'InsufficientStorage'] as const),
];
