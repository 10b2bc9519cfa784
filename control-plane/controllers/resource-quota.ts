import { listed } from '../../api/amounts';
import { hasReason } from '../../api/errors';
import { jsonEqual } from '../../api/json-value';
import { bounds, isSameLedger, ledgerOf, recounted, withLedger } from '../../api/quota/ledger';
import { PENDING_LIFE_MS } from '../../api/quota/pending';
import { isCounted, mayGrow, usageOf } from '../../api/quota/usage';
import { RESOURCE_QUOTAS, type Resource } from '../../api/resources';
import type { ApiObject, ResourceQuota } from '../../api/types';
import type { Informer } from '../../client/informer';
import type { ServedResources } from '../../client/served-resources';
import { WorkQueue } from '../../client/work-queue';
import { TimeSlice } from '../../lib/async/time-slice';
import { AllObjects, type AllObjectsHandlers } from './all-objects';
import { Subscriptions, type Controller, type ControllerDeps } from './controller';

/**
 * Says in each quota what is used of it: at once when something has gone or ended, and from time to
 * time whatever happens. Admission adds before it writes; this alone gives back.
 */
export class ResourceQuotaController implements Controller {
  readonly name = 'resource-quota';
  private readonly queue: WorkQueue;
  private readonly quotas: Informer<ResourceQuota>;
  /** How many quotas each namespace has: most have none, and most that happens is of no matter. */
  private readonly counts = new Map<string, number>();

  constructor(
    private readonly deps: ControllerDeps,
    private readonly served: ServedResources,
  ) {
    this.quotas = deps.informers.of(RESOURCE_QUOTAS);
    this.queue = new WorkQueue(this.name, deps, {
      subjectOf: (namespace) => {
        const object = this.quotasIn(namespace)[0];
        return object && { resource: RESOURCE_QUOTAS, object };
      },
      backoff: { initialMs: 20, maxMs: 10_000 },
    });
  }

  async run(signal: AbortSignal): Promise<void> {
    using subscriptions = new Subscriptions();
    this.counts.clear();
    subscriptions.add(this.quotas.subscribe(this.quotaHandlers()));
    await using all = new AllObjects(this.deps.informers, this.served, this.objectHandlers());
    await all.whenSynced();
    await this.queue.run((namespace, work) => this.reconcile(namespace, work), WORKERS, signal);
  }

  private quotaHandlers() {
    const add = ({ metadata }: ResourceQuota, change: 1 | -1) => {
      const { namespace = '' } = metadata;
      const count = (this.counts.get(namespace) ?? 0) + change;
      if (count > 0) this.counts.set(namespace, count);
      else this.counts.delete(namespace);
    };
    return {
      name: this.name,
      onAdd: (quota: ResourceQuota) => {
        add(quota, 1);
        this.enqueue(quota);
      },
      onUpdate: (quota: ResourceQuota) => {
        if (isOutdated(quota)) this.enqueue(quota);
        else if (ledgerOf(quota).pending.length > 0)
          this.queue.addAfter(quota.metadata.namespace ?? '', PENDING_LIFE_MS);
      },
      onDelete: (quota: ResourceQuota) => add(quota, -1),
    };
  }

  private objectHandlers(): AllObjectsHandlers {
    const { clock } = this.deps;
    const usage = (resource: Resource, object: ApiObject) =>
      listed(usageOf(resource, object, clock.now()));
    return {
      name: this.name,
      onAdd: () => undefined,
      onUpdate: (resource, object, previous) => {
        if (!mayGrow(resource) || !this.isBounded(object)) return;
        if (usage(resource, object) !== usage(resource, previous)) this.enqueue(object);
      },
      onDelete: (resource, object) => {
        if (isCounted(resource)) this.enqueue(object);
      },
      onKindSynced: () => this.enqueueAll(),
      onKindGone: () => this.enqueueAll(),
    };
  }

  private enqueueAll(): void {
    for (const namespace of this.counts.keys()) this.queue.add(namespace);
  }

  private isBounded({ metadata }: ApiObject): boolean {
    return this.counts.has(metadata.namespace ?? '');
  }

  private enqueue(object: ApiObject): void {
    if (this.isBounded(object)) this.queue.add(object.metadata.namespace ?? '');
  }

  private quotasIn(namespace: string): readonly ResourceQuota[] {
    return [...this.quotas.list()].filter(({ metadata }) => metadata.namespace === namespace);
  }

  /** Lists after it has read the quotas: what it counts is at least as new as what it writes over. */
  private async reconcile(namespace: string, signal: AbortSignal): Promise<void> {
    const { client, clock } = this.deps;
    const { items: quotas } = await client.list(RESOURCE_QUOTAS, { namespace }, signal);
    if (quotas.length === 0) return;
    const kinds = this.served
      .resources()
      .filter((kind) => isCounted(kind) && quotas.some((quota) => bounds(quota, kind)));
    const stock = await Promise.all(
      kinds.map(
        async (kind) => [kind, (await client.list(kind, { namespace }, signal)).items] as const,
      ),
    );
    let isUnderWay = false;
    // Of hundreds of quotas, with hundreds of resources each, counting alone takes a second.
    const slice = new TimeSlice(clock);
    for (const quota of quotas) {
      if (slice.isOver) await slice.turn();
      const known = ledgerOf(quota);
      const ledger = recounted(quota, known, stock, clock.now());
      isUnderWay ||= ledger.pending.length > 0;
      if (isOutdated(quota) || !isSameLedger(ledger, known))
        await this.write(withLedger(quota, ledger), signal);
    }
    this.queue.addAfter(namespace, isUnderWay ? PENDING_LIFE_MS : RESYNC_MS);
  }

  /** @throws Conflict when somebody took from the quota meanwhile: all is counted again */
  private async write(quota: ResourceQuota, signal: AbortSignal): Promise<void> {
    try {
      await this.deps.client.update(RESOURCE_QUOTAS, quota, { subresource: 'status' }, signal);
    } catch (error) {
      if (!hasReason(error, 'NotFound')) throw error;
    }
  }
}

/** What is allowed has changed since it was last counted. */
const isOutdated = ({ spec, status }: ResourceQuota): boolean => {
  const { hard = {} } = spec ?? {};
  const { hard: counted } = status ?? {};
  return counted === undefined || !jsonEqual(hard, counted);
};

const WORKERS = 4;
const RESYNC_MS = 5 * 60_000;
