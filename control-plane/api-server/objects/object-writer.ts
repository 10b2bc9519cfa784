import { PODS, qualifiedName, type Resource } from '../../../api/resources';
import { alreadyExists, ApiError, conflict, hasReason, notFound } from '../../../api/errors';
import { cloneJson, jsonEqual } from '../../../api/json-value';
import type { ApiObject, ObjectName } from '../../../api/types';
import type { Clock } from '../../../lib/clock';
import type { Random } from '../../../lib/random';
import type { Tracing } from '../../../lib/tracing/tracing';
import type { StoredObject } from '../../store/store';
import type { AdmissionChain } from '../admission/admission-chain';
import { askedIn, type AdmissionAttributes } from '../admission/attributes';
import type { Authorizer } from '../auth/authorizer';
import { checkGrant } from '../auth/grants';
import { become, copyOf, type MutableObject } from '../kinds/mutable';
import type { ServedKind, Waiting } from '../kinds/served-kind';
import { keyOf, type AuthorizedStore } from './authorized-store';
import { checkFinalizers, isRemovable } from './deletion-rules';
import { recordCreate, recordUpdate, sameOwners } from './field-owners';
import { itemOf, versionOf, type Item } from './item';
import {
  checkPreconditions,
  generateName,
  keepSystemMetadata,
  placeObject,
  resetSystemMetadata,
} from './metadata';
import type { ObjectReader } from './object-reader';
import { isPart, PARTS, WITHOUT_LABELS } from './parts';
import { checkStoredValueCount, checkValueCount } from './object-size';
import { applyDefaults, checkCreate, checkUpdate } from './rules';
import { waitingOf, type WriteContext } from './write-context';

export interface WriterDeps {
  readonly store: AuthorizedStore;
  readonly reader: ObjectReader;
  readonly admission: AdmissionChain;
  readonly authorizer: Authorizer;
  readonly clock: Clock;
  readonly random: Random;
  /** Default: nothing is traced. */
  readonly tracing?: Tracing;
}

/** What came of judging one state of an object. */
export interface Verdict<T> {
  readonly value: T;
  /** False: nothing had to be written. That is an answer only about the newest state. */
  readonly isWritten: boolean;
}

/** Makes the new state from the present one. It may run several times; it throws to refuse. */
export type Change = (current: ApiObject) => MutableObject | Promise<MutableObject>;

/** Creates and updates objects of any stored kind: the rules between a request and the store. */
export class ObjectWriter {
  constructor(private readonly deps: WriterDeps) {}

  /** @throws AlreadyExists, Invalid, NotFound and Forbidden for the namespace */
  async create(
    kind: ServedKind,
    namespace: string,
    draft: MutableObject,
    context: WriteContext,
  ): Promise<Item> {
    const prefix = draft.metadata.generateName ?? '';
    const isGenerated = prefix !== '' && !draft.metadata.name;
    for (let attempt = 1; ; attempt++) {
      const object = cloneJson(draft);
      await context.pace?.pause();
      if (isGenerated) object.metadata.name = generateName(prefix, this.deps.random);
      const asked = await this.prepareCreate(kind, namespace, object, context, {
        isGenerated,
        isAgain: attempt > 1,
      });
      if (!context.isDryRun) this.noteTrace(kind, object, context);
      try {
        return await this.deps.admission.storing(asked, context.signal, {
          check: () => this.checkCreated(asked, object, context),
          write: () =>
            context.isDryRun
              ? this.dryCreate(kind, object, context)
              : this.deps.store.create(kind, object, context, asked.guards),
        });
      } catch (error) {
        // A new name, or the namespace has changed since admission looked at it.
        const mayHelp =
          hasReason(error, 'Conflict') || (isGenerated && hasReason(error, 'AlreadyExists'));
        if (!mayHelp || attempt >= MAX_CREATE_ATTEMPTS) throw error;
      }
    }
  }

  /**
   * Read, change, compare-and-swap, again after a conflict. The first try starts from the cache;
   * whatever it refuses is judged anew on the newest state. Only the part of the context's
   * subresource changes.
   * @throws NotFound, Conflict, Invalid
   */
  async update(
    kind: ServedKind,
    name: ObjectName,
    change: Change,
    context: WriteContext,
  ): Promise<Item> {
    return this.onCurrent(kind, name, waitingOf(context), (current) =>
      this.tryUpdate(kind, current, change, context),
    );
  }

