import { isBudgetOver, withSyncFailed } from '../../../api/disruption-budgets';
import { jsonEqual } from '../../../api/json-value';
import { POD_DISRUPTION_BUDGETS, PODS } from '../../../api/resources';
import { goLabelSelector } from '../../../api/selectors';
import { keyOf, uidOf, type Pod, type PodDisruptionBudget } from '../../../api/types';
import type { Informer } from '../../../client/informer';
import type { ServedResources } from '../../../client/served-resources';
import { WorkQueue } from '../../../client/work-queue';
import { rfc3339 } from '../../../lib/clock';
import { subject, Subscriptions, type Controller, type ControllerDeps } from '../controller';
import { NamespaceIndex } from '../../../client/namespace-index';
import { awaitedIn, budgetStatus, demandOf, isOfScale, type Awaited } from './plan';
import { Scales, UnknownScaleError, type ExpectedScale } from './scales';

/**
 * Says in each disruption budget how many of its pods may be evicted now. The server that evicts takes
 * from that number; this alone gives back. Source: upstream's disruption.go.
 */
export class DisruptionController implements Controller {
  readonly name = 'disruption';
  private readonly queue: WorkQueue;
  private readonly budgets: Informer<PodDisruptionBudget>;
  private readonly pods: Informer<Pod>;
  private readonly budgetsOf: NamespaceIndex<PodDisruptionBudget>;
  private readonly podsOf: NamespaceIndex<Pod>;
  private readonly scales: Scales;
  /** By budget, then by pod and stamp: when this process first saw that an eviction is to come. */
  private readonly awaitedSince = new Map<string, ReadonlyMap<string, number>>();

  constructor(
    private readonly deps: ControllerDeps,
    served: ServedResources,
  ) {
    this.budgets = deps.informers.of(POD_DISRUPTION_BUDGETS);
    this.pods = deps.informers.of(PODS);
    this.budgetsOf = new NamespaceIndex(this.budgets);
    this.podsOf = new NamespaceIndex(this.pods);
    this.scales = new Scales(deps, served);
    this.queue = new WorkQueue(this.name, deps, {
      subjectOf: (key) => subject(POD_DISRUPTION_BUDGETS, this.budgets.get(key)),
    });
  }

  async run(signal: AbortSignal): Promise<void> {
    const { name } = this;
    using subscriptions = new Subscriptions();
    const enqueue = (budget: PodDisruptionBudget) => this.queue.add(keyOf(budget));
    subscriptions.add(
      this.budgets.subscribe({
        name,
        onAdd: enqueue,
        onUpdate: enqueue,
        onDelete: (budget) => this.awaitedSince.delete(uidOf(budget)),
      }),
    );
    subscriptions.add(
      this.pods.subscribe({
        name,
        onAdd: (pod) => this.warnOfTwo(pod, this.enqueueOver(pod)),
        onUpdate: (pod, previous) => {
          const isSame = jsonEqual(pod.metadata.labels ?? {}, previous.metadata.labels ?? {});
          const over = this.enqueueOver(pod);
          if (isSame) return;
          this.enqueueOver(previous);
          this.warnOfTwo(pod, over);
        },
        onDelete: (pod) => this.enqueueOver(pod),
      }),
    );
    // Also where no pod comes or goes for it: one too many may never have been made.
    subscriptions.add(
      this.scales.follow(name, (namespace) => {
        for (const budget of this.budgetsOf.in(namespace)) if (isOfScale(budget)) enqueue(budget);
      }),
    );
    const needed = [this.budgets, this.pods, ...this.scales.informers];
    await Promise.all(needed.map((informer) => informer.whenSynced()));
    await this.queue.run((key, work) => this.reconcile(key, work), WORKERS, signal);
  }

  private enqueueOver(pod: Pod): readonly PodDisruptionBudget[] {
    const over = this.budgetsOf
      .in(pod.metadata.namespace ?? '')
      .filter((budget) => isBudgetOver(budget, pod));
    for (const budget of over) this.queue.add(keyOf(budget));
    return over;
  }

  /** Such a pod cannot be evicted. */
  private warnOfTwo(pod: Pod, [first, second]: readonly PodDisruptionBudget[]): void {
    if (first === undefined || second === undefined) return;
    const { namespace = '', name } = pod.metadata;
    const message =
      `Pod "${namespace}"/"${name}" matches multiple PodDisruptionBudgets.  ` +
      `Chose "${first.metadata.name}" arbitrarily.`;
    this.deps.events.event(PODS, pod, 'Warning', 'MultiplePodDisruptionBudgets', message);
  }

