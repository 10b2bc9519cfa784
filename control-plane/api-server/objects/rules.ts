import { ApiError } from '../../../api/errors';
import { decode } from '../../../api/schema/decode';
import { apiVersionOf } from '../../../api/resources';
import type { ApiObject } from '../../../api/types';
import type { PatchType } from '../../../client/api-client';
import { copyOf, isFields, type Fields, type MutableObject } from '../kinds/mutable';
import type { ServedKind } from '../kinds/served-kind';
import type { WriteContext } from './write-context';

/** A JSON value as an object of the kind, copied. @throws BadRequest */
export const decodeObject = (
  { resource }: ServedKind,
  value: unknown,
  { fieldValidation, warnings }: WriteContext,
): MutableObject => {
  const decoded = decode(resource, value, { fieldValidation });
  warnings.push(...decoded.warnings);
  return decoded.object as unknown as MutableObject;
};

/** Fills in what the client left out. */
export const applyDefaults = (kind: ServedKind, object: MutableObject): void => {
  object.apiVersion ||= apiVersionOf(kind.resource);
};

/** @throws Invalid */
export const checkValid = ({ resource }: ServedKind, { metadata }: MutableObject): void => {
  if (metadata.name) return;
  throw new ApiError(
    'Invalid',
    `${resource.kind} "" is invalid: metadata.name: Required value: name or generateName is required`,
  );
};

/** The object after a patch; for `apply`, `current` may be absent. @throws BadRequest, Invalid */
export const patchObject = (
  kind: ServedKind,
  type: PatchType,
  current: ApiObject | undefined,
  body: unknown,
  context: WriteContext,
): MutableObject => {
  if (type === 'json' || !isFields(body)) throw new ApiError('BadRequest', 'unsupported patch');
  const base = current === undefined ? {} : copyOf(current);
  return decodeObject(kind, mergeFields(base, body), context);
};

/** A patch to plain JSON. @throws BadRequest, Invalid */
export const patchJson = (current: unknown, body: unknown): unknown =>
  mergeFields(current as Fields, body as Fields);

const mergeFields = (base: Fields, patch: Fields): Fields => {
  const merged = { ...base };
  for (const [name, value] of Object.entries(patch)) {
    if (value === null) Reflect.deleteProperty(merged, name);
    else if (isFields(value)) merged[name] = mergeFields(asFields(merged[name]), value);
    else merged[name] = value;
  }
  return merged;
};

const asFields = (value: unknown): Fields => (isFields(value) ? value : {});
