import { Alarm } from '../../lib/async/alarm';
import type { Clock } from '../../lib/clock';
import { describeError, type Log } from '../../lib/log';
import type { PodNetwork } from '../../runtime/pod-network';
import type { NetworkView } from '../session/network-tables';
import { PolicyBook, type OwnPods } from './policy-book';

export interface PolicyKeeperDeps {
  readonly tables: NetworkView;
  readonly ownPods: OwnPods;
  /** Undefined until the network is open. */
  readonly network: () => PodNetwork | undefined;
  readonly clock: Clock;
  readonly log: Log;
}

/**
 * Has the kernel hold the policies of this node's pods: after each change, and now and then, because
 * rules are flushed. A pod gets no link before it is known what holds for it.
 */
export class PolicyKeeper {
  private readonly book: PolicyBook;
  private isDirty = true;
  /** Of who keeps the rules, and of the pods that wait for what holds for them. */
  private readonly alarm: Alarm;
  private problem = '';

  constructor(private readonly deps: PolicyKeeperDeps) {
    this.alarm = new Alarm(deps.clock);
    this.book = new PolicyBook(deps.tables, deps.ownPods, () => this.changed());
  }

  /** Keeps them until `signal` aborts; what the kernel holds stays. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock } = this.deps;
    while (!signal.aborted) {
      this.isDirty = false;
      await this.settle();
      // Changes come in bursts: one that follows at once waits for the others.
      await clock.sleep(GATHER_MS, signal);
      await this.rest(signal);
    }
    this.book[Symbol.dispose]();
  }

  /**
   * Resolves when the network has been told what holds for the pod, which may then be attached.
   * @throws Error when the server does not say in time, or the kernel cannot hold it
   */
  async prepare(podUid: string, signal: AbortSignal): Promise<void> {
    const { clock } = this.deps;
    const deadlineMs = clock.monotonicMs() + KNOWN_WITHIN_MS;
    while (!this.book.knows(podUid)) {
      signal.throwIfAborted();
      const leftMs = deadlineMs - clock.monotonicMs();
      if (leftMs <= 0) throw new Error('the network policies of the pod are not known yet');
      await this.alarm.sleep(leftMs, signal);
    }
    await this.sync();
  }

  /** The node's own pods, or their mirrors, are others. */
  ownPodsChanged(): void {
    this.book.ownPodsChanged();
  }

  private async settle(): Promise<void> {
    try {
      await this.sync();
      this.problem = '';
    } catch (error) {
      const problem = describeError(error);
      if (problem !== this.problem)
        this.deps.log.error({ err: problem }, 'network policies do not hold');
      this.problem = problem;
    }
  }

  private async sync(): Promise<void> {
    const network = this.deps.network();
    if (network === undefined) return;
    const attached = new Set(network.attachments().map(({ sandboxId }) => sandboxId));
    const wanted = this.book.wanted((id) => attached.has(id));
    if (wanted !== undefined) await network.syncPolicies(wanted);
  }

  private changed(): void {
    this.isDirty = true;
    this.alarm.wake();
  }

  private async rest(signal: AbortSignal): Promise<void> {
    if (!this.isDirty) await this.alarm.sleep(CHECK_MS, signal);
  }
}

/** How long a pod waits for what holds for it. It usually comes with the pod. */
const KNOWN_WITHIN_MS = 5_000;
const GATHER_MS = 20;
/** How soon after somebody has flushed the rules they are there again. */
const CHECK_MS = 2_000;
