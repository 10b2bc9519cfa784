import { ApiError, hasReason } from '../../../api/errors';
import type { ApiObject, ObjectName } from '../../../api/types';
import type { PatchType } from '../../../client/api-client';
import type { MutableObject } from '../kinds/mutable';
import { storeNameOf, type ServedKind } from '../kinds/served-kind';
import type { Item } from '../objects/item';
import type { ObjectService } from '../objects/object-service';
import { patchObject } from '../objects/rules';
import type { WriteContext } from '../objects/write-context';

export interface PatchRequest {
  readonly type: PatchType;
  readonly body: unknown;
  readonly subresource?: 'status' | 'finalize';
}

/** Applies a patch to what is stored; `apply` creates what is not there. */
export const patch = async (
  service: ObjectService,
  kind: ServedKind,
  name: ObjectName,
  { type, body, subresource }: PatchRequest,
  context: WriteContext,
): Promise<{ readonly item: Item; readonly isCreated: boolean }> => {
  const change = (current: ApiObject): MutableObject =>
    patchObject(kind, type, current, body, context);
  try {
    const item = await service.writer.update(kind, name, change, context, subresource);
    return { item, isCreated: false };
  } catch (error) {
    const mayCreate = type === 'apply' && subresource === undefined;
    if (!mayCreate || !hasReason(error, 'NotFound')) throw error;
  }
  return { item: await createApplied(service, kind, name, body, context), isCreated: true };
};

const createApplied = (
  service: ObjectService,
  kind: ServedKind,
  { namespace, name }: ObjectName,
  body: unknown,
  context: WriteContext,
): Promise<Item> => {
  const draft = patchObject(kind, 'apply', undefined, body, context);
  if (draft.metadata.name !== name)
    throw new ApiError(
      'BadRequest',
      `the name of the object does not match the name on the URL (${storeNameOf(kind)} "${name}")`,
    );
  return service.writer.create(kind, namespace, draft, context);
};

export const PATCH_TYPES: ReadonlyMap<string, PatchType> = new Map([
  ['application/json-patch+json', 'json'],
  ['application/merge-patch+json', 'merge'],
  ['application/strategic-merge-patch+json', 'strategic'],
  ['application/apply-patch+yaml', 'apply'],
]);
