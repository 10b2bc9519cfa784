import { hasReason } from '../../../api/errors';
import { isPodReady } from '../../../api/pods';
import { LEASES, NAMESPACES, NODES, PODS } from '../../../api/resources';
import { isNodeReady, readyCondition } from '../../../api/nodes';
import { nameOf, type Lease, type Node, type Pod } from '../../../api/types';
import type { Informer } from '../../../client/informer';
import { linkedController } from '../../../lib/async/linked-controller';
import { rfc3339 } from '../../../lib/clock';
import type { Controller, ControllerDeps } from '../controller';
import { sweep } from '../sweep';
import { healthTaints, silentConditions } from './plan';

export interface NodeHealthOptions {
  /** A node silent for this long is Unknown. Upstream: `--node-monitor-grace-period`. */
  readonly gracePeriodMs: number;
}

interface Heard {
  readonly sign: string;
  readonly atMs: number;
}

/**
 * Watches for nodes that fall silent (no new lease, no new status), says so in their conditions and
 * taints, and takes the readiness of their pods away. Silence is measured by this process's own
 * monotonic clock from what it has seen: neither a wrong clock on a node nor our own restart makes
 * a node look dead, nor does a store that is away or full, in which no node can leave a sign.
 *
 * The readiness of a pod belongs to its agent: the node's session stores what the agent reported
 * once more when the node is heard of again.
 */
export class NodeHealthController implements Controller {
  readonly name = 'node-health';
  private readonly nodes: Informer<Node>;
  private readonly leases: Informer<Lease>;
  private readonly pods: Informer<Pod>;
  private readonly heard = new Map<string, Heard>();
  private lastSweepMs: number | undefined;

  constructor(
    private readonly deps: ControllerDeps,
    private readonly options: NodeHealthOptions,
  ) {
    this.nodes = deps.informers.of(NODES);
    this.leases = deps.informers.of(LEASES);
    this.pods = deps.informers.of(PODS);
  }

  async run(signal: AbortSignal): Promise<void> {
    await Promise.all([this.nodes, this.leases, this.pods].map((each) => each.whenSynced()));
    const periodMs = Math.min(SWEEP_PERIOD_MS, this.options.gracePeriodMs / 4);
    const { name } = this;
    let rest = linkedController(signal);
    // Taints follow readiness at once: a node that has come is not to wait for the next sweep.
    const wakeIfStale = (node: Node) => {
      if (healthTaints(node, '') !== undefined) rest.abort();
    };
    const unsubscribe = this.nodes.subscribe({ name, onAdd: wakeIfStale, onUpdate: wakeIfStale });
    while (!signal.aborted) {
      rest[Symbol.dispose]();
      rest = linkedController(signal);
      this.forgiveOwnStall(periodMs);
      if (await this.canHear(signal)) {
        const judge = (node: Node) => this.judgeOrForgive(node, signal);
        await sweep(this.name, NODES, [...this.nodes.list()], judge, this.deps, signal);
        this.forgetDeleted();
      }
      await this.deps.clock.sleep(periodMs, rest.signal);
    }
    unsubscribe();
  }

  /** After a stall of our own we have listened to nobody: start counting anew. */
  private forgiveOwnStall(periodMs: number): void {
    const nowMs = this.deps.clock.monotonicMs();
    const isLate = nowMs - (this.lastSweepMs ?? nowMs) > periodMs + this.options.gracePeriodMs / 2;
    if (isLate) this.heard.clear();
    this.lastSweepMs = nowMs;
  }

  /** Without the store nobody is heard: silence counts from its return. */
  private async canHear(signal: AbortSignal): Promise<boolean> {
    try {
      await this.deps.client.get(NAMESPACES, { namespace: '', name: 'kube-system' }, signal);
    } catch (error) {
      if (isOfStore(error)) this.heard.clear();
      return !isOfStore(error);
    }
    return true;
  }

