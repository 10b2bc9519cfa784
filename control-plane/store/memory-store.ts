import type { ApiObject } from '../../api/types';
import { EventLog } from './event-log';
import { decodeObject, encodeObject, type EncodedObject } from './object-codec';
import { compareKeys, type Store, type StoreKey, type StoreList, type WriteGuard } from './store';
import type { StoredObject, StoreEvent, StoreProgress, Term } from './store';
import { withinTerm } from './within-term';
import { keyConflict, keyExists, keyNotFound, termIsOver } from './store-errors';
import { snapshotVersion, versionOf } from './version';

/** The store without a disk: for unit tests and simulation. Every write is its own revision. */
export class MemoryStore implements Store {
  private checkGuards(guards: readonly WriteGuard[]): void {
    const broken = guards.find((guard) => this.versionAt(guard.key) !== guard.version);
    if (broken !== undefined) throw keyConflict(broken.key);
  }

  private revision = 1;
  private termNumber = 0;
  private readonly resources = new Map<string, MemoryResource>();

  async get(key: StoreKey, signal?: AbortSignal): Promise<StoredObject | undefined> {
    signal?.throwIfAborted();
    return this.of(key.resource).objects.get(nameOf(key))?.stored;
  }

  async list(resource: string, signal?: AbortSignal): Promise<StoreList> {
    signal?.throwIfAborted();
    const items = [...this.of(resource).objects.values()].map(({ stored }) => stored);
    return {
      items: items.sort((a, b) => compareKeys(a.key, b.key)),
      resourceVersion: snapshotVersion(this.revision),
    };
  }

  async create(
    key: StoreKey,
    object: ApiObject,
    signal?: AbortSignal,
    guards: readonly WriteGuard[] = [],
  ): Promise<StoredObject> {
    signal?.throwIfAborted();
    if (this.of(key.resource).objects.has(nameOf(key))) throw keyExists(key);
    this.checkGuards(guards);
    return this.put(key, object, undefined);
  }

  async update(
    key: StoreKey,
    object: ApiObject,
    expectedVersion: number,
    signal?: AbortSignal,
    guards: readonly WriteGuard[] = [],
  ): Promise<StoredObject> {
    signal?.throwIfAborted();
    const { stored } = this.expect(key, expectedVersion);
    this.checkGuards(guards);
    return this.put(key, object, stored);
  }

  async delete(
    key: StoreKey,
    expectedVersion: number,
    signal?: AbortSignal,
  ): Promise<StoredObject> {
    signal?.throwIfAborted();
    const { encoded, stored: previous } = this.expect(key, expectedVersion);
    const resource = this.of(key.resource);
    const current = decodeObject(key, encoded, versionOf(++this.revision, 0));
    resource.objects.delete(nameOf(key));
    resource.record({ type: 'delete', current, previous });
    return current;
  }

  watch(resource: string, fromVersion: number, signal: AbortSignal): AsyncIterable<StoreEvent> {
    return this.of(resource).log.read(fromVersion, signal);
  }

  async currentVersion(signal?: AbortSignal): Promise<number> {
    signal?.throwIfAborted();
    return snapshotVersion(this.revision);
  }

  async progress(resource: string, signal?: AbortSignal): Promise<StoreProgress> {
    signal?.throwIfAborted();
    return {
      changedVersion: this.of(resource).changedVersion,
      resourceVersion: snapshotVersion(this.revision),
    };
  }

  /** Another server leads: the number of its term. What is written within an earlier one is refused. */
  beginTerm(): number {
    return ++this.termNumber;
  }

  within(term: Term): Store {
    return withinTerm(this, () => this.checkTerm(term));
  }

  /** @throws ServiceUnavailable when another server leads */
  checkTerm({ number }: Term): void {
    if (number !== this.termNumber) throw termIsOver();
  }

  /** Forgets history up to now: a watch from before is `Expired`. */
  compact(): void {
    for (const { log } of this.resources.values()) log.compact(snapshotVersion(this.revision));
  }

  private put(key: StoreKey, object: ApiObject, previous: StoredObject | undefined): StoredObject {
    const resource = this.of(key.resource);
    const encoded = encodeObject(object);
    const stored = decodeObject(key, encoded, versionOf(++this.revision, 0));
    resource.objects.set(nameOf(key), { encoded, stored });
    resource.record({ type: 'put', current: stored, previous });
    return stored;
  }

  private versionAt({ resource, ...name }: StoreKey): number | undefined {
    return this.of(resource).objects.get(nameOf({ resource, ...name }))?.stored.resourceVersion;
  }

  private expect(key: StoreKey, expectedVersion: number): MemoryObject {
    const found = this.of(key.resource).objects.get(nameOf(key));
    if (found === undefined) throw keyNotFound(key);
    if (found.stored.resourceVersion !== expectedVersion) throw keyConflict(key);
    return found;
  }

  private of(name: string): MemoryResource {
    let resource = this.resources.get(name);
    if (resource === undefined) this.resources.set(name, (resource = new MemoryResource()));
    return resource;
  }
}

interface MemoryObject {
  readonly encoded: EncodedObject;
  readonly stored: StoredObject;
}

class MemoryResource {
  readonly objects = new Map<string, MemoryObject>();
  readonly log = new EventLog<StoreEvent>(0);
  changedVersion = 0;

  record(event: StoreEvent): void {
    this.changedVersion = event.current.resourceVersion;
    this.log.append(this.changedVersion, event, event.current.raw.length);
  }
}

const nameOf = ({ namespace, name }: StoreKey): string => `${namespace}/${name}`;
