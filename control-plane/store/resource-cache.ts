import { ApiError, hasReason } from '../../api/errors';
import { backoffMs } from '../../lib/async/backoff';
import type { Clock } from '../../lib/clock';
import type { Log } from '../../lib/log';
import { systemRandom } from '../../lib/random';
import { EventLog, type EventLogLimits } from './event-log';
import { ObjectIndex } from './object-index';
import { withoutEvents } from './past-list';
import { retire } from './object-codec';
import type { Store, StoredObject, StoreProgress, StoreWatchEvent } from './store';
import { VersionWaiters } from './version-waiters';
import type { CacheEvent, CacheList, WatchCache } from './watch-cache';
import { linkedController, type LinkedController } from '../../lib/async/linked-controller';

export interface ResourceCacheDeps {
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Log;
  /** How much history of one resource clients can resume from. */
  readonly limits?: EventLogLimits;
}

/** One resource in memory, kept by `run`. Until the first list it knows nothing: await `ready`. */
export class ResourceCache implements WatchCache {
  private index = new ObjectIndex();
  private readonly history: EventLog<CacheEvent>;
  private readonly versions = new VersionWaiters();
  private readonly stopped = new AbortController();
  private hasSynced = false;
  private watching = new AbortController();
  /** How often in a row a watch brought nothing after this version. */
  private silence = { version: 0, count: 0 };
  private progressInFlight: Promise<StoreProgress> | undefined;
  private progressNext: Promise<StoreProgress> | undefined;

  constructor(
    private readonly resource: string,
    private readonly deps: ResourceCacheDeps,
  ) {
    this.history = new EventLog<CacheEvent>(0, deps.limits);
  }

  get resourceVersion(): number {
    return this.versions.version;
  }

  async ready(signal?: AbortSignal): Promise<void> {
    // Any version will do: the first list sets one.
    if (this.versions.version >= 1 && !this.stopped.signal.aborted) {
      signal?.throwIfAborted();
      return;
    }
    using ended = this.endedBy(signal);
    const reached = await this.versions.wait(1, ended.signal);
    signal?.throwIfAborted();
    if (!reached) throw stoppedError();
  }

  async waitFor(version: number, signal?: AbortSignal): Promise<void> {
    if (version <= this.versions.version) return;
    using given = this.endedBy(signal);
    void this.hasten(version, given);
    const reached = await this.versions.wait(version, given.signal);
    given.abort();
    signal?.throwIfAborted();
    if (reached) return;
    if (this.stopped.signal.aborted) throw stoppedError();
    throw tooLargeVersion(version, this.versions.version);
  }

  async waitFresh(signal?: AbortSignal): Promise<void> {
    const progress = await this.freshProgress();
    signal?.throwIfAborted();
    await this.reach(progress, signal);
  }

  get(namespace: string, name: string): StoredObject | undefined {
    return this.index.get(namespace, name);
  }

  list(namespace?: string): CacheList {
    return { items: this.index.snapshot(namespace), resourceVersion: this.versions.version };
  }

  listAt(version: number, namespace?: string): CacheList | undefined {
    const later = version > this.versions.version ? undefined : this.history.since(version);
    if (later === undefined) return undefined;
    return {
      items: withoutEvents(this.list(namespace).items, later, namespace),
      resourceVersion: version,
    };
  }

  watch(
    fromVersion: number,
    signal: AbortSignal,
    turn?: () => Promise<void>,
  ): AsyncIterable<readonly CacheEvent[]> {
    return this.history.readBatches(fromVersion, signal, turn);
  }

  /** Feeds the cache until `signal` aborts, whatever happens to the store meanwhile. */
  async run(signal: AbortSignal): Promise<void> {
    for (let failureCount = 0; !signal.aborted; failureCount++) {
      const version = this.versions.version;
      try {
        if (!this.hasSynced) await this.relist(signal);
        await this.follow(signal);
      } catch (error) {
        this.noteFailure(error, signal);
      }
      if (this.versions.version > version) failureCount = 0;
      await this.deps.clock.sleep(backoffMs(failureCount, RETRY, systemRandom), signal);
    }
    this.stopped.abort();
    this.history.close();
  }

  /**
   * Gives a quiet resource a recent version, and finds a watch that went silent: to be called now and
   * then, and not before the last call has ended.
   */
  async freshen(): Promise<void> {
    if (!this.hasSynced) return;
    try {
      const progress = await this.freshProgress();
      await this.reach(progress).catch((error: unknown) => {
        if (hasReason(error, 'Timeout')) this.noteSilence();
        throw error;
      });
      if (this.stopped.signal.aborted) return;
      const resourceVersion = this.versions.version;
      const nowMs = this.deps.clock.monotonicMs();
      this.history.append(resourceVersion, { type: 'progress', resourceVersion }, 0, nowMs);
    } catch (error) {
      if (hasReason(error, 'Timeout')) this.watching.abort();
      this.deps.log.debug({ resource: this.resource, err: error }, 'cannot freshen watch cache');
    }
  }

