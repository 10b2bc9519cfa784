import { hasReason } from '../../../api/errors';
import type { ApiObject } from '../../../api/types';
import type { WatchEvent } from '../../../client/api-client';
import { linkedController } from '../../../lib/async/linked-controller';
import { TimeSlice } from '../../../lib/async/time-slice';
import type { Clock } from '../../../lib/clock';
import type { StoreEvent, StoredObject } from '../../store/store';
import type { CacheEvent } from '../../store/watch-cache';
import { presentedNow, type Conversion, type ServedKind } from '../kinds/served-kind';
import { itemOf, type Item } from './item';
import type { ObjectReader } from './object-reader';
import { compileSelection, type Selection, type SelectionQuery } from './selection';
import { expired } from './versions';

export interface WatchQuery extends SelectionQuery {
  /** Absent: the newest state first, 0: any state first, else only what came after. */
  readonly version?: number;
  readonly allowsBookmarks: boolean;
  /**
   * First all present objects, then a bookmark that says so. Not said: if no version is asked for, or
   * any; false: never, and from now on if no version is asked for.
   */
  readonly sendsInitialEvents?: boolean;
}

export type WatchItem =
  | { readonly type: 'ADDED' | 'MODIFIED' | 'DELETED'; readonly item: Item }
  | { readonly type: 'BOOKMARK'; readonly version: number; readonly endsInitialEvents: boolean };

/** Streams changes of one kind to one client, seen through its selectors. */
export class ObjectWatcher {
  constructor(
    private readonly reader: ObjectReader,
    private readonly clock: Clock,
  ) {}

  /**
   * Runs until `signal` aborts, or until the reader is too slow: then it ends, and the client goes
   * on from the last version it saw. What happened together comes together; `turn` is awaited before
   * changes are taken. @throws Expired before the first item when that is gone.
   */
  async *watch(
    kind: ServedKind,
    query: WatchQuery,
    signal: AbortSignal,
    turn?: () => Promise<void>,
  ): AsyncGenerator<readonly WatchItem[], void, undefined> {
    const selection = compileSelection(kind, query);
    if (kind.virtual !== undefined) {
      yield* this.watchVirtual(kind, selection, query, signal);
      return;
    }
    const cache = this.reader.cacheOf(kind);
    await cache.ready(signal);
    let from = query.version ?? 0;
    const isInitial = query.sendsInitialEvents ?? from === 0;
    if (isInitial || from === 0) {
      if (query.version === undefined) await cache.waitFresh(signal);
      else if (from > 0) await cache.waitFor(from, signal);
      const present = cache.list(selection.namespace);
      from = present.resourceVersion;
      if (isInitial && kind.conversion === undefined)
        yield* initialItems(kind, present.items, selection, this.clock);
      else if (isInitial && kind.conversion !== undefined)
        yield* convertedInitialItems(kind.conversion, present.items, selection, signal);
      if (isInitial && query.allowsBookmarks)
        yield [{ type: 'BOOKMARK', version: from, endsInitialEvents: true }];
    }
    // Asked anew: the kind may have gone meanwhile.
    const again = this.reader.cacheOf(kind);
    // Another version may go on: watches of this one end.
    using alive = linkedController(signal, this.reader.endOf(kind));
    const events = again.watch(from, alive.signal, turn);
    yield* this.follow(kind, events, selection, query.allowsBookmarks, alive.signal);
  }

  private async *follow(
    kind: ServedKind,
    batches: AsyncIterable<readonly CacheEvent[]>,
    selection: Selection,
    allowsBookmarks: boolean,
    signal: AbortSignal,
  ): AsyncGenerator<readonly WatchItem[], void, undefined> {
    let hasStarted = false;
    let bookmarkedAtMs = this.clock.monotonicMs();
    try {
      for await (const events of batches) {
        hasStarted = true;
        const items =
          kind.conversion === undefined
            ? itemsOf(kind, events, selection)
            : await convertedItems(kind.conversion, events, selection, signal);
        if (items.length > 0) yield items;
        if (!allowsBookmarks || !events.some(({ type }) => type === 'progress')) continue;
        const nowMs = this.clock.monotonicMs();
        if (nowMs - bookmarkedAtMs < BOOKMARK_INTERVAL_MS) continue;
        bookmarkedAtMs = nowMs;
        yield [{ type: 'BOOKMARK', version: lastVersionOf(events), endsInitialEvents: false }];
      }
    } catch (error) {
      if (signal.aborted) return;
      if (!hasReason(error, 'Expired') || !hasStarted) throw error;
    }
  }

