import { ApiError } from '../../../../api/errors';
import { jsonEqual } from '../../../../api/json-value';
import { applyPatch, JSON_PATCH } from '../../../../api/patch/patch';
import { convert, DecodeError } from '../../../../api/schema/decode';
import type { KindName } from '../../../../api/schema/definitions';
import { IMMUTABLE, invalid, invalidError } from '../../../../api/validation/field-error';
import { isFields, textAt, valueAt, type Fields, type MutableObject } from '../../kinds/mutable';
import type { ServedKind } from '../../kinds/served-kind';
import { checkValueCount } from '../../objects/object-size';
import { OBJECT_BYTES_MAX } from '../../../store/object-codec';
import { stringifyJson } from '../../../../lib/json';
import { internalError } from './failures';

interface Patching extends Settling {
  /** What it was shown. Default: the object. */
  readonly shown?: MutableObject;
}

interface Settling {
  /** Who has changed it, as messages name it. */
  readonly who: string;
  /** The server has made the name up: whoever gives one is heard. */
  readonly isNamedByServer: boolean;
  /** Of which the object is, in the version that was shown. */
  readonly kind: KindName;
  /** Gives it its defaults; absent for what is no stored object. */
  readonly stored?: ServedKind;
}

/** The object after a webhook's patch. @throws ApiError in upstream's words */
export const patched = (
  object: MutableObject,
  operations: readonly unknown[],
  { shown = object, ...settling }: Patching,
): MutableObject =>
  settled(object, applied(settling.kind, shown, operations, settling.who), settling);

/**
 * What code of others has made of an object: decoded like one that a client sends, with its defaults,
 * and still the object that it was. What only the server writes is as before.
 * @throws ApiError in upstream's words
 */
export const settled = (
  object: MutableObject,
  raw: unknown,
  { who, kind, stored, isNamedByServer }: Settling,
): MutableObject => {
  const { group, version } = kind;
  const apiVersion = group === '' ? version : `${group}/${version}`;
  if (textAt(raw, 'kind') !== kind.kind || textAt(raw, 'apiVersion') !== apiVersion)
    throw internalError(`${who} attempted to change apiVersion or kind of the object`);
  if (!isFields(valueAt(raw, 'metadata')))
    throw internalError(`${who} attempted to remove metadata of the object`);
  checkValueCount({ resource: kind }, raw);
  // What the store would refuse must not go through all that comes before it.
  if (stringifyJson(raw).length > OBJECT_BYTES_MAX)
    throw new ApiError(
      'RequestEntityTooLarge',
      `Request entity too large: limit is ${OBJECT_BYTES_MAX} after the patch of ${who}`,
    );
  const next = decoded(kind, raw, who);
  if (isNamedByServer && isGiven(next.metadata.name)) object.metadata.name = next.metadata.name;
  if (isNamedByServer) next.metadata.name = object.metadata.name;
  keepIdentity(next, object, kind);
  stored?.rules.applyDefaults(next);
  return next;
};

const applied = (
  kind: KindName,
  object: MutableObject,
  operations: readonly unknown[],
  who: string,
): unknown => {
  try {
    return applyPatch(kind, JSON_PATCH, object, operations);
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    const { cause } = error;
    const why = cause instanceof Error ? cause.message : error.message;
    throw internalError(`${who} returned a patch that does not apply: ${why}`, error);
  }
};

const decoded = (kind: KindName, raw: unknown, who: string): MutableObject => {
  try {
    return convert(kind, raw).object as unknown as MutableObject;
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error;
    throw internalError(`${who} made an object that is no ${kind.kind}: ${error.message}`, error);
  }
};

/** A body may lack the name although its type says otherwise. */
const isGiven = (name: string | undefined): boolean => name !== undefined && name !== '';

/** @throws Invalid when it is another object */
const keepIdentity = (next: MutableObject, before: MutableObject, kind: KindName): void => {
  const errors = (['name', 'namespace'] as const)
    .filter((field) => (next.metadata[field] ?? '') !== (before.metadata[field] ?? ''))
    .map((field) => invalid(`metadata.${field}`, next.metadata[field] ?? '', IMMUTABLE));
  if (errors.length > 0) throw invalidError(kind, before.metadata.name, errors);
  const metadata = next.metadata as Fields;
  for (const field of SERVER_FIELDS) {
    const value: unknown = before.metadata[field];
    if (jsonEqual(metadata[field], value)) continue;
    if (value === undefined) Reflect.deleteProperty(metadata, field);
    else metadata[field] = value;
  }
};

/** Nobody's to change; of `managedFields`, a webhook could take over what others own. */
const SERVER_FIELDS = [
  'uid',
  'resourceVersion',
  'generation',
  'generateName',
  'creationTimestamp',
  'deletionTimestamp',
  'deletionGracePeriodSeconds',
  'selfLink',
  'managedFields',
] as const;