  private forgetDeleted(): void {
    for (const name of this.heard.keys()) {
      if (this.nodes.get(name) === undefined) this.heard.delete(name);
    }
  }

  private async judgeOrForgive(node: Node, signal: AbortSignal): Promise<void> {
    try {
      await this.judge(node, signal);
    } catch (error) {
      if (isOfStore(error)) this.heard.clear();
      throw error;
    }
  }

  private async judge(node: Node, signal: AbortSignal): Promise<void> {
    const { name } = node.metadata;
    const sign = this.signOf(node);
    const nowMs = this.deps.clock.monotonicMs();
    const last = this.heard.get(name);
    if (last?.sign !== sign) this.heard.set(name, { sign, atMs: nowMs });
    const silentMs = nowMs - (this.heard.get(name)?.atMs ?? nowMs);
    let current = node;
    if (silentMs > this.options.gracePeriodMs) {
      current = await this.markUnknown(node, signal);
      // Our own write is no sign of life.
      this.heard.set(name, { sign: this.signOf(current), atMs: nowMs - silentMs });
    }
    await this.syncTaints(current, signal);
    const isReady = isNodeReady(current);
    if (!isReady) await this.markPodsNotReady(name, signal);
  }

  private signOf(node: Node): string {
    const lease = this.leases.get(`kube-node-lease/${node.metadata.name}`);
    const ready = readyCondition(node);
    return `${lease?.spec?.renewTime ?? ''} ${ready?.lastHeartbeatTime ?? ''}`;
  }

  private async markUnknown(node: Node, signal: AbortSignal): Promise<Node> {
    const conditions = silentConditions(node, rfc3339(this.deps.clock.now()));
    if (conditions === undefined) return node;
    const updated = await this.deps.client.update(
      NODES,
      { ...node, status: { ...node.status, conditions } },
      { subresource: 'status' },
      signal,
    );
    this.nodes.noteWritten(updated);
    const { name } = node.metadata;
    const message = `Node ${name} status is now: NodeNotReady`;
    this.deps.events.event(NODES, node, 'Normal', 'NodeNotReady', message);
    return updated;
  }

  private async syncTaints(node: Node, signal: AbortSignal): Promise<void> {
    const taints = healthTaints(node, rfc3339(this.deps.clock.now()));
    if (taints === undefined) return;
    const { resourceVersion } = node.metadata;
    const body = { metadata: { resourceVersion }, spec: { taints } };
    const patched = await this.deps.client.patch(NODES, nameOf(node), 'merge', body, {}, signal);
    this.nodes.noteWritten(patched);
  }

  /** A pod that nobody can see is not ready: what balances load over ready pods must skip it. */
  private async markPodsNotReady(nodeName: string, signal: AbortSignal): Promise<void> {
    const ready = [...this.pods.list()].filter(
      (pod) => pod.spec.nodeName === nodeName && isPodReady(pod),
    );
    const mark = (pod: Pod) => this.markNotReady(pod, signal);
    await sweep(this.name, PODS, ready, mark, this.deps, signal);
  }

  private async markNotReady(pod: Pod, signal: AbortSignal): Promise<void> {
    const lastTransitionTime = rfc3339(this.deps.clock.now());
    const conditions = (pod.status.conditions ?? []).map((condition) =>
      condition.type === 'Ready'
        ? { ...condition, status: 'False', lastTransitionTime }
        : condition,
    );
    const changed = { ...pod, status: { ...pod.status, conditions } };
    await this.deps.client.update(PODS, changed, { subresource: 'status' }, signal);
    this.deps.events.event(PODS, pod, 'Warning', 'NodeNotReady', 'Node is not ready');
  }
}

/** The store is away, or takes nothing. */
const isOfStore = (error: unknown): boolean =>
  hasReason(error, 'ServiceUnavailable', 'Timeout', 'InsufficientStorage');

const SWEEP_PERIOD_MS = 5000;
