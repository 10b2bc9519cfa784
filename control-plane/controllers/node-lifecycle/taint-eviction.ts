import { hasReason } from '../../../api/errors';
import { disruption, isPodActive, withCondition } from '../../../api/pods';
import { NODES, PODS } from '../../../api/resources';
import { keyOf, nameOf, type Node, type Pod, type PodStatus } from '../../../api/types';
import type { Informer } from '../../../client/informer';
import { WorkQueue } from '../../../client/work-queue';
import { rfc3339 } from '../../../lib/clock';
import { Stopwatches } from '../../../lib/stopwatches';
import { subject, Subscriptions, type Controller, type ControllerDeps } from '../controller';
import { tellBefore } from './last-words';
import { evictionAtMs, evictionWatches, startOfTaint } from './plan';
import { TaintTimes } from './taint-times';
import { jsonEqual } from '../../../api/json-value';

/** Deletes pods from nodes whose NoExecute taints they do not, or no longer, tolerate. */
export class TaintEvictionController implements Controller {
  readonly name = 'taint-eviction';
  private readonly queue: WorkQueue;
  private readonly nodes: Informer<Node>;
  private readonly pods: Informer<Pod>;
  private readonly times = new TaintTimes();
  private readonly watches: Stopwatches;
  private reconcileCount = 0;

  constructor(private readonly deps: ControllerDeps) {
    this.queue = new WorkQueue(this.name, deps, {
      subjectOf: (key) => subject(PODS, this.pods.get(key)),
    });
    this.watches = new Stopwatches(deps.clock);
    this.nodes = deps.informers.of(NODES);
    this.pods = deps.informers.of(PODS);
  }

  async run(signal: AbortSignal): Promise<void> {
    const { name } = this;
    using subscriptions = new Subscriptions();
    const enqueue = (pod: Pod) => {
      if (pod.spec.nodeName !== undefined) this.queue.add(keyOf(pod));
    };
    subscriptions.add(
      this.pods.subscribe({
        name,
        onAdd: enqueue,
        onUpdate: (pod, previous) => {
          const isSame =
            pod.spec.nodeName === previous.spec.nodeName &&
            pod.spec.tolerations === previous.spec.tolerations;
          if (!isSame) enqueue(pod);
        },
      }),
    );
    subscriptions.add(
      this.nodes.subscribe({
        name,
        onAdd: (node) => this.noteTaints(node, enqueue),
        onUpdate: (node, previous) => {
          if (!jsonEqual(node.spec.taints ?? [], previous.spec.taints ?? []))
            this.noteTaints(node, enqueue);
        },
        onDelete: ({ metadata }) => this.times.forget(metadata.name),
      }),
    );
    await Promise.all([this.nodes.whenSynced(), this.pods.whenSynced()]);
    await this.queue.run((key, workSignal) => this.reconcile(key, workSignal), WORKERS, signal);
  }

  private noteTaints(node: Node, enqueue: (pod: Pod) => void): void {
    for (const taint of this.times.stamped(node, this.deps.clock.now())) {
      if (taint.effect === 'NoExecute') startOfTaint(node.metadata.name, taint, this.watches);
    }
    for (const pod of this.pods.list()) {
      if (pod.spec.nodeName === node.metadata.name) enqueue(pod);
    }
  }

  /** Reads state at the due time again: a taint that was lifted meanwhile evicts nobody. */
  async reconcile(key: string, signal: AbortSignal): Promise<void> {
    const pod = this.pods.get(key);
    const node = this.nodes.get(pod?.spec.nodeName ?? '');
    if (pod === undefined || node === undefined || !isPodActive(pod)) return;
    const nowMs = this.deps.clock.monotonicMs();
    const taints = this.times.stamped(node, this.deps.clock.now());
    const dueMs = evictionAtMs(pod, taints, this.watches);
    this.dropOldWatches();
    if (dueMs === undefined) return;
    if (dueMs > nowMs) this.queue.addAfter(key, dueMs - nowMs);
    else await this.evict(pod, signal);
  }

  /** Now and then, so that what has gone takes no memory. */
  private dropOldWatches(): void {
    if (++this.reconcileCount % RECONCILES_PER_CLEANING !== 0) return;
    const keys = [...this.pods.list()].flatMap((pod) => {
      const node = this.nodes.get(pod.spec.nodeName ?? '');
      if (node === undefined) return [];
      return evictionWatches(pod, this.times.stamped(node, this.deps.clock.now()));
    });
    this.watches.keepOnly(new Set(keys));
  }

  private async evict(pod: Pod, signal: AbortSignal): Promise<void> {
    const message = `Marking for deletion Pod ${keyOf(pod)}`;
    this.deps.events.event(PODS, pod, 'Normal', 'TaintManagerEviction', message);
    const preconditions = { uid: pod.metadata.uid ?? '' };
    await tellBefore(this.deps.client, this.pods, { ...pod, status: this.tainted(pod) }, signal);
    try {
      await this.deps.client.delete(PODS, nameOf(pod), { preconditions }, signal);
    } catch (error) {
      if (!hasReason(error, 'NotFound', 'Conflict')) throw error;
    }
  }

  private tainted({ status }: Pod): PodStatus {
    const now = rfc3339(this.deps.clock.now());
    return { ...status, conditions: withCondition(status.conditions, TAINTED, now) };
  }
}

/** Source: taint_eviction.go. */
const TAINTED = disruption(
  'DeletionByTaintManager',
  'Taint manager: deleting due to NoExecute taint',
);

const WORKERS = 4;
const RECONCILES_PER_CLEANING = 10_000;