  /** Replaces the object, or creates it where the kind allows that. */
  async put(
    kind: ServedKind,
    name: ObjectName,
    object: MutableObject,
    context: WriteContext,
  ): Promise<{ readonly item: Item; readonly isCreated: boolean }> {
    placeObject(kind, object, name.namespace, name.name);
    const { uid } = object.metadata;
    const change: Change = (current) => {
      if (uid !== undefined && uid !== '') checkPreconditions(kind, current, { uid });
      return cloneJson(object);
    };
    try {
      return { item: await this.update(kind, name, change, context), isCreated: false };
    } catch (error) {
      if (!kind.strategy.createsOnUpdate || !hasReason(error, 'NotFound')) throw error;
    }
    return { item: await this.create(kind, name.namespace, object, context), isCreated: true };
  }

  /** Like `update` for a change that the server itself makes: stored as it is, unchecked. */
  async rewrite(
    kind: ServedKind,
    name: ObjectName,
    change: (current: ApiObject) => ApiObject | Promise<ApiObject>,
    context: WriteContext,
  ): Promise<Item> {
    return this.onCurrent(kind, name, waitingOf(context), async (current) => {
      const next = await change(current.object);
      return context.isDryRun
        ? unwritten(itemOf(next))
        : written(await this.swap(kind, current, next, context));
    });
  }

  /**
   * Runs `work` on the present state until its compare-and-swap wins. The first try may start from
   * what is known here, so what it refuses, and what it finds to be done already, is judged anew unless that
   * state proves to be the newest. A write whose outcome nobody knows is not tried again.
   * @throws NotFound
   */
  async onCurrent<T>(
    kind: ServedKind,
    name: ObjectName,
    waiting: Waiting,
    work: (current: StoredObject) => Promise<Verdict<T>>,
  ): Promise<T> {
    const cached = await this.known(kind, name, waiting);
    let current = cached ?? (await this.newest(kind, name, waiting));
    let isNewest = cached === undefined;
    for (let attempt = 0; ; attempt++) {
      const verdict = await this.attempt(work, current, isNewest, attempt);
      const isRefused = verdict instanceof ApiError;
      if (!isRefused && (verdict.isWritten || isNewest)) return verdict.value;
      const judged = current.resourceVersion;
      current = await this.newest(kind, name, waiting);
      if (current.resourceVersion === judged) {
        if (!isRefused) return verdict.value;
        // It was judged on the newest state: to judge it again may take long, and says the same.
        if (!(verdict instanceof LostRaceError)) throw verdict;
      }
      isNewest = true;
    }
  }

  /** As this server wrote it last, or as the cache has it: which may be behind. */
  private async known(
    kind: ServedKind,
    name: ObjectName,
    waiting: Waiting,
  ): Promise<StoredObject | undefined> {
    const { reader, store } = this.deps;
    const { resourceVersion } = reader.cacheOf(kind);
    const written = await store.writtenSince(resourceVersion, kind, name, waiting);
    return written ?? reader.getCachedNow(kind, name, waiting);
  }

  /** The refusal when it is worth another try from the newest state. */
  private async attempt<T>(
    work: (current: StoredObject) => Promise<Verdict<T>>,
    current: StoredObject,
    isNewest: boolean,
    attempt: number,
  ): Promise<Verdict<T> | ApiError> {
    try {
      return await work(current);
    } catch (error) {
      if (!(error instanceof ApiError) || isOfStore(error)) throw error;
      const lostRace = error instanceof LostRaceError && attempt < MAX_UPDATE_ATTEMPTS;
      if (isNewest && !lostRace) throw error;
      return error;
    }
  }

  /** Stores a state that needs no further checks, as deletion marks do. */
  async swap(
    kind: ServedKind,
    old: StoredObject,
    next: ApiObject,
    context: WriteContext,
    guards?: AdmissionAttributes['guards'],
  ): Promise<Item> {
    return asLostRace(this.deps.store.update(kind, old, next, context, guards));
  }

  async remove(kind: ServedKind, old: StoredObject, context: WriteContext): Promise<Item> {
    return asLostRace(this.deps.store.delete(kind, old, context));
  }

  private async newest(
    kind: ServedKind,
    name: ObjectName,
    waiting: Waiting,
  ): Promise<StoredObject> {
    const stored = await this.deps.reader.getNewest(kind, name, waiting);
    if (stored === undefined) throw notFound(kind.resource.plural, kind.resource.group, name.name);
    return stored;
  }