  /** Has all that the store had then, and knows so. */
  private async reach(
    { changedVersion, resourceVersion }: StoreProgress,
    signal?: AbortSignal,
  ): Promise<void> {
    await this.waitFor(changedVersion, signal);
    this.versions.advance(resourceVersion);
  }

  /**
   * The store has what the watch does not bring. A new watch may; where watch after watch brings nothing, as
   * over links that die under a large piece, a list does: its pages are of any size.
   */
  private noteSilence(): void {
    const { version } = this.versions;
    this.silence = {
      version,
      count: this.silence.version === version ? this.silence.count + 1 : 1,
    };
    if (this.silence.count >= SILENT_MAX) this.hasSynced = false;
  }

  private noteFailure(error: unknown, signal: AbortSignal): void {
    if (signal.aborted) return;
    if (hasReason(error, 'Expired')) this.hasSynced = false;
    this.deps.log.warn({ resource: this.resource, err: error }, 'watch cache interrupted');
  }

  private async relist(signal: AbortSignal): Promise<void> {
    const { items, resourceVersion } = await this.deps.store.list(this.resource, signal);
    this.index = new ObjectIndex(items);
    // What happened between the old state and this one is unknown: readers list again, too.
    this.history.reset(resourceVersion);
    this.versions.reset(resourceVersion);
    this.hasSynced = true;
    this.deps.log.debug({ resource: this.resource, count: items.length }, 'watch cache listed');
  }

  private async follow(signal: AbortSignal): Promise<void> {
    const { store } = this.deps;
    using watching = linkedController(signal);
    this.watching = watching;
    // The state before a change is one we have: another copy of it need not be kept.
    const known = (namespace: string, name: string) => this.index.get(namespace, name);
    const events = store.watch(this.resource, this.versions.version, watching.signal, known);
    for await (const event of events) this.apply(event);
  }

  private apply(event: StoreWatchEvent): void {
    if (event.type === 'progress') {
      this.versions.advance(event.resourceVersion);
      return;
    }
    const { current, previous } = event;
    if (event.type === 'put') this.index.set(current);
    else {
      this.index.delete(current.key);
      retire(current);
    }
    if (previous !== undefined) retire(previous);
    const bytes = current.raw.length * KEPT_PER_BYTE;
    this.history.append(current.resourceVersion, event, bytes, this.deps.clock.monotonicMs());
    this.versions.advance(current.resourceVersion);
  }

  /** Asks the store when a version does not come by itself; gives up after `WAIT_MAX_MS`. */
  private async hasten(version: number, given: AbortController): Promise<void> {
    await this.deps.clock.sleep(HASTEN_AFTER_MS, given.signal);
    if (given.signal.aborted) return;
    this.freshProgress().then(
      (progress) => {
        if (this.versions.version >= progress.changedVersion && progress.resourceVersion >= version)
          this.versions.advance(progress.resourceVersion);
      },
      () => undefined,
    );
    await this.deps.clock.sleep(WAIT_MAX_MS - HASTEN_AFTER_MS, given.signal);
    given.abort();
  }

  /** A read of the store begun after this call; callers that come together share one. */
  private freshProgress(): Promise<StoreProgress> {
    return (this.progressNext ??= this.nextProgress());
  }

  private async nextProgress(): Promise<StoreProgress> {
    await this.progressInFlight?.catch(() => undefined);
    this.progressNext = undefined;
    this.progressInFlight = this.deps.store.progress(this.resource);
    return this.progressInFlight;
  }

  private endedBy(signal: AbortSignal | undefined): LinkedController {
    const { signal: stopped } = this.stopped;
    return signal === undefined ? linkedController(stopped) : linkedController(signal, stopped);
  }
}

/** Buffers of a few kilobytes are cut from larger ones, of which what nobody needs stays too. */
const KEPT_PER_BYTE = 1.5;
const WAIT_MAX_MS = 3_000;
const HASTEN_AFTER_MS = 100;
/** So many times in a row that a watch was found to bring nothing. */
const SILENT_MAX = 3;
const RETRY = { initialMs: 50, maxMs: 5_000 };

/** Source: apimachinery's NewTooLargeResourceVersionError. */
const tooLargeVersion = (version: number, current: number): ApiError =>
  new ApiError('Timeout', `Too large resource version: ${version}, current: ${current}`, {
    details: {
      causes: [{ reason: 'ResourceVersionTooLarge', message: 'Too large resource version' }],
      retryAfterSeconds: 1,
    },
  });

const stoppedError = (): ApiError =>
  new ApiError('ServiceUnavailable', 'the server is shutting down');
