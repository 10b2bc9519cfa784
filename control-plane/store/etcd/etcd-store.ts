import type { ApiObject } from '../../../api/types';
import type { Clock } from '../../../lib/clock';
import type { Log } from '../../../lib/log';
import type { RangeResponse } from '../../../proto/gen/etcd/rpc';
import type { KeyValue } from '../../../proto/gen/etcd/kv';
import { decodeObject, decodeStored, encodeObject } from '../object-codec';
import { compareKeys, type Store, type StoreKey, type StoreList, type WriteGuard } from '../store';
import type { KnownStates, StoredObject, StoreProgress, StoreWatchEvent, Term } from '../store';
import { keyConflict, keyExists, keyNotFound, termIsOver } from '../store-errors';
import { revisionOf, snapshotVersion, versionOf } from '../version';
import type { Write } from './batch';
import type { EtcdConnection } from './connection';
import type { Envelopes } from './envelope';
import { OutcomeUnknownError } from './errors';
import { GroupCommit, type CommitResult } from './group-commit';
import { HeadReads } from './head-reads';
import { decodeKey, encodeKey, LEADER_KEY, rangeOf } from './keys';
import { listRange } from './list-range';
import { findOwnWrite, type OwnWrite } from './own-write';
import { SharedWrites } from './shared-writes';
import { storeEvents } from './store-events';
import { watchRange } from './watch-range';

export interface EtcdStoreDeps {
  readonly connection: EtcdConnection;
  readonly envelopes: Envelopes;
  readonly clock: Clock;
  readonly log: Log;
  readonly trustsProgress: boolean;
  /** A write found that a term is over. */
  readonly onFenced: (term: Term) => void;
}

interface Committed {
  readonly result: CommitResult;
  readonly own?: OwnWrite;
}

/** What a store has in common with itself within a term. */
class StoreParts {
  readonly commits: GroupCommit;
  readonly heads: HeadReads;
  readonly shared = new SharedWrites();
  /** Deletions made without a head, by resource: etcd was out of space. */
  readonly headlessRevisions = new Map<string, number>();

  constructor(deps: EtcdStoreDeps) {
    this.commits = new GroupCommit(deps);
    this.heads = new HeadReads(deps.connection);
  }
}

/** The store in etcd. Concurrent writes share transactions, see `GroupCommit`. */
export class EtcdStore implements Store {
  /** That of the latest term. */
  private leaders: EtcdStore | undefined;

  constructor(
    private readonly deps: EtcdStoreDeps,
    private readonly parts = new StoreParts(deps),
    private readonly term?: Term,
  ) {}

  within(term: Term): Store {
    if (this.leaders?.term !== term) this.leaders = new EtcdStore(this.deps, this.parts, term);
    return this.leaders;
  }

  async get(key: StoreKey, signal?: AbortSignal): Promise<StoredObject | undefined> {
    const { kvs } = await this.range(encodeKey(key), signal);
    return kvs[0] === undefined ? undefined : this.read(key, kvs[0]);
  }

  async list(resource: string, signal?: AbortSignal): Promise<StoreList> {
    const { connection } = this.deps;
    const { keyValues, revision } = await listRange(connection, rangeOf(resource), signal);
    const items = keyValues
      .map((keyValue) => this.readAny(resource, keyValue))
      .filter((item) => item !== undefined);
    return {
      items: items.sort((a, b) => compareKeys(a.key, b.key)),
      resourceVersion: snapshotVersion(revision),
    };
  }

  async create(
    key: StoreKey,
    object: ApiObject,
    signal?: AbortSignal,
    guards?: readonly WriteGuard[],
  ): Promise<StoredObject> {
    return this.put(key, object, 0, signal, guards);
  }

  async update(
    key: StoreKey,
    object: ApiObject,
    expectedVersion: number,
    signal?: AbortSignal,
    guards?: readonly WriteGuard[],
  ): Promise<StoredObject> {
    const expectedRevision = revisionOf(expectedVersion);
    // Revision 0 means "absent" to etcd; no stored object has it.
    if (expectedRevision === 0) throw keyConflict(key);
    return this.put(key, object, expectedRevision, signal, guards);
  }

  async delete(
    key: StoreKey,
    expectedVersion: number,
    signal?: AbortSignal,
  ): Promise<StoredObject> {
    const expectedRevision = revisionOf(expectedVersion);
    if (expectedRevision === 0) throw keyConflict(key);
    const write = this.write(key, expectedRevision, undefined);
    const { result, own } = await this.commit(write, signal);
    if (own !== undefined) return this.lastState(write, key, own);
    if (result.outcome !== 'done')
      throw result.current === undefined ? keyNotFound(key) : keyConflict(key);
    if (result.isHeadless) this.parts.headlessRevisions.set(key.resource, result.revision);
    const opened = this.deps.envelopes.open(write.key, result.previous?.value ?? Buffer.alloc(0));
    if (opened === undefined) throw keyNotFound(key);
    return decodeObject(key, opened, versionOf(result.revision, result.index));
  }

