import type { ApiObject, ObjectName } from '../../../api/types';
import { spanning } from '../../../lib/tracing/tracing';
import type { Store, StoredObject, StoreKey, WriteGuard } from '../../store/store';
import { encodeObject } from '../../store/object-codec';
import { presented, storeNameOf, type ServedKind, type Waiting } from '../kinds/served-kind';
import { checkStoredValueCount } from './object-size';
import { RecentWrites } from './recent-writes';
import { waitingOf, type WriteContext } from './write-context';

type WriteRights = Pick<WriteContext, 'permit' | 'signal' | 'place' | 'pace' | 'span' | 'term'>;

/**
 * The only way from a request to a write in the store: each write is held against what its request
 * may do, by its effect and not by the verb that led to it.
 */
export class AuthorizedStore {
  private readonly recent = new RecentWrites();

  constructor(private readonly store: Store) {}

  get(key: StoreKey, signal: AbortSignal): Promise<StoredObject | undefined> {
    return this.store.get(key, signal);
  }

  /** What was last written here, unless whoever has seen all up to `version` has seen that. */
  async writtenSince(
    version: number,
    kind: ServedKind,
    name: ObjectName,
    waiting: Waiting,
  ): Promise<StoredObject | undefined> {
    const stored = this.recent.since({ resource: storeNameOf(kind), ...name }, version);
    return stored && presented(kind, stored, waiting);
  }

  /** @throws Forbidden, AlreadyExists, Conflict when a guard's object has changed */
  async create(
    kind: ServedKind,
    object: ApiObject,
    rights: WriteRights,
    guards: readonly WriteGuard[] | undefined,
  ): Promise<StoredObject> {
    const key = keyOf(kind, object);
    rights.permit.require('create', kind.resource, key);
    const waiting = waitingOf(rights);
    const form = await storedForm(kind, object, waiting);
    const stored = await spanning(
      rights.span?.child('Create etcd3'),
      this.storeFor(rights).create(key, form, rights.signal, guards),
    );
    this.recent.note(stored);
    return presented(kind, stored, waiting);
  }

  /** @throws NotFound, Conflict unless `old` is what is stored and the guards' objects are as they were */
  async update(
    kind: ServedKind,
    old: StoredObject,
    next: ApiObject,
    rights: WriteRights,
    guards?: readonly WriteGuard[],
  ): Promise<StoredObject> {
    rights.permit.require('update', kind.resource, old.key);
    const { key, resourceVersion } = old;
    const waiting = waitingOf(rights);
    const form = await storedForm(kind, next, waiting);
    const stored = await spanning(
      rights.span?.child('GuaranteedUpdate etcd3'),
      this.storeFor(rights).update(key, form, resourceVersion, rights.signal, guards),
    );
    this.recent.note(stored);
    return presented(kind, stored, waiting);
  }

  /** @throws NotFound, Conflict unless `old` is what is stored */
  async delete(kind: ServedKind, old: StoredObject, rights: WriteRights): Promise<StoredObject> {
    rights.permit.require('delete', kind.resource, old.key);
    const gone = await spanning(
      rights.span?.child('Delete etcd3'),
      this.storeFor(rights).delete(old.key, old.resourceVersion, rights.signal),
    );
    this.recent.forget(old.key);
    return presented(kind, gone, waitingOf(rights));
  }

  private storeFor({ term }: WriteRights): Store {
    return term === undefined ? this.store : this.store.within(term);
  }

  /** What a write would answer; refuses what the store would. */
  async rehearse(kind: ServedKind, object: ApiObject, rights: WriteRights): Promise<ApiObject> {
    const waiting = waitingOf(rights);
    const form = await storedForm(kind, object, waiting);
    encodeObject(form);
    return kind.conversion?.convert(form, waiting) ?? object;
  }
}

const storedForm = async (
  kind: ServedKind,
  object: ApiObject,
  waiting: Waiting,
): Promise<ApiObject> => {
  if (kind.conversion === undefined) return kind.toStored?.(object) ?? object;
  const form = await kind.conversion.toStored(object, waiting);
  // What came of it is of somebody else's making.
  checkStoredValueCount(kind, form);
  return form;
};

export const keyOf = (kind: ServedKind, { metadata }: ApiObject): StoreKey => ({
  resource: storeNameOf(kind),
  namespace: metadata.namespace ?? '',
  name: metadata.name,
});
