import { setImmediate } from 'node:timers/promises';
import {
  applyPatch,
  JSON_PATCH,
  MERGE_PATCH,
  STRATEGIC_MERGE_PATCH,
} from '../../../api/patch/patch';
import type { Resource } from '../../../api/resources';
import { convert, decode, DecodeError, decodeInSteps } from '../../../api/schema/decode';
import type { ApiObject } from '../../../api/types';
import { invalid, invalidError, type FieldError } from '../../../api/validation/field-error';
import type { PatchType } from '../../../client/api-client';
import { stringifyJson } from '../../../lib/json';
import type { Fields, MutableObject } from '../kinds/mutable';
import type { ServedKind } from '../kinds/served-kind';
import { applyOwned } from './field-owners';
import { checkValueCount } from './object-size';
import type { WriteContext } from './write-context';

/** A JSON value as an object of the kind, copied. @throws BadRequest */
export const decodeObject = (
  { resource }: ServedKind,
  value: unknown,
  { fieldValidation, warnings }: WriteContext,
  duplicateFields: readonly string[] = [],
): MutableObject => {
  const decoded = decode(resource, value, { fieldValidation, duplicateFields });
  warnings.push(...decoded.warnings);
  return decoded.object as unknown as MutableObject;
};

/** The same for a value of any size: large ones let others run meanwhile. @throws BadRequest */
export const decodeLarge = async (
  { resource }: ServedKind,
  value: unknown,
  { fieldValidation, warnings, pace }: WriteContext,
  duplicateFields: readonly string[],
): Promise<MutableObject> => {
  const steps = decodeInSteps(resource, value, { fieldValidation, duplicateFields });
  for (let step = steps.next(); ; step = steps.next()) {
    if (step.done !== true) {
      await pace?.pause();
      continue;
    }
    warnings.push(...step.value.warnings);
    return step.value.object as unknown as MutableObject;
  }
};

/** Fills in what the client left out. */
export const applyDefaults = (kind: ServedKind, object: MutableObject): void =>
  kind.rules.applyDefaults(object);

/** What a create must satisfy. The author hears of fields that have no effect. @throws Invalid */
export const checkCreate = async (
  kind: ServedKind,
  object: MutableObject,
  context: WriteContext,
): Promise<void> => {
  const { resource, rules } = kind;
  refuse(
    resource,
    object,
    await judged(kind, object, undefined, rules.validateCreate(object), context),
  );
  context.warnings.push(...rules.warnings(object));
};

/** What an update may change. @throws Invalid */
export const checkUpdate = async (
  kind: ServedKind,
  object: MutableObject,
  old: ApiObject,
  context: WriteContext,
): Promise<void> => {
  const { resource, rules } = kind;
  const { warnings, subresource } = context;
  if (subresource === 'finalize') return;
  const validate = rules.validatePart[subresource] ?? rules.validateUpdate;
  refuse(resource, object, await judged(kind, object, old, validate(object, old), context));
  if (subresource === '' || subresource === 'scale') warnings.push(...rules.warnings(object, old));
};

/** Rules that take long have one lane, and let others run between their steps. */
const judged = async (
  { rules }: ServedKind,
  object: MutableObject,
  old: ApiObject | undefined,
  errors: readonly FieldError[],
  { pace }: WriteContext,
): Promise<readonly FieldError[]> => {
  const steps = rules.judge?.(object, old, errors);
  if (steps === undefined) return errors;
  for (let step = steps.next(); ; step = steps.next()) {
    if (step.done === true) return step.value;
    await pace?.weigh(Infinity);
    await setImmediate();
  }
};

/** The object after a patch. @throws BadRequest, Invalid */
export const patchObject = async (
  kind: ServedKind,
  type: Exclude<PatchType, 'apply'>,
  current: ApiObject,
  body: unknown,
  context: WriteContext,
): Promise<MutableObject> => {
  const { resource } = kind;
  const patched = applyPatch(resource, MEDIA_TYPES[type], current, body);
  checkValueCount(kind, patched);
  await context.pace?.pause();
  try {
    const { object, warnings } = convert(resource, patched, {
      fieldValidation: context.fieldValidation,
    });
    context.warnings.push(...warnings);
    return object as unknown as MutableObject;
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error;
    throw invalidError({ group: '', kind: '' }, '', [
      invalid('patch', stringifyJson(body), error.message),
    ]);
  }
};

/** The object after a configuration was applied; `current` is undefined for a new one. @throws Conflict */
export const applyObject = async (
  kind: ServedKind,
  current: ApiObject | undefined,
  config: Fields,
  context: WriteContext,
  nowMs: number,
): Promise<MutableObject> => {
  const applied = await applyOwned(kind, current, config, context, nowMs);
  checkValueCount(kind, applied);
  await context.pace?.pause();
  // What the author wrote was checked before it was merged.
  return decode(kind.resource, applied).object as unknown as MutableObject;
};

/** A patch to a document that is no stored kind. @throws BadRequest, Invalid */
export const patchJson = (
  { resource }: ServedKind,
  type: PatchType,
  current: unknown,
  body: unknown,
): unknown => applyPatch(resource, type === 'json' ? JSON_PATCH : MERGE_PATCH, current, body);

const refuse = (
  resource: Resource,
  { metadata }: MutableObject,
  errors: readonly FieldError[],
): void => {
  // A body may lack the name although its type says otherwise.
  const name = (metadata.name as string | undefined) ?? '';
  if (errors.length > 0) throw invalidError(resource, name, errors);
};

const MEDIA_TYPES: Readonly<Record<Exclude<PatchType, 'apply'>, string>> = {
  json: JSON_PATCH,
  merge: MERGE_PATCH,
  strategic: STRATEGIC_MERGE_PATCH,
};
