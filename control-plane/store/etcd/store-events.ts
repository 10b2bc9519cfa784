import { ApiError } from '../../../api/errors';
import type { Log } from '../../../lib/log';
import { Event_EventType, type Event, type KeyValue } from '../../../proto/gen/etcd/kv';
import { decodeObject, decodeStored } from '../object-codec';
import type { KnownStates, StoredObject, StoreEvent, StoreKey, StoreWatchEvent } from '../store';
import { snapshotVersion, versionOf } from '../version';
import { HEADLESS_INDEX } from './batch';
import type { EtcdConnection } from './connection';
import { decodeHead, indexIn, type DeletionIndexes, type Envelopes } from './envelope';
import { decodeKey, headKey } from './keys';
import type { WatchItem } from './revision-assembler';
import type { SharedWrites } from './shared-writes';

export interface StoreEventsDeps {
  readonly connection: EtcdConnection;
  readonly envelopes: Envelopes;
  readonly log: Log;
  readonly resource: string;
  readonly fromVersion: number;
  readonly known?: KnownStates | undefined;
  /** What this process wrote itself. */
  readonly shared: SharedWrites;
}

/**
 * Gives each event of a revision its own version, in the order in which the batch wrote them, and
 * ends every revision with progress: it may have changed nothing but the head.
 */
export async function* storeEvents(
  deps: StoreEventsDeps,
  items: AsyncIterable<WatchItem>,
): AsyncGenerator<StoreWatchEvent, void> {
  const head = headKey(deps.resource);
  for await (const item of items) {
    if (item.type === 'revision') {
      const isHead = ({ kv }: Event) => kv !== undefined && head.equals(kv.key);
      const deletions = readHead(item.events.find(isHead));
      const changes = item.events.filter((event) => !isHead(event));
      await assertNoneLost(deps, item.revision, changes, deletions);
      for (const event of storeEventsOf(deps, item.revision, changes, deletions))
        if (event.current.resourceVersion > deps.fromVersion) yield event;
    }
    const resourceVersion = snapshotVersion(item.revision);
    if (resourceVersion > deps.fromVersion) yield { type: 'progress', resourceVersion };
  }
}

const readHead = (event: Event | undefined): DeletionIndexes =>
  event?.kv === undefined ? new Map() : decodeHead(event.kv.value);

const storeEventsOf = (
  deps: StoreEventsDeps,
  revision: number,
  changes: readonly Event[],
  deletions: DeletionIndexes,
): readonly StoreEvent[] => {
  let headlessIndex = HEADLESS_INDEX;
  const events: StoreEvent[] = [];
  for (const { type, kv, prevKv } of changes) {
    if (kv === undefined) continue;
    const key = decodeKey(deps.resource, kv.key);
    if (key === undefined) continue;
    if (type === Event_EventType.DELETE) {
      const index = deletions.get(kv.key.toString()) ?? headlessIndex++;
      const event = deletion(deps, key, versionOf(revision, index), prevKv);
      if (event !== undefined) events.push(event);
    } else {
      const event = change(deps, key, kv, prevKv);
      if (event?.type !== 'put') deps.log.error({ key }, 'etcd holds a value that is not ours');
      if (event !== undefined) events.push(event);
    }
  }
  // Versions above this one stand for the whole revision.
  if (versionOf(revision, headlessIndex) >= snapshotVersion(revision)) throw foreignError();
  return events.sort((a, b) => a.current.resourceVersion - b.current.resourceVersion);
};

/** An object that becomes unreadable is gone to its readers, as lists leave it out, too. */
const change = (
  deps: StoreEventsDeps,
  key: StoreKey,
  kv: KeyValue,
  prevKv: KeyValue | undefined,
): StoreEvent | undefined => {
  if (prevKv === undefined && kv.createRevision !== kv.modRevision) throw previousLostError();
  const current = put(deps, key, kv);
  if (current === undefined) return deletion(deps, key, versionOf(kv.modRevision, 0), prevKv, true);
  return { type: 'put', current, previous: prevKv && before(deps, key, prevKv) };
};

const deletion = (
  deps: StoreEventsDeps,
  key: StoreKey,
  version: number,
  prevKv: KeyValue | undefined,
  mayBeNew = false,
): StoreEvent | undefined => {
  if (prevKv === undefined && mayBeNew) return undefined;
  if (prevKv === undefined) throw previousLostError();
  const previous = before(deps, key, prevKv);
  const opened = deps.envelopes.open(prevKv.key, prevKv.value);
  if (previous === undefined || opened === undefined) return undefined;
  return { type: 'delete', current: decodeObject(key, opened, version), previous };
};

/** The state before a change: mostly what the watcher has. */
const before = (
  { known, envelopes }: StoreEventsDeps,
  key: StoreKey,
  prevKv: KeyValue,
): StoredObject | undefined => {
  const index = indexIn(prevKv.value);
  if (index === undefined) return undefined;
  const state = known?.(key.namespace, key.name);
  return state?.resourceVersion === versionOf(prevKv.modRevision, index)
    ? state
    : stored(envelopes, key, prevKv);
};

/** The state after a change: what this process wrote itself is at hand. */
const put = (
  { shared, envelopes }: StoreEventsDeps,
  key: StoreKey,
  keyValue: KeyValue,
): StoredObject | undefined => {
  const index = indexIn(keyValue.value);
  if (index === undefined) return undefined;
  const version = versionOf(keyValue.modRevision, index);
  return shared.take(key, keyValue.value, version) ?? stored(envelopes, key, keyValue);
};

const stored = (
  envelopes: Envelopes,
  key: StoreKey,
  { key: place, value, modRevision }: KeyValue,
): StoredObject | undefined => {
  const opened = envelopes.open(place, value);
  return opened && decodeStored(key, opened, versionOf(modRevision, opened.index));
};

/**
 * Several releases of etcd drop a deletion whose revision is compacted while a watcher catches up.
 * The head tells which deletions were meant; one that is missing either failed its comparison, and
 * then its object is still there, or was lost.
 */
const assertNoneLost = async (
  { connection }: StoreEventsDeps,
  revision: number,
  changes: readonly Event[],
  deletions: DeletionIndexes,
): Promise<void> => {
  if (deletions.size === 0) return;
  const deleted = new Set(
    changes
      .filter(({ type }) => type === Event_EventType.DELETE)
      .map(({ kv }) => kv?.key.toString()),
  );
  for (const key of deletions.keys()) {
    if (deleted.has(key)) continue;
    const isThere = await existsAt(connection, key, revision);
    if (!isThere && (await existsAt(connection, key, revision - 1)))
      throw new ApiError('Expired', 'etcd lost a deletion to compaction');
  }
};

/** Throws Expired when that is no longer known. */
const existsAt = async (
  connection: EtcdConnection,
  key: string,
  revision: number,
): Promise<boolean> => {
  const fields = { key: Buffer.from(key), revision, keysOnly: true };
  return (await connection.range(fields)).kvs.length > 0;
};

const previousLostError = (): ApiError =>
  new ApiError('Expired', 'the state before a change has been compacted');

const foreignError = (): ApiError =>
  new ApiError('Expired', 'too many objects were deleted at once behind our back');
