import { hasReason } from '../../api/errors';
import { NAMESPACES, qualifiedName, type Resource } from '../../api/resources';
import { nameOf, type Namespace } from '../../api/types';
import type { Informer } from '../../client/informer';
import type { ServedResources } from '../../client/served-resources';
import { WorkQueue } from '../../client/work-queue';
import { rfc3339 } from '../../lib/clock';
import { describeError } from '../../lib/log';
import { emptyingConditions, type Remaining } from './namespace-conditions';
import { subject, Subscriptions, type Controller, type ControllerDeps } from './controller';

/** Empties a namespace that is being deleted, then lets go of it. */
export class NamespaceController implements Controller {
  readonly name = 'namespace';
  private readonly queue: WorkQueue;
  private readonly namespaces: Informer<Namespace>;

  constructor(
    private readonly deps: ControllerDeps,
    private readonly served: ServedResources,
  ) {
    this.queue = new WorkQueue(this.name, deps, {
      subjectOf: (name) => subject(NAMESPACES, this.namespaces.get(name)),
      backoff: { initialMs: 200, maxMs: 10_000 },
    });
    this.namespaces = deps.informers.of(NAMESPACES);
  }

  async run(signal: AbortSignal): Promise<void> {
    const { name } = this;
    using subscriptions = new Subscriptions();
    const enqueue = ({ metadata }: Namespace) => {
      if (metadata.deletionTimestamp !== undefined) this.queue.add(metadata.name);
    };
    subscriptions.add(this.namespaces.subscribe({ name, onAdd: enqueue, onUpdate: enqueue }));
    await this.namespaces.whenSynced();
    await this.queue.run((key, workSignal) => this.reconcile(key, workSignal), WORKERS, signal);
  }

  async reconcile(name: string, signal: AbortSignal): Promise<void> {
    const namespace = this.namespaces.get(name);
    if (namespace?.metadata.deletionTimestamp === undefined) return;
    const { remaining, failures } = await this.emptyInOrder(name, signal);
    if (remaining.length === 0 && failures.length === 0) return this.finalize(namespace, signal);
    await this.tell(namespace, remaining, failures, signal);
    if (failures.length > 0) throw new Error(`namespace ${name}: ${failures.join('; ')}`);
    // Pods end in their own time; look again without counting it as a failure.
    this.queue.addAfter(name, RECHECK_MS);
  }

  /**
   * Pods first, and the rest only once they have gone: what protects them, and what they read, must
   * not go before them. Source: KEP-5080.
   */
  private async emptyInOrder(
    name: string,
    signal: AbortSignal,
  ): Promise<{ readonly remaining: readonly Remaining[]; readonly failures: readonly string[] }> {
    const namespaced = this.served.resources().filter(({ isNamespaced }) => isNamespaced);
    const pods = namespaced.filter(isPods);
    const first = await this.emptyAll(pods, name, signal);
    if (first.remaining.length > 0 || first.failures.length > 0) return first;
    return this.emptyAll(
      namespaced.filter((resource) => !isPods(resource)),
      name,
      signal,
    );
  }

  /** One kind that cannot be emptied must not keep the others. */
  private async emptyAll(resources: readonly Resource[], name: string, signal: AbortSignal) {
    const remaining: Remaining[] = [];
    const failures: string[] = [];
    for (const resource of resources) {
      try {
        const left = await this.empty(resource, name, signal);
        if (left.count > 0) remaining.push(left);
      } catch (error) {
        if (signal.aborted) throw error;
        // A kind that has gone meanwhile keeps nothing here.
        if (!this.served.resources().includes(resource)) continue;
        failures.push(`${qualifiedName(resource)}: ${describeError(error)}`);
      }
    }
    return { remaining, failures };
  }

  /** Asks for the deletion of all objects of a kind; returns what there was. */
  private async empty(
    resource: Resource,
    namespace: string,
    signal: AbortSignal,
  ): Promise<Remaining> {
    const { items } = await this.deps.client.list(resource, { namespace }, signal);
    const standing = items.filter(({ metadata }) => metadata.deletionTimestamp === undefined);
    await Promise.all(
      standing.map(async (object) => {
        try {
          await this.deps.client.delete(resource, nameOf(object), {}, signal);
        } catch (error) {
          if (!hasReason(error, 'NotFound', 'Conflict')) throw error;
        }
      }),
    );
    const finalizers = new Map<string, number>();
    for (const { metadata } of items)
      for (const finalizer of metadata.finalizers ?? [])
        finalizers.set(finalizer, (finalizers.get(finalizer) ?? 0) + 1);
    const { plural, group } = resource;
    return { plural, group, count: items.length, finalizers };
  }

  private async tell(
    namespace: Namespace,
    remaining: readonly Remaining[],
    failures: readonly string[],
    signal: AbortSignal,
  ): Promise<void> {
    const failure =
      failures.length === 0
        ? undefined
        : `Failed to delete all resource types, ${failures.length} remaining: ${failures.join(', ')}`;
    const now = rfc3339(this.deps.clock.now());
    const conditions = emptyingConditions(namespace, remaining, failure, now);
    if (conditions === undefined) return;
    const status = { ...namespace.status, conditions };
    await this.deps.client.update(
      NAMESPACES,
      { ...namespace, status },
      { subresource: 'status' },
      signal,
    );
  }

  private async finalize(namespace: Namespace, signal: AbortSignal): Promise<void> {
    const finalizers = (namespace.spec?.finalizers ?? []).filter((name) => name !== 'kubernetes');
    const emptied = { ...namespace, spec: { ...namespace.spec, finalizers } };
    try {
      await this.deps.client.update(NAMESPACES, emptied, { subresource: 'finalize' }, signal);
    } catch (error) {
      if (!hasReason(error, 'NotFound')) throw error;
    }
  }
}

const isPods = ({ group, plural }: Resource): boolean => group === '' && plural === 'pods';

const WORKERS = 2;
const RECHECK_MS = 500;