  private async reconcile(key: string, signal: AbortSignal): Promise<void> {
    const budget = this.budgets.get(key);
    if (budget === undefined || budget.metadata.deletionTimestamp !== undefined) return;
    const pods = this.podsOf
      .in(budget.metadata.namespace ?? '')
      .filter((pod) => isBudgetOver(budget, pod));
    if (pods.length === 0) this.tell(budget, 'Normal', 'NoPods', 'No matching pods found');
    const expected = await this.expected(budget, pods, signal);
    const now = rfc3339(this.deps.clock.now());
    if (expected instanceof UnknownScaleError) {
      // Nobody is evicted while nobody knows how many may be.
      const status = withSyncFailed(budget.status ?? NOTHING, expected.message, now);
      await this.write(budget, status, signal);
      this.queue.addAfter(key, UNKNOWN_RETRY_MS);
      return;
    }
    this.warnOfUnmanaged(budget, expected);
    const awaited = this.awaited(budget, awaitedIn(budget, pods));
    const demand = demandOf(budget, pods.length, expected.scale);
    await this.write(budget, budgetStatus(budget, pods, awaited, demand, now), signal);
  }

  private async expected(
    budget: PodDisruptionBudget,
    pods: readonly Pod[],
    signal: AbortSignal,
  ): Promise<ExpectedScale | UnknownScaleError> {
    if (!isOfScale(budget)) return { scale: 0, unmanaged: [] };
    try {
      return await this.scales.expected(pods, signal);
    } catch (error) {
      if (!(error instanceof UnknownScaleError)) throw error;
      const message = `Failed to calculate the number of expected pods: ${error.message}`;
      this.tell(budget, 'Warning', 'CalculateExpectedPodCountFailed', message);
      return error;
    }
  }

  private warnOfUnmanaged(budget: PodDisruptionBudget, { unmanaged }: ExpectedScale): void {
    if (unmanaged.length === 0) return;
    const message =
      `Pods selected by this PodDisruptionBudget (selector: ${goLabelSelector(budget.spec?.selector)}) ` +
      'were found to be unmanaged. As a result, the status of the PDB cannot be calculated ' +
      'correctly, which may result in undefined behavior. To account for these pods please set ' +
      '".spec.minAvailable" field of the PDB to an integer value.';
    this.tell(budget, 'Warning', 'UnmanagedPods', message);
  }

  /**
   * Those that are still to be waited for. An eviction that was allowed is followed by the deletion
   * within moments, or the server died in between: then the pod counts again. Counted on this process's
   * own clock from when it saw the eviction; the stamp is of another machine's.
   */
  private awaited(budget: PodDisruptionBudget, found: readonly Awaited[]): readonly Awaited[] {
    const nowMs = this.deps.clock.monotonicMs();
    const known = this.awaitedSince.get(uidOf(budget));
    const noteOf = ({ pod, stamp }: Awaited) => `${uidOf(pod)} ${stamp}`;
    const since = new Map(found.map((each) => [noteOf(each), known?.get(noteOf(each)) ?? nowMs]));
    if (since.size === 0) this.awaitedSince.delete(uidOf(budget));
    else this.awaitedSince.set(uidOf(budget), since);
    const restMs = (each: Awaited) => (since.get(noteOf(each)) ?? nowMs) + DELETION_MS - nowMs;
    const awaited = found.filter((each) => restMs(each) > 0);
    for (const { pod } of found.filter((each) => restMs(each) <= 0)) {
      const message = `Pod was expected by PDB ${keyOf(budget)} to be deleted but it wasn't`;
      this.deps.events.event(PODS, pod, 'Warning', 'NotDeleted', message);
    }
    if (awaited.length > 0) this.queue.addAfter(keyOf(budget), Math.min(...awaited.map(restMs)));
    return awaited;
  }

  /** @throws Conflict when a server took from the budget meanwhile: all is counted again */
  private async write(
    budget: PodDisruptionBudget,
    status: PodDisruptionBudget['status'],
    signal: AbortSignal,
  ): Promise<void> {
    if (jsonEqual(status, budget.status)) return;
    const { client } = this.deps;
    const changed = { ...budget, ...(status === undefined ? {} : { status }) };
    const options = { subresource: 'status' } as const;
    this.budgets.noteWritten(await client.update(POD_DISRUPTION_BUDGETS, changed, options, signal));
  }

  private tell(
    budget: PodDisruptionBudget,
    type: 'Normal' | 'Warning',
    reason: string,
    message: string,
  ): void {
    this.deps.events.event(POD_DISRUPTION_BUDGETS, budget, type, reason, message);
  }
}

const NOTHING = { currentHealthy: 0, desiredHealthy: 0, disruptionsAllowed: 0, expectedPods: 0 };
/** From leave to evict a pod to its deletion. Source: disruption.go, DeletionTimeout. */
const DELETION_MS = 2 * 60_000;
const UNKNOWN_RETRY_MS = 15_000;
const WORKERS = 4;
