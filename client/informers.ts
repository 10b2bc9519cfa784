import { onAbort } from '../lib/async/on-abort';
import type { Resource } from '../api/resources';
import type { ApiObject } from '../api/types';
import { TaskGroup } from '../lib/async/task-group';
import { Informer, type InformerDeps } from './informer';

/** One informer per kind, shared by all who ask for it. */
export class Informers {
  private readonly byPlural = new Map<string, Informer<ApiObject>>();
  private group: TaskGroup | undefined;

  constructor(private readonly deps: InformerDeps) {}

  /** The informer of a kind, over all namespaces; it runs as soon as, and as long as, `run` does. */
  of<T extends ApiObject>(resource: Resource<T>): Informer<T> {
    const key = `${resource.plural}.${resource.group}`;
    let informer = this.byPlural.get(key);
    if (informer === undefined) {
      informer = new Informer<ApiObject>(resource, this.deps);
      this.byPlural.set(key, informer);
      this.start(informer);
    }
    // One kind, one type: the map is keyed by what `T` follows from.
    return informer as unknown as Informer<T>;
  }

  /** Resolves when all that have been asked for are synced, or have ended. */
  async whenSynced(): Promise<void> {
    await Promise.all([...this.byPlural.values()].map((informer) => informer.whenSynced()));
  }

  /** Keeps all copies until `signal` aborts. */
  async run(signal: AbortSignal): Promise<void> {
    await using group = new TaskGroup(signal);
    this.group = group;
    for (const informer of this.byPlural.values()) this.start(informer);
    await aborted(signal);
  }

  private start(informer: Informer<ApiObject>): void {
    this.group?.run((signal) => informer.run(signal));
  }
}

const aborted = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    if (signal.aborted) resolve();
    else onAbort(signal, () => resolve());
  });