  /** Returns what admission was asked, and has made of the object. */
  private async prepareCreate(
    kind: ServedKind,
    namespace: string,
    object: MutableObject,
    context: WriteContext,
    { isGenerated, isAgain }: { readonly isGenerated: boolean; readonly isAgain: boolean },
  ): Promise<AdmissionAttributes> {
    const { clock, random, admission } = this.deps;
    const { pace, permit } = context;
    checkValueCount(kind, object);
    placeObject(kind, object, namespace, '');
    // Before admission too, which would tell whoever may not create what it thinks of the object.
    permit.require('create', kind.resource, keyOf(kind, object));
    resetSystemMetadata(object, clock, random, kind.strategy.hasGeneration);
    applyDefaults(kind, object);
    await pace?.pause();
    if (context.operation === 'Update') recordCreate(kind, object, context, clock.now());
    await pace?.pause();
    const name = isGenerated ? '' : object.metadata.name;
    const asked: AdmissionAttributes = {
      ...askedIn(context),
      ...{ operation: 'CREATE', kind, subresource: '', namespace, name, object, isAgain },
    };
    if (await admission.admit(asked, context.signal)) applyDefaults(kind, object);
    kind.strategy.prepareCreate?.(object, permit.user);
    await pace?.pause();
    return asked;
  }

  private async checkCreated(
    asked: AdmissionAttributes,
    object: MutableObject,
    context: WriteContext,
  ): Promise<undefined> {
    const { kind } = asked;
    checkGrant(kind, object, undefined, context.permit.user, this.deps.authorizer);
    await checkCreate(kind, object, context);
    await context.pace?.pause();
    checkStoredValueCount(kind, object);
    await this.deps.admission.validate(asked, context.signal);
  }

  /** Before it is written: once it is, others begin with it. */
  private noteTrace({ resource }: ServedKind, object: ApiObject, { span }: WriteContext): void {
    const { uid } = object.metadata;
    if (span !== undefined && uid !== undefined && isOfPods(resource))
      this.deps.tracing?.pods.note(uid, span.context);
  }

  private async dryCreate(
    kind: ServedKind,
    object: MutableObject,
    context: WriteContext,
  ): Promise<Item> {
    const { plural, group } = kind.resource;
    const key = keyOf(kind, object);
    if ((await this.deps.store.get(key, context.signal)) !== undefined)
      throw alreadyExists(plural, group, key.name);
    return itemOf(await this.deps.store.rehearse(kind, object, context));
  }

  private async tryUpdate(
    kind: ServedKind,
    current: StoredObject,
    change: Change,
    context: WriteContext,
  ): Promise<Verdict<Item>> {
    const { pace } = context;
    await pace?.weigh(current.raw.length);
    const old = current.object;
    await pace?.pause();
    const next = await change(old);
    checkValueCount(kind, next);
    await pace?.pause();
    placeObject(kind, next, old.metadata.namespace ?? '', old.metadata.name);
    checkVersion(kind, next, old);
    keepSystemMetadata(next, old);
    const object = isolate(kind, next, old, context.subresource);
    applyDefaults(kind, object);
    await pace?.pause();
    if (context.operation === 'Update')
      await recordUpdate(kind, object, old, context, this.deps.clock.now());
    await pace?.pause();
    const asked = await this.admitUpdate(kind, object, old, context);
    return this.deps.admission.storing<Verdict<Item>>(asked, context.signal, {
      check: async () => {
        await this.checkUpdated(asked, object, old, context);
        await pace?.pause();
        if (isSame(object, old)) return unwritten(current);
        await pace?.pause();
        if (kind.strategy.hasGeneration && isChangedInSpec(kind, object, old))
          object.metadata.generation = (old.metadata.generation ?? 0) + 1;
        await pace?.pause();
        return undefined;
      },
      write: () => this.storeUpdate(kind, current, object, context, asked.guards),
    });
  }

  private async storeUpdate(
    kind: ServedKind,
    current: StoredObject,
    object: MutableObject,
    context: WriteContext,
    guards: AdmissionAttributes['guards'],
  ): Promise<Verdict<Item>> {
    if (context.isDryRun)
      return unwritten(itemOf(await this.deps.store.rehearse(kind, object, context)));
    return written(
      isRemovable(kind, object)
        ? await this.removeAs(kind, current, object, context)
        : await this.swap(kind, current, object, context, guards),
    );
  }

  /** Returns what admission was asked, and has made of the object. */
  private async admitUpdate(
    kind: ServedKind,
    object: MutableObject,
    old: ApiObject,
    context: WriteContext,
  ): Promise<AdmissionAttributes> {
    const { pace, subresource } = context;
    // A scale was asked about as what it is, before it became an object.
    const admission = subresource === 'scale' ? undefined : this.deps.admission;
    const { namespace = '', name } = old.metadata;
    const asked: AdmissionAttributes = {
      ...askedIn(context),
      ...{ operation: 'UPDATE', kind, subresource, namespace, name, object, old },
    };
    if (admission !== undefined && (await admission.admit(asked, context.signal))) {
      keepSystemMetadata(object, old);
      become(object, isolate(kind, object, old, subresource));
      applyDefaults(kind, object);
    }
    if (isPart(subresource)) kind.strategy.preparePart?.(object, old, this.deps.clock.now());
    else kind.strategy.prepareUpdate?.(object, old);
    await pace?.pause();
    return asked;
  }

