import type { ApiObject } from '../../../api/types';
import type { Store, StoredObject, StoreKey, WriteGuard } from '../../store/store';
import type { Permit } from '../auth/permit';
import { presented, storeNameOf, type ServedKind } from '../kinds/served-kind';

interface WriteRights {
  readonly permit: Permit;
  readonly signal: AbortSignal;
}

/**
 * The only way from a request to a write in the store: each write is held against what its request
 * may do, by its effect and not by the verb that led to it.
 */
export class AuthorizedStore {
  constructor(private readonly store: Store) {}

  get(key: StoreKey, signal: AbortSignal): Promise<StoredObject | undefined> {
    return this.store.get(key, signal);
  }

  /** @throws Forbidden, AlreadyExists, Conflict when a guard's object has changed */
  async create(
    kind: ServedKind,
    object: ApiObject,
    { permit, signal }: WriteRights,
    guards: readonly WriteGuard[] | undefined,
  ): Promise<StoredObject> {
    const key = keyOf(kind, object);
    permit.require('create', kind.resource, key);
    return presented(kind, await this.store.create(key, storedForm(kind, object), signal, guards));
  }

  /** @throws NotFound, Conflict unless `old` is what is stored */
  async update(
    kind: ServedKind,
    old: StoredObject,
    next: ApiObject,
    { permit, signal }: WriteRights,
  ): Promise<StoredObject> {
    permit.require('update', kind.resource, old.key);
    const { key, resourceVersion } = old;
    const stored = await this.store.update(key, storedForm(kind, next), resourceVersion, signal);
    return presented(kind, stored);
  }

  /** @throws NotFound, Conflict unless `old` is what is stored */
  async delete(
    kind: ServedKind,
    old: StoredObject,
    { permit, signal }: WriteRights,
  ): Promise<StoredObject> {
    permit.require('delete', kind.resource, old.key);
    return presented(kind, await this.store.delete(old.key, old.resourceVersion, signal));
  }
}

const storedForm = (kind: ServedKind, object: ApiObject): ApiObject =>
  kind.toStored?.(object) ?? object;

export const keyOf = (kind: ServedKind, { metadata }: ApiObject): StoreKey => ({
  resource: storeNameOf(kind),
  namespace: metadata.namespace ?? '',
  name: metadata.name,
});
