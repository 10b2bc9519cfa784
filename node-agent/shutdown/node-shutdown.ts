import { isTerminal } from '../../api/pods';
import type { Pod } from '../../api/types';
import type { Clock } from '../../lib/clock';
import type { Log } from '../../lib/log';
import { nodeObject, type EventSink } from '../outbox/event-outbox';
import type { Refusal } from '../plan/admission';
import type { PodEnding } from '../plan/status';
import { shutdownOrder, type ShutdownStep } from './plan';

/** A pod that ends with its node. */
export interface EndingPod {
  readonly uid: string;
  /** With the status that was reported last. */
  readonly current: Pod;
  readonly hasStopped: boolean;
  evict(ending: PodEnding, graceMs: number): void;
}

interface NodeShutdownDeps {
  readonly steps: readonly ShutdownStep[];
  readonly nodeName: string;
  readonly pods: () => readonly EndingPod[];
  /** Whether the server has stored what was reported of a pod last. */
  readonly isTold: (uid: string) => boolean;
  readonly events: EventSink;
  /** The node takes no pods any more. */
  readonly onBegin: () => void;
  readonly clock: Clock;
  readonly log: Log;
}

/**
 * Ends all pods before the machine goes down, the most important last. Source: KEP-2000 and upstream's
 * pkg/kubelet/nodeshutdown.
 */
export class NodeShutdown {
  private hasBegun = false;

  constructor(private readonly deps: NodeShutdownDeps) {}

  /** Why the node is not ready; undefined: it does not shut down. */
  get problem(): string | undefined {
    return this.hasBegun ? 'node is shutting down' : undefined;
  }

  /** Why a pod is not let in. */
  refuse(): Refusal | undefined {
    if (!this.hasBegun) return undefined;
    const message = 'Pod was rejected: Pod was rejected as the node is shutting down.';
    return { reason: 'NodeShutdown', message };
  }

  /** Resolves when no pod runs, or time is up; at once where no pod is to be waited for. */
  async run(): Promise<void> {
    const { steps, nodeName, pods, events, onBegin, log } = this.deps;
    if (steps.length === 0 || this.hasBegun) return;
    this.hasBegun = true;
    log.info({}, 'the node is shutting down');
    const message = 'Shutdown manager detected shutdown event';
    events.emit(nodeObject(nodeName), { type: 'Normal', reason: 'NodeShutdown', message });
    onBegin();
    const all = pods();
    for (const step of shutdownOrder(steps, all)) {
      for (const pod of step.pods) pod.evict(ENDING, step.graceMs);
      // A pod that is killed at the end of its grace needs a moment more.
      await this.until(
        () => step.pods.every(({ hasStopped }) => hasStopped),
        step.graceMs + KILL_MS,
      );
    }
    // A pod's processes are gone before its worker reports that it has failed.
    await this.until(
      () => all.every(({ uid, current }) => isTerminal(current) && this.deps.isTold(uid)),
      TELL_LIMIT_MS,
    );
  }

  private async until(isDone: () => boolean, limitMs: number): Promise<void> {
    const { clock } = this.deps;
    const endMs = clock.monotonicMs() + limitMs;
    while (!isDone() && clock.monotonicMs() < endMs) await clock.sleep(POLL_MS);
  }
}

const ENDING: PodEnding = {
  reason: 'Terminated',
  message: 'Pod was terminated in response to imminent node shutdown.',
  isDisruption: true,
  isToldByStatusOnly: true,
};
const POLL_MS = 100;
const KILL_MS = 1_000;
/** The server may be down already. */
const TELL_LIMIT_MS = 5_000;
