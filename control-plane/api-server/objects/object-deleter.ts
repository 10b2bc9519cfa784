import { ApiError } from '../../../api/errors';
import { apiVersionOf } from '../../../api/resources';
import { jsonEqual } from '../../../api/json-value';
import { nameOf, type ApiObject, type ObjectName } from '../../../api/types';
import { rfc3339, type Clock } from '../../../lib/clock';
import type { StoredObject } from '../../store/store';
import type { AdmissionChain } from '../admission/admission-chain';
import { askedIn, type AdmissionAttributes } from '../admission/attributes';
import { ConversionError } from '../conversion';
import { copyOf, type MutableObject } from '../kinds/mutable';
import type { ServedKind } from '../kinds/served-kind';
import { defaultPolicy, finalizersFor, isHeld, type PropagationPolicy } from './deletion-rules';
import type { Item } from './item';
import { checkPreconditions } from './metadata';
import type { ListQuery, ObjectReader } from './object-reader';
import { unwritten, written, type ObjectWriter, type Verdict } from './object-writer';
import { waitingOf, type Preconditions, type WriteContext } from './write-context';
import { minInt64, secondsToMs, type Int64 } from '../../../api/int64';

export interface DeletionOptions {
  readonly gracePeriodSeconds?: Int64;
  readonly propagationPolicy?: PropagationPolicy;
  readonly preconditions?: Preconditions;
}

export interface Deletion {
  /** The last state, or the state that now waits for its grace or its finalizers. */
  readonly item: Item;
  readonly isGone: boolean;
}

export interface DeleterDeps {
  readonly reader: ObjectReader;
  readonly writer: ObjectWriter;
  readonly admission: AdmissionChain;
  readonly clock: Clock;
}

/** Deletes: at once, after a grace period, or once every finalizer has gone. */
export class ObjectDeleter {
  constructor(private readonly deps: DeleterDeps) {}

  /** @throws NotFound, Conflict when a precondition fails, Forbidden where admission refuses it */
  async delete(
    kind: ServedKind,
    name: ObjectName,
    options: DeletionOptions,
    context: WriteContext,
  ): Promise<Deletion> {
    const { admission, writer } = this.deps;
    // Nothing but metadata decides, and what cannot be converted must be able to go.
    const { asStored = kind } = kind;
    const deletion = await writer.onCurrent(asStored, name, waitingOf(context), async (current) => {
      const { metadata } = current.object;
      checkPreconditions(kind, current.object, options.preconditions ?? {});
      const place = { namespace: metadata.namespace ?? '', name: metadata.name };
      const seen = await this.seenByAdmission(kind, current, context);
      const asked: AdmissionAttributes = {
        ...askedIn(context),
        ...{ operation: 'DELETE', subresource: '', ...place, ...seen },
      };
      await admission.pass(asked, context.signal);
      return this.tryDelete(asStored, current, options, context);
    });
    if (deletion.isGone) return deletion;
    const [item = deletion.item] = await shown(kind, [deletion.item], context);
    return { ...deletion, item };
  }

  /**
   * As the request names it; or, where it cannot be converted, as it is stored: as if that version had
   * been named. A version that is not served cannot be, by anybody but this server.
   */
  private async seenByAdmission(
    kind: ServedKind,
    { object }: StoredObject,
    context: WriteContext,
  ): Promise<{ readonly kind: ServedKind; readonly old: ApiObject }> {
    const { conversion } = kind;
    const isNamedSo = object.apiVersion === apiVersionOf(kind.resource);
    const storedKind = isNamedSo ? kind : kind.versions?.get(object.apiVersion);
    if (conversion === undefined) return { kind: storedKind ?? kind, old: object };
    if (isNamedSo) return { kind, old: object };
    try {
      const isHopeless = conversion.hasFailedLately && storedKind !== undefined;
      if (!isHopeless) return { kind, old: await conversion.convert(object, waitingOf(context)) };
    } catch (error) {
      if (!(error instanceof ConversionError) || storedKind === undefined) throw error;
    }
    return { kind: storedKind, old: object };
  }

  /**
   * For what was admitted as something else, as an eviction is: it is not asked again whether the
   * object may be deleted. `remark` says on the object, in the same write, why it goes.
   */
  async deleteAdmitted(
    kind: ServedKind,
    name: ObjectName,
    options: DeletionOptions,
    context: WriteContext,
    remark: (marked: MutableObject) => void,
  ): Promise<Deletion> {
    return this.deps.writer.onCurrent(kind, name, waitingOf(context), async (current) => {
      checkPreconditions(kind, current.object, options.preconditions ?? {});
      return this.tryDelete(kind, current, options, context, remark);
    });
  }