  watch(
    resource: string,
    fromVersion: number,
    signal: AbortSignal,
    known?: KnownStates,
  ): AsyncIterable<StoreWatchEvent> {
    // The revision of `fromVersion` may hold later writes of the same batch.
    const isWhole = fromVersion === snapshotVersion(revisionOf(fromVersion));
    const startRevision = revisionOf(fromVersion) + (isWhole ? 1 : 0);
    const hasChangedSince = async (revision: number) =>
      (await this.progress(resource, signal)).changedVersion >= versionOf(revision, 0);
    const deps = { ...this.deps, hasChangedSince };
    const items = watchRange(deps, rangeOf(resource), Math.max(1, startRevision), signal);
    const { shared } = this.parts;
    return storeEvents({ ...this.deps, resource, fromVersion, known, shared }, items);
  }

  async currentVersion(signal?: AbortSignal): Promise<number> {
    const { header } = await this.range(LEADER_KEY, signal);
    return snapshotVersion(header?.revision ?? 0);
  }

  async progress(resource: string, signal?: AbortSignal): Promise<StoreProgress> {
    signal?.throwIfAborted();
    const head = await this.parts.heads.read(resource);
    signal?.throwIfAborted();
    const headless = this.parts.headlessRevisions.get(resource) ?? 0;
    const changedRevision = Math.max(head.changedRevision, headless);
    return {
      changedVersion: changedRevision === 0 ? 0 : snapshotVersion(changedRevision),
      resourceVersion: snapshotVersion(head.revision),
    };
  }

  private range(key: Buffer, signal: AbortSignal | undefined): Promise<RangeResponse> {
    return this.deps.connection.range({ key }, signal);
  }

  private write(key: StoreKey, expectedRevision: number, value: Buffer | undefined): Write {
    const write = { resource: key.resource, key: encodeKey(key), expectedRevision, value };
    return this.term === undefined ? write : { ...write, termRevision: this.term.number };
  }

  private async put(
    key: StoreKey,
    object: ApiObject,
    expectedRevision: number,
    signal: AbortSignal | undefined,
    guards: readonly WriteGuard[] = [],
  ): Promise<StoredObject> {
    const encoded = encodeObject(object);
    const bare = this.write(key, expectedRevision, undefined);
    const value = this.deps.envelopes.seal(key.resource, bare.key, encoded);
    const write = { ...bare, value, ...guarded(guards) };
    const shared = this.parts.shared.begin(key, value, encoded);
    const { result, own } = await this.commit(write, signal);
    const place = own ?? (result.outcome === 'done' ? result : undefined);
    if (place !== undefined) return shared.stored(versionOf(place.revision, place.index));
    const isThere = result.outcome !== 'done' && result.current !== undefined;
    if (guards[0] !== undefined && !isThere) throw keyConflict(guards[0].key);
    if (expectedRevision === 0) throw keyExists(key);
    throw isThere ? keyConflict(key) : keyNotFound(key);
  }

  /**
   * `own`: the write happened, but its answer was lost and it then stood in its own way.
   * @throws ServiceUnavailable when it did not, for the term is over
   */
  private async commit(write: Write, signal: AbortSignal | undefined): Promise<Committed> {
    const { connection } = this.deps;
    const { knownRevision } = connection;
    if (this.term?.signal.aborted === true) throw termIsOver();
    const result = await this.parts.commits.commit(write, signal);
    if (result.outcome === 'done') return { result };
    if (result.outcome === 'fenced' && this.term !== undefined) this.deps.onFenced(this.term);
    const own = result.wasUncertain
      ? await findOwnWrite(connection, write, result, knownRevision)
      : undefined;
    if (own !== undefined) return { result, own };
    if (result.outcome === 'fenced') throw termIsOver();
    return { result };
  }

  /** For a deletion whose answer was lost: what it removed. */
  private async lastState(write: Write, key: StoreKey, own: OwnWrite): Promise<StoredObject> {
    const fields = { key: write.key, revision: write.expectedRevision };
    const { kvs } = await this.deps.connection.range(fields).catch((error: unknown) => {
      throw new OutcomeUnknownError({ cause: error });
    });
    const opened = kvs[0] && this.deps.envelopes.open(write.key, kvs[0].value);
    if (opened === undefined) throw keyNotFound(key);
    return decodeObject(key, opened, versionOf(own.revision, own.index));
  }

  private readAny(resource: string, keyValue: KeyValue): StoredObject | undefined {
    const key = decodeKey(resource, keyValue.key);
    return key && this.read(key, keyValue);
  }

  private read(key: StoreKey, keyValue: KeyValue): StoredObject | undefined {
    const { value, modRevision } = keyValue;
    const opened = this.deps.envelopes.open(keyValue.key, value);
    const stored = opened && decodeStored(key, opened, versionOf(modRevision, opened.index));
    if (stored !== undefined) return stored;
    this.deps.log.error({ key }, 'etcd holds a value that is not ours');
    return undefined;
  }
}

const guarded = (guards: readonly WriteGuard[]): Pick<Write, 'guards'> =>
  guards.length === 0
    ? {}
    : {
        guards: guards.map(({ key, version }) => ({
          key: encodeKey(key),
          revision: revisionOf(version),
        })),
      };