  private async *watchVirtual(
    { virtual }: ServedKind,
    selection: Selection,
    query: WatchQuery,
    signal: AbortSignal,
  ): AsyncGenerator<readonly WatchItem[], void, undefined> {
    if (virtual?.list === undefined || virtual.watch === undefined)
      throw expired('this kind cannot be watched');
    let from = String(query.version ?? 0);
    const isInitial = query.sendsInitialEvents ?? from === '0';
    if (isInitial || from === '0') {
      const present = await virtual.list(selection.namespace, signal);
      from = present.resourceVersion;
      if (isInitial)
        yield* initialItems(undefined, present.items.map(itemOf), selection, this.clock);
      if (isInitial && query.allowsBookmarks)
        yield [{ type: 'BOOKMARK', version: Number(from), endsInitialEvents: true }];
    }
    for await (const event of virtual.watch(selection.namespace, from, signal)) {
      const item = virtualItem(event, selection);
      if (item !== undefined && (item.type !== 'BOOKMARK' || query.allowsBookmarks)) yield [item];
    }
  }
}

async function* initialItems(
  kind: ServedKind | undefined,
  items: readonly Item[],
  selection: Selection,
  clock: Clock,
): AsyncGenerator<readonly WatchItem[]> {
  const slice = new TimeSlice(clock);
  let batch: WatchItem[] = [];
  let bytes = 0;
  for (const each of items) {
    if (slice.isOver) await slice.turn();
    const item = kind === undefined ? each : presentedNow(kind, each as StoredObject);
    if (!selection.isWhole && !selection.matches(item.object)) continue;
    batch.push({ type: 'ADDED', item });
    bytes += item.raw.length;
    if (bytes < BATCH_BYTES) continue;
    yield batch;
    [batch, bytes] = [[], 0];
  }
  if (batch.length > 0) yield batch;
}

/** The same of objects that are converted, as many at a time as make a batch. */
async function* convertedInitialItems(
  conversion: Conversion,
  items: readonly StoredObject[],
  selection: Selection,
  signal: AbortSignal,
): AsyncGenerator<readonly WatchItem[]> {
  const wanted = items.filter(({ key }) => mayBeNamed(selection, key.name));
  for (let from = 0; from < wanted.length; from += CONVERTED_AT_A_TIME) {
    const chunk = wanted.slice(from, from + CONVERTED_AT_A_TIME);
    const converted = await conversion.present(chunk, { signal });
    const batch = converted
      .filter(({ object }) => selection.isWhole || selection.matches(object))
      .map((item): WatchItem => ({ type: 'ADDED', item }));
    if (batch.length > 0) yield batch;
  }
}

const mayBeNamed = ({ name }: Selection, found: string): boolean =>
  name === undefined || name === found;

const lastVersionOf = (events: readonly CacheEvent[]): number => {
  const last = events.at(-1);
  if (last === undefined) return 0;
  return last.type === 'progress' ? last.resourceVersion : last.current.resourceVersion;
};

/**
 * What a watcher with this selection makes of a batch. Where no selector narrows it, all watchers of a
 * namespace get one array.
 */
const itemsOf = (
  kind: ServedKind,
  events: readonly CacheEvent[],
  selection: Selection,
): readonly WatchItem[] => {
  if (!selection.isWhole || kind.present !== undefined) return seenItems(kind, events, selection);
  const { namespace = '' } = selection;
  let shared = sharedItems.get(events);
  if (shared === undefined)
    sharedItems.set(events, (shared = new Map<string, readonly WatchItem[]>()));
  let items = shared.get(namespace);
  if (items === undefined) shared.set(namespace, (items = seenItems(kind, events, selection)));
  return items;
};

