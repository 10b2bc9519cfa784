import { hasReason } from '../api/errors';
import type { Resource } from '../api/resources';
import { keyOf, type ApiObject } from '../api/types';
import { backoffMs } from '../lib/async/backoff';
import type { Clock } from '../lib/clock';
import { describeError, type Log } from '../lib/log';
import type { Random } from '../lib/random';
import type { ApiClient, WatchEvent } from './api-client';

/** Called in order, synchronously, after the cache has changed. They must not throw or block. */
export interface InformerHandlers<T> {
  readonly onAdd?: (object: T) => void;
  readonly onUpdate?: (object: T, previous: T) => void;
  readonly onDelete?: (object: T) => void;
}

export interface InformerOptions {
  readonly namespace?: string;
  readonly labelSelector?: string;
  readonly fieldSelector?: string;
}

export interface InformerDeps {
  readonly client: ApiClient;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

/**
 * A local copy of one kind, kept by list and watch. Reads are immediate and may be behind; after
 * `hasSynced` they are never older than a read before. A lost watch resumes where it stopped; when
 * that history is gone, the informer lists again and turns the difference into handler calls, so
 * that no handler misses a deletion.
 */
export class Informer<T extends ApiObject> {
  private objects = new Map<string, T>();
  private readonly handlers = new Set<InformerHandlers<T>>();
  private resourceVersion: string | undefined;
  private synced: () => void = () => undefined;
  private readonly syncedPromise = new Promise<void>((resolve) => (this.synced = resolve));
  private isSynced = false;

  constructor(
    private readonly resource: Resource<T>,
    private readonly deps: InformerDeps,
    private readonly options: InformerOptions = {},
  ) {}

  get hasSynced(): boolean {
    return this.isSynced;
  }

  /** Resolves when the first list has arrived and its handlers have run. */
  whenSynced(): Promise<void> {
    return this.syncedPromise;
  }

  /** By `namespace/name`, or the name of a cluster-scoped object. */
  get(key: string): T | undefined {
    return this.objects.get(key);
  }

  list(): IterableIterator<T> {
    return this.objects.values();
  }

  get size(): number {
    return this.objects.size;
  }

  /** What is cached is replayed as `onAdd` at once. Returns the unsubscribe function. */
  subscribe(handlers: InformerHandlers<T>): () => void {
    this.handlers.add(handlers);
    for (const object of this.objects.values()) handlers.onAdd?.(object);
    return () => this.handlers.delete(handlers);
  }

  /**
   * Puts an object that the caller has just written into the cache, unless a newer one is there:
   * its own writes are then visible at once.
   */
  noteWritten(object: T): void {
    const known = this.objects.get(keyOf(object));
    if (known === undefined || isNewer(object, known)) this.put(object);
  }

  /** Keeps the copy until `signal` aborts. Call once. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, random, log } = this.deps;
    for (let failures = 0; !signal.aborted;) {
      try {
        if (this.resourceVersion === undefined) await this.relist(signal);
        await this.follow(signal);
        failures = 0;
      } catch (error) {
        if (isAborted(signal)) return;
        if (hasReason(error, 'Expired', 'Gone')) this.resourceVersion = undefined;
        else log.warn({ resource: this.resource.plural, err: error }, 'watch failed, retrying');
        await clock.sleep(backoffMs(failures++, RETRY_BACKOFF, random), signal);
      }
    }
  }

  private async relist(signal: AbortSignal): Promise<void> {
    const { items, resourceVersion } = await this.deps.client.list(
      this.resource,
      this.options,
      signal,
    );
    const listed = new Map(items.map((item) => [keyOf(item), item]));
    for (const [key, object] of this.objects) {
      // Written by us after the list was taken: the watch will tell.
      const isLater = Number(object.metadata.resourceVersion ?? 0) > Number(resourceVersion);
      if (!listed.has(key) && !isLater) this.remove(object);
    }
    for (const item of listed.values()) this.put(item);
    this.resourceVersion = resourceVersion;
    this.isSynced = true;
    this.synced();
  }

  private async follow(signal: AbortSignal): Promise<void> {
    const events = this.deps.client.watch(
      this.resource,
      {
        ...this.options,
        resourceVersion: this.resourceVersion ?? '0',
        allowBookmarks: true,
      },
      signal,
    );
    for await (const event of events) this.apply(event);
  }

  private apply(event: WatchEvent<T>): void {
    if (event.type === 'BOOKMARK') {
      this.resourceVersion = event.resourceVersion;
      return;
    }
    if (event.type === 'DELETED') this.remove(event.object);
    else this.put(event.object);
    this.resourceVersion = event.object.metadata.resourceVersion ?? this.resourceVersion;
  }

  private put(object: T): void {
    const key = keyOf(object);
    const previous = this.objects.get(key);
    if (previous !== undefined) {
      const isSame = previous.metadata.resourceVersion === object.metadata.resourceVersion;
      if (isSame || isNewer(previous, object)) return;
    }
    this.objects.set(key, object);
    // The name was deleted and taken again while we were not looking: two objects, two calls.
    if (previous !== undefined && previous.metadata.uid !== object.metadata.uid) {
      this.tell((handlers) => handlers.onDelete?.(previous));
      this.tell((handlers) => handlers.onAdd?.(object));
    } else if (previous === undefined) this.tell((handlers) => handlers.onAdd?.(object));
    else this.tell((handlers) => handlers.onUpdate?.(object, previous));
  }

  private remove(object: T): void {
    const key = keyOf(object);
    const known = this.objects.get(key);
    if (known === undefined || isNewer(known, object)) return;
    this.objects.delete(key);
    this.tell((handlers) => handlers.onDelete?.(object));
  }

  private tell(call: (handlers: InformerHandlers<T>) => void): void {
    for (const handlers of this.handlers) {
      try {
        call(handlers);
      } catch (error) {
        // One subscriber's fault must not stop the copy that all others read.
        this.deps.log.error(
          { resource: this.resource.plural, err: describeError(error) },
          'informer handler failed',
        );
      }
    }
  }
}

// resourceVersions are comparable decimal integers (KEP-5504).
const isNewer = (a: ApiObject, b: ApiObject): boolean =>
  Number(a.metadata.resourceVersion ?? 0) > Number(b.metadata.resourceVersion ?? 0);

// Behind a call, so that the compiler does not take an earlier look for the present one.
const isAborted = (signal: AbortSignal): boolean => signal.aborted;

const RETRY_BACKOFF = { initialMs: 200, maxMs: 10_000 };