  private async checkUpdated(
    asked: AdmissionAttributes,
    object: MutableObject,
    old: ApiObject,
    context: WriteContext,
  ): Promise<void> {
    const { kind, subresource } = asked;
    checkGrant(kind, object, old, context.permit.user, this.deps.authorizer);
    checkFinalizers(kind, object, old);
    await checkUpdate(kind, object, old, context);
    await context.pace?.pause();
    checkStoredValueCount(kind, object);
    if (subresource !== 'scale') await this.deps.admission.validate(asked, context.signal);
  }

  /** The last finalizer has gone from an object that is to be deleted. */
  private async removeAs(
    kind: ServedKind,
    current: StoredObject,
    last: ApiObject,
    context: WriteContext,
  ): Promise<Item> {
    const removed = await this.remove(kind, current, context);
    return itemOf({
      ...last,
      metadata: { ...last.metadata, resourceVersion: String(versionOf(removed.object)) },
    });
  }
}

const isOfPods = (resource: Resource): boolean => qualifiedName(resource) === qualifiedName(PODS);

/** The compare-and-swap lost to another writer: worth another try from the newest state. */
class LostRaceError extends ApiError {}

export const written = <T>(value: T): Verdict<T> => ({ value, isWritten: true });
export const unwritten = <T>(value: T): Verdict<T> => ({ value, isWritten: false });

/** Of the store, not about the object: it would fare no better with a newer state. */
const isOfStore = (error: ApiError): boolean => hasReason(error, 'ServiceUnavailable', 'Timeout');

const asLostRace = async <T>(write: Promise<T>): Promise<T> => {
  try {
    return await write;
  } catch (error) {
    if (!hasReason(error, 'Conflict')) throw error;
    throw new LostRaceError('Conflict', error.message, {
      cause: error,
      ...(error.details === undefined ? {} : { details: error.details }),
    });
  }
};

/** A version in the new state means: only if nobody changed it since. */
const checkVersion = (kind: ServedKind, next: MutableObject, old: ApiObject): void => {
  const expected = next.metadata.resourceVersion ?? '';
  if (expected !== '' && expected !== '0' && expected !== old.metadata.resourceVersion)
    throw conflict(kind.resource.plural, kind.resource.group, old.metadata.name);
};

/** /status changes status and nothing else of weight, the main resource everything but status. */
const isolate = (
  { strategy }: ServedKind,
  next: MutableObject,
  old: ApiObject,
  subresource: string,
): MutableObject => {
  if (!isPart(subresource)) {
    if (!strategy.hasStatus) return next;
    const { status } = copyOf(old);
    if (status === undefined) Reflect.deleteProperty(next, 'status');
    else next.status = status;
    return next;
  }
  const kept = copyOf(old);
  PARTS[subresource]?.(kept, next);
  if (subresource === 'finalize') return kept;
  if (next.metadata.managedFields !== undefined)
    kept.metadata.managedFields = next.metadata.managedFields;
  if (strategy.isStatusAlone === true || WITHOUT_LABELS.has(subresource)) return kept;
  if (next.metadata.annotations !== undefined)
    kept.metadata.annotations = next.metadata.annotations;
  if (next.metadata.labels !== undefined) kept.metadata.labels = next.metadata.labels;
  return kept;
};

const isSame = (object: MutableObject, old: ApiObject): boolean => {
  object.metadata.resourceVersion = old.metadata.resourceVersion ?? '';
  return jsonEqual(withoutOwners(object), withoutOwners(old)) && sameOwners(object, old);
};

const withoutOwners = (object: ApiObject): ApiObject => {
  const { managedFields, ...metadata } = object.metadata;
  return managedFields === undefined ? object : { ...object, metadata };
};

/** A status that has no subresource of its own is part of what is wanted. */
const isChangedInSpec = (
  { strategy }: ServedKind,
  object: MutableObject,
  old: ApiObject,
): boolean => {
  const isWanted = (field: string) =>
    field !== 'metadata' && (field !== 'status' || !strategy.hasStatus);
  const wanted = (each: ApiObject) =>
    Object.fromEntries(Object.entries(each).filter(([field]) => isWanted(field)));
  return !jsonEqual(wanted(object), wanted(old));
};

const MAX_CREATE_ATTEMPTS = 8;
const MAX_UPDATE_ATTEMPTS = 50;
