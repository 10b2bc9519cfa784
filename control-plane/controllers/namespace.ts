import { hasReason } from '../../api/errors';
import { NAMESPACES, qualifiedName, type Resource } from '../../api/resources';
import { nameOf, type Namespace } from '../../api/types';
import type { Informer } from '../../client/informer';
import { WorkQueue } from '../../client/work-queue';
import { rfc3339 } from '../../lib/clock';
import type { Controller, ControllerDeps } from './controller';

/** Empties a namespace that is being deleted, then lets go of it. */
export class NamespaceController implements Controller {
  readonly name = 'namespace';
  private readonly queue: WorkQueue;
  private readonly namespaces: Informer<Namespace>;

  constructor(
    private readonly deps: ControllerDeps,
    private readonly resources: readonly Resource[],
  ) {
    this.queue = new WorkQueue(this.name, deps, { initialMs: 200, maxMs: 10_000 });
    this.namespaces = deps.informers.of(NAMESPACES);
  }

  async run(signal: AbortSignal): Promise<void> {
    const enqueue = ({ metadata }: Namespace) => {
      if (metadata.deletionTimestamp !== undefined) this.queue.add(metadata.name);
    };
    this.namespaces.subscribe({ onAdd: enqueue, onUpdate: enqueue });
    await this.namespaces.whenSynced();
    await this.queue.run((name, workSignal) => this.reconcile(name, workSignal), WORKERS, signal);
  }

  async reconcile(name: string, signal: AbortSignal): Promise<void> {
    const namespace = this.namespaces.get(name);
    if (namespace?.metadata.deletionTimestamp === undefined) return;
    const remaining = new Map<string, number>();
    for (const resource of this.resources.filter(({ isNamespaced }) => isNamespaced)) {
      const count = await this.empty(resource, name, signal);
      if (count > 0) remaining.set(qualifiedName(resource), count);
    }
    if (remaining.size === 0) return this.finalize(namespace, signal);
    await this.tellRemaining(namespace, remaining, signal);
    // Pods end in their own time; look again without counting it as a failure.
    this.queue.addAfter(name, RECHECK_MS);
  }

  /** Asks for the deletion of all objects of a kind; returns how many there were. */
  private async empty(resource: Resource, namespace: string, signal: AbortSignal): Promise<number> {
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
    return items.length;
  }

  private async tellRemaining(
    namespace: Namespace,
    remaining: ReadonlyMap<string, number>,
    signal: AbortSignal,
  ): Promise<void> {
    const counts = [...remaining].map(([kind, n]) => `${kind} has ${n} resource instances`);
    const message = `Some resources are remaining: ${counts.join(', ')}`;
    const known = namespace.status?.conditions?.find(
      ({ type }) => type === 'NamespaceContentRemaining',
    );
    if (known?.message === message) return;
    const condition = {
      type: 'NamespaceContentRemaining',
      status: 'True',
      reason: 'SomeResourcesRemain',
      message,
      lastTransitionTime: known?.lastTransitionTime ?? rfc3339(this.deps.clock.now()),
    };
    const others = (namespace.status?.conditions ?? []).filter(
      ({ type }) => type !== condition.type,
    );
    const status = { ...namespace.status, conditions: [...others, condition] };
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

const WORKERS = 2;
const RECHECK_MS = 500;