  /**
   * Deletes what a list finds, a few at a time. Objects that vanish meanwhile are no error; after any
   * other no further deletion begins.
   */
  async deleteCollection(
    kind: ServedKind,
    query: ListQuery,
    options: DeletionOptions,
    context: WriteContext,
  ): Promise<readonly Item[]> {
    const items = await this.listed(kind, query, context);
    const pending = [...items];
    const deleted: Item[] = [];
    const work = async () => {
      for (let item = pending.shift(); item !== undefined; item = pending.shift()) {
        const name = nameOf(item.object);
        const deletion = await this.delete(kind, name, options, context).catch(ignoreNotFound);
        if (deletion !== undefined) deleted.push(deletion.item);
      }
    };
    const stopOthers = (error: unknown): never => {
      pending.length = 0;
      throw error;
    };
    const workers = Array.from({ length: COLLECTION_WORKERS }, () => work().catch(stopOthers));
    const failed = (await Promise.allSettled(workers)).find(({ status }) => status === 'rejected');
    if (failed?.status === 'rejected') throw failed.reason;
    return shown(kind, deleted, context);
  }

  /** Labels may be others once an object is converted; without a selector all go, whatever they are. */
  private async listed(
    kind: ServedKind,
    query: ListQuery,
    context: WriteContext,
  ): Promise<readonly Item[]> {
    const { labelSelector = '', fieldSelector = '' } = query;
    const isWhole = labelSelector === '' && fieldSelector === '';
    const of = isWhole ? (kind.asStored ?? kind) : kind;
    return (await this.deps.reader.list(of, query, waitingOf(context))).items;
  }

  private async tryDelete(
    kind: ServedKind,
    current: StoredObject,
    options: DeletionOptions,
    context: WriteContext,
    remark: (marked: MutableObject) => void = () => undefined,
  ): Promise<Verdict<Deletion>> {
    const old = current.object;
    const marked = mark(kind, old, options, this.deps.clock.now());
    remark(marked);
    const isGone = marked.metadata.deletionGracePeriodSeconds === 0 && !isHeld(kind, marked);
    if (context.isDryRun) return unwritten({ item: current, isGone });
    if (isGone) {
      const item = await this.deps.writer.remove(kind, current, context);
      return written({ item, isGone });
    }
    if (jsonEqual(marked, old)) return unwritten({ item: current, isGone });
    const item = await this.deps.writer.swap(kind, current, marked, context);
    return written({ item, isGone });
  }
}

/** What is left, or was, as the kind serves it; as it is stored where it cannot be converted. */
const shown = async (
  { conversion, asStored }: ServedKind,
  items: readonly Item[],
  context: WriteContext,
): Promise<readonly Item[]> => {
  if (conversion === undefined || asStored === undefined || conversion.hasFailedLately)
    return items;
  try {
    return await conversion.present(
      items as unknown as readonly StoredObject[],
      waitingOf(context),
    );
  } catch (error) {
    if (error instanceof ConversionError) return items;
    throw error;
  }
};

/** The object with its deletion asked for. Asking again may only shorten the grace. */
const mark = (
  kind: ServedKind,
  old: ApiObject,
  { gracePeriodSeconds, propagationPolicy }: DeletionOptions,
  nowMs: number,
): MutableObject => {
  const next = copyOf(old);
  const policy = propagationPolicy ?? defaultPolicy(kind, old);
  const finalizers = finalizersFor(old.metadata.finalizers ?? [], policy);
  if (finalizers.length > 0) next.metadata.finalizers = finalizers;
  else Reflect.deleteProperty(next.metadata, 'finalizers');
  const asked = kind.strategy.graceSeconds?.(old, gracePeriodSeconds) ?? 0;
  const present = old.metadata.deletionGracePeriodSeconds;
  const isRepeated = old.metadata.deletionTimestamp !== undefined;
  const grace = isRepeated
    ? minInt64(present ?? 0, gracePeriodSeconds === undefined ? (present ?? 0) : asked)
    : asked;
  if (isRepeated && grace === (present ?? 0)) {
    next.metadata.deletionGracePeriodSeconds = grace;
    return next;
  }
  next.metadata.deletionGracePeriodSeconds = grace;
  next.metadata.deletionTimestamp = rfc3339(deadlineMs(old, grace, nowMs));
  if (!isRepeated && kind.strategy.hasGeneration)
    next.metadata.generation = (old.metadata.generation ?? 0) + 1;
  kind.strategy.prepareDelete?.(next);
  return next;
};

/** Grace counts from the first request. */
const deadlineMs = ({ metadata }: ApiObject, grace: Int64, nowMs: number): number => {
  const { deletionTimestamp, deletionGracePeriodSeconds = 0 } = metadata;
  const startMs =
    deletionTimestamp === undefined
      ? nowMs
      : Date.parse(deletionTimestamp) - secondsToMs(deletionGracePeriodSeconds);
  return startMs + secondsToMs(grace);
};

const ignoreNotFound = (error: unknown): undefined => {
  if (error instanceof ApiError && error.reason === 'NotFound') return undefined;
  throw error;
};

const COLLECTION_WORKERS = 8;
