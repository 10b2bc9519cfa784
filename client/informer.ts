import { hasReason } from '../api/errors';
import type { Resource } from '../api/resources';
import { keyOf, type ApiObject } from '../api/types';
import { backoffMs } from '../lib/async/backoff';
import type { Clock } from '../lib/clock';
import type { Log } from '../lib/log';
import type { Random } from '../lib/random';
import type { ApiClient, WatchEvent } from './api-client';
import { loggedFaults, type FaultReporter } from './object-faults';

/**
 * Called in order, synchronously, after the cache has changed; they must not block. One that throws
 * is passed over for that object and reported with it.
 */
export interface InformerHandlers<T> {
  /** Who they are, for reports of what they could not handle. */
  readonly name?: string;
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
  /** Default: faults of handlers are only logged. */
  readonly faults?: FaultReporter;
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
  /** Where the next watch starts; undefined when a list must come first. */
  private resourceVersion: string | undefined;
  /** The newest version that list and watch have told of. */
  private progress = 0;
  private oldLists = 0;
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

  /**
   * Resolves when the first list has arrived and its handlers have run. Also when `run` has ended
   * before that, so that nobody waits for what does not come: look at the signal then.
   */
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
    for (const object of this.objects.values()) {
      this.call(handlers, object, () => handlers.onAdd?.(object));
    }
    return () => this.handlers.delete(handlers);
  }

  /**
   * Puts an object that the caller has just written into the cache: its own writes are then visible
   * at once. Not if a newer one is there, and not if the watch has come as far as this write and
   * knows no such object: it was deleted since.
   */
  noteWritten(object: T): void {
    const known = this.objects.get(keyOf(object));
    const isTold = this.isSynced && versionOf(object) <= this.progress;
    if (known !== undefined || !isTold) this.put(object);
  }

  /** Resolves when the copy has all that was stored at the call; what was deleted, the watch tells. */
  async catchUp(signal: AbortSignal): Promise<void> {
    // Its own first list may have been taken before.
    await this.syncedPromise;
    const { items } = await this.deps.client.list(this.resource, this.options, signal);
    for (const item of items) this.noteWritten(item);
  }

  /** Keeps the copy until `signal` aborts. Call once. */
  async run(signal: AbortSignal): Promise<void> {
    await this.keep(signal);
    this.synced();
  }

  private async keep(signal: AbortSignal): Promise<void> {
    const { clock, random, log } = this.deps;
    for (let failures = 0; !signal.aborted;) {
      const before = this.progress;
      const startMs = clock.monotonicMs();
      try {
        if (this.resourceVersion === undefined) await this.relist(signal);
        await this.follow(signal);
        // A server that ends each watch before it tells anything must not be asked without pause.
        const isFutile = this.progress === before && clock.monotonicMs() - startMs < WATCH_MIN_MS;
        if (isFutile) throw new Error('the watch ended at once');
        failures = 0;
      } catch (error) {
        if (this.progress !== before) failures = 0;
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
    this.checkAge(Number(resourceVersion));
    const listed = new Map(items.map((item) => [keyOf(item), item]));
    for (const [key, object] of this.objects) {
      // Written by us after the list was taken: the watch will tell.
      const isLater = versionOf(object) > Number(resourceVersion);
      if (!listed.has(key) && !isLater) this.remove(object);
    }
    for (const item of listed.values()) this.put(item);
    this.resourceVersion = resourceVersion;
    this.progress = Number(resourceVersion);
    this.isSynced = true;
    this.synced();
  }

  /**
   * A list older than what the watch has told would bring back what was deleted since: it is asked
   * for again. A server that keeps to it has lost its later history, and is followed from there.
   */
  private checkAge(version: number): void {
    if (version >= this.progress) {
      this.oldLists = 0;
      return;
    }
    if (++this.oldLists < OLD_LISTS_MAX)
      throw new Error(`the list at ${version} is older than what was seen at ${this.progress}`);
    this.oldLists = 0;
    for (const object of [...this.objects.values()]) this.remove(object);
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
      this.advance(event.resourceVersion);
      return;
    }
    // First: what a handler writes and notes is judged by how far the watch has come.
    this.advance(event.object.metadata.resourceVersion);
    if (event.type === 'DELETED') this.remove(event.object);
    else this.put(event.object);
  }

  private advance(version: string | undefined): void {
    if (version === undefined || Number(version) <= this.progress) return;
    this.resourceVersion = version;
    this.progress = Number(version);
  }

  private put(object: T): void {
    const key = keyOf(object);
    const previous = this.objects.get(key);
    if (previous !== undefined && versionOf(previous) >= versionOf(object)) return;
    this.objects.set(key, object);
    // The name was deleted and taken again while we were not looking: two objects, two calls.
    if (previous !== undefined && previous.metadata.uid !== object.metadata.uid) {
      this.tell(previous, (handlers) => handlers.onDelete?.(previous));
      this.tell(object, (handlers) => handlers.onAdd?.(object));
    } else if (previous === undefined) this.tell(object, (handlers) => handlers.onAdd?.(object));
    else this.tell(object, (handlers) => handlers.onUpdate?.(object, previous));
  }

  private remove(object: T): void {
    const key = keyOf(object);
    const known = this.objects.get(key);
    if (known === undefined || versionOf(known) > versionOf(object)) return;
    this.objects.delete(key);
    // Of an object that came and went under the name of a known one, nobody has heard.
    const gone = known.metadata.uid === object.metadata.uid ? object : known;
    this.tell(gone, (handlers) => handlers.onDelete?.(gone));
  }

  private tell(object: T, call: (handlers: InformerHandlers<T>) => void): void {
    for (const handlers of this.handlers) this.call(handlers, object, () => call(handlers));
  }

  /** One subscriber's fault must not stop the copy that all others read, nor its other objects. */
  private call(handlers: InformerHandlers<T>, object: T, run: () => void): void {
    try {
      run();
    } catch (error) {
      const { faults = loggedFaults(this.deps.log) } = this.deps;
      const consumer = handlers.name ?? 'informer';
      faults.report({ consumer, resource: this.resource, object, error });
    }
  }
}

// resourceVersions are comparable decimal integers (KEP-5504).
const versionOf = ({ metadata }: ApiObject): number => Number(metadata.resourceVersion ?? 0);

// Behind a call, so that the compiler does not take an earlier look for the present one.
const isAborted = (signal: AbortSignal): boolean => signal.aborted;

const OLD_LISTS_MAX = 3;
const WATCH_MIN_MS = 1000;
const RETRY_BACKOFF = { initialMs: 200, maxMs: 10_000 };
