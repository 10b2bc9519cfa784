import type { Resource } from '../api/resources';
import { applyPatch, JSON_PATCH, MERGE_PATCH, STRATEGIC_MERGE_PATCH } from '../api/patch/patch';
import type { ApiObject } from '../api/types';
import type { PatchType } from '../client/api-client';

/** What a patch makes of an object, as far as that can be told without the server. */
export const changedHere = (
  info: Resource,
  object: ApiObject,
  { type, body }: { readonly type: PatchType; readonly body: unknown },
): ApiObject => applyPatch(info, MEDIA_TYPE[type], object, body) as ApiObject;

const MEDIA_TYPE: Readonly<Record<PatchType, string>> = {
  json: JSON_PATCH,
  merge: MERGE_PATCH,
  strategic: STRATEGIC_MERGE_PATCH,
  apply: 'application/apply-patch+yaml',
};
