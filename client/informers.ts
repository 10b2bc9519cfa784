import { onAbort } from '../lib/async/on-abort';
import { qualifiedName, type Resource } from '../api/resources';
import type { ApiObject } from '../api/types';
import { linkedController } from '../lib/async/linked-controller';
import { TaskGroup } from '../lib/async/task-group';
import { Informer, type InformerDeps } from './informer';

/** One informer per kind, shared by all who ask for it. */
export class Informers {
  private readonly byPlural = new Map<string, Kept>();
  private group: TaskGroup | undefined;

  constructor(private readonly deps: InformerDeps) {}

  /** The informer of a kind, over all namespaces; it runs as soon as, and as long as, `run` does. */
  of<T extends ApiObject>(resource: Resource<T>): Informer<T> {
    const key = qualifiedName(resource);
    let kept = this.byPlural.get(key);
    if (kept === undefined) {
      const informer = new Informer<ApiObject>(resource, this.deps);
      kept = { resource, informer, released: new AbortController() };
      this.byPlural.set(key, kept);
      this.start(kept);
    }
    // One kind, one type: the map is keyed by what `T` follows from.
    return kept.informer as unknown as Informer<T>;
  }

  /**
   * Ends the informer of a kind that is served no more, unless somebody has asked for what came in its
   * place. When the kind comes again, ask anew.
   */
  release(resource: Resource): void {
    const key = qualifiedName(resource);
    const kept = this.byPlural.get(key);
    if (kept?.resource !== resource) return;
    kept.released.abort();
    this.byPlural.delete(key);
  }

  /** Resolves when all that have been asked for are synced, or have ended. */
  async whenSynced(): Promise<void> {
    await Promise.all([...this.byPlural.values()].map(({ informer }) => informer.whenSynced()));
  }

  /** Resolves when all have what was stored at the call. */
  async catchUp(signal: AbortSignal): Promise<void> {
    await Promise.all([...this.byPlural.values()].map(({ informer }) => informer.catchUp(signal)));
  }

  /** Keeps all copies until `signal` aborts. */
  async run(signal: AbortSignal): Promise<void> {
    await using group = new TaskGroup(signal);
    this.group = group;
    for (const kept of this.byPlural.values()) this.start(kept);
    await aborted(signal);
  }

  private start({ informer, released }: Kept): void {
    this.group?.run(async (signal) => {
      using either = linkedController(signal, released.signal);
      await informer.run(either.signal);
    });
  }
}

interface Kept {
  readonly resource: Resource;
  readonly informer: Informer<ApiObject>;
  readonly released: AbortController;
}

const aborted = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    if (signal.aborted) resolve();
    else onAbort(signal, () => resolve());
  });
