import type { MonitoredContainer } from './monitored-container';

interface Listed {
  readonly record: { readonly spec: { readonly id: string; readonly sandboxId: string } };
}

/** The containers of a runtime, by their ids and by their sandboxes: each is asked for very often. */
export class ContainerTable<C extends Listed = MonitoredContainer> {
  private readonly byId = new Map<string, C>();
  private readonly bySandbox = new Map<string, Map<string, C>>();

  get(id: string): C | undefined {
    return this.byId.get(id);
  }

  has(id: string): boolean {
    return this.byId.has(id);
  }

  /** In the order in which they were put. */
  all(): Iterable<C> {
    return this.byId.values();
  }

  /** The same, of those in one sandbox. */
  in(sandboxId: string): Iterable<C> {
    return this.bySandbox.get(sandboxId)?.values() ?? [];
  }

  put(container: C): void {
    const { id, sandboxId } = container.record.spec;
    this.byId.set(id, container);
    const inside = this.bySandbox.get(sandboxId) ?? new Map<string, C>();
    this.bySandbox.set(sandboxId, inside.set(id, container));
  }

  delete(id: string): void {
    const sandboxId = this.byId.get(id)?.record.spec.sandboxId ?? '';
    this.byId.delete(id);
    const inside = this.bySandbox.get(sandboxId);
    inside?.delete(id);
    if (inside?.size === 0) this.bySandbox.delete(sandboxId);
  }
}