const seenItems = (
  kind: ServedKind,
  events: readonly CacheEvent[],
  selection: Selection,
): readonly WatchItem[] =>
  events.flatMap((event) =>
    event.type === 'progress' ? [] : (seenThrough(selection, presentedEvent(kind, event)) ?? []),
  );

/** What a watcher makes of a batch whose objects are converted first, all that it may see. */
const convertedItems = async (
  conversion: Conversion,
  events: readonly CacheEvent[],
  selection: Selection,
  signal: AbortSignal,
): Promise<readonly WatchItem[]> => {
  const changes = events.filter(
    (event): event is StoreEvent => event.type !== 'progress' && isInView(selection, event),
  );
  const states = changes.flatMap((event) => statesSeen(selection, event));
  const converted = await conversion.present(states, { signal });
  const found = new Map(states.map((state, i) => [state, converted[i] ?? state]));
  const shown = (state: StoredObject): StoredObject => found.get(state) ?? state;
  return changes.flatMap((event) => {
    const current = shown(event.current);
    const seen: StoreEvent =
      event.type === 'delete'
        ? { ...event, current, previous: shown(event.previous) }
        : { ...event, current, previous: event.previous && shown(event.previous) };
    return seenThrough(selection, seen) ?? [];
  });
};

const isInView = (selection: Selection, { current: { key } }: StoreEvent): boolean =>
  (selection.namespace === undefined || selection.namespace === key.namespace) &&
  mayBeNamed(selection, key.name);

/** What was there before matters only to whoever selects. */
const statesSeen = ({ isWhole }: Selection, event: StoreEvent): readonly StoredObject[] =>
  isWhole || event.previous === undefined ? [event.current] : [event.current, event.previous];

const sharedItems = new WeakMap<readonly CacheEvent[], Map<string, readonly WatchItem[]>>();

const virtualItem = (event: WatchEvent<ApiObject>, selection: Selection): WatchItem | undefined => {
  if (event.type === 'BOOKMARK')
    return {
      type: 'BOOKMARK',
      version: Number(event.resourceVersion),
      endsInitialEvents: false,
    };
  return selection.matches(event.object)
    ? { type: event.type, item: itemOf(event.object) }
    : undefined;
};

/** A change as the kind serves what it is about. */
const presentedEvent = (kind: ServedKind, event: StoreEvent): StoreEvent => {
  if (kind.present === undefined) return event;
  const current = presentedNow(kind, event.current);
  if (event.type === 'delete')
    return { ...event, current, previous: presentedNow(kind, event.previous) };
  return { ...event, current, previous: event.previous && presentedNow(kind, event.previous) };
};

/** What a watcher with this selection makes of a change: entering adds, leaving deletes. */
const seenThrough = (selection: Selection, event: StoreEvent): WatchItem | undefined => {
  const { current, previous } = event;
  if (selection.namespace !== undefined && current.key.namespace !== selection.namespace)
    return undefined;
  if (event.type === 'delete')
    return selection.isWhole || selection.matches(event.previous.object)
      ? { type: 'DELETED', item: current }
      : undefined;
  if (selection.isWhole)
    return { type: previous === undefined ? 'ADDED' : 'MODIFIED', item: current };
  const was = previous !== undefined && selection.matches(previous.object);
  const is = selection.matches(current.object);
  if (is) return { type: was ? 'MODIFIED' : 'ADDED', item: current };
  return was ? { type: 'DELETED', item: departed(current, previous) } : undefined;
};

/** The state a watcher last saw, at the version at which it left the watcher's view. */
const departed = (current: StoredObject, previous: StoredObject): Item => {
  let item = departures.get(current);
  if (item === undefined) {
    item = itemOf({
      ...previous.object,
      metadata: {
        ...previous.object.metadata,
        resourceVersion: String(current.resourceVersion),
      },
    });
    departures.set(current, item);
  }
  return item;
};

const departures = new WeakMap<StoredObject, Item>();
const BATCH_BYTES = 64 * 1024;
const CONVERTED_AT_A_TIME = 100;
const BOOKMARK_INTERVAL_MS = 10_000;
