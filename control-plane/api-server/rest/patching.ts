import { ApiError, hasReason } from '../../../api/errors';
import type { ApiObject, ObjectName } from '../../../api/types';
import type { PatchType } from '../../../client/api-client';
import { isFields, textAt, type Fields, type MutableObject } from '../kinds/mutable';
import { storeNameOf, type ServedKind } from '../kinds/served-kind';
import type { Item } from '../objects/item';
import type { ObjectService } from '../objects/object-service';
import { applyObject, patchObject } from '../objects/rules';
import type { WriteContext } from '../objects/write-context';

export interface PatchRequest {
  readonly type: PatchType;
  readonly body: unknown;
  /** Of an apply: take over what other managers own. */
  readonly isForced: boolean;
}

interface Patched {
  readonly item: Item;
  readonly isCreated: boolean;
}

/** Applies a patch to what is stored; `apply` creates what is not there. */
export const patch = async (
  service: ObjectService,
  kind: ServedKind,
  name: ObjectName,
  { type, body, isForced }: PatchRequest,
  context: WriteContext,
): Promise<Patched> => {
  if (type === 'apply')
    return apply(service, kind, name, body, { ...context, operation: 'Apply', isForced });
  const change = (current: ApiObject): Promise<MutableObject> =>
    patchObject(kind, type, current, body, context);
  return { item: await service.writer.update(kind, name, change, context), isCreated: false };
};

const apply = async (
  service: ObjectService,
  kind: ServedKind,
  name: ObjectName,
  body: unknown,
  context: WriteContext,
): Promise<Patched> => {
  const config = configOf(kind, name, body);
  const change = (current: ApiObject | undefined): Promise<MutableObject> =>
    applyObject(kind, current, config, context, service.clock.now());
  try {
    const item = await service.writer.update(kind, name, change, context);
    return { item, isCreated: false };
  } catch (error) {
    if (context.subresource !== '' || !hasReason(error, 'NotFound')) throw error;
  }
  const uid = textAt(config, 'metadata', 'uid');
  if (uid !== '')
    throw new ApiError(
      'Conflict',
      `uid mismatch: the provided object specified uid ${uid}, and no existing object was found`,
    );
  const draft = await change(undefined);
  const item = await service.writer.create(kind, name.namespace, draft, context);
  return { item, isCreated: true };
};

/** The configuration under the name that the request gives. @throws BadRequest */
const configOf = (kind: ServedKind, { namespace, name }: ObjectName, body: unknown): Fields => {
  if (!isFields(body)) throw new ApiError('BadRequest', 'a configuration to apply is an object');
  const metadata = isFields(body['metadata']) ? body['metadata'] : {};
  const given = textAt(metadata, 'name');
  if (given !== '' && given !== name)
    throw new ApiError(
      'BadRequest',
      `the name of the object (${given}) does not match the name on the URL (${storeNameOf(kind)} "${name}")`,
    );
  const place = namespace === '' ? {} : { namespace };
  return { ...body, metadata: { ...place, ...metadata, name } };
};

export const PATCH_TYPES: ReadonlyMap<string, PatchType> = new Map([
  ['application/json-patch+json', 'json'],
  ['application/merge-patch+json', 'merge'],
  ['application/strategic-merge-patch+json', 'strategic'],
  ['application/apply-patch+yaml', 'apply'],
]);
