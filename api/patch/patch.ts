import { ApiError } from '../errors';
import type { KindName } from '../schema/definitions';
import { applyJsonPatch } from './json-patch';
import { applyMergePatch } from './merge-patch';
import { applyStrategicMergePatch } from './strategic-merge';
import { withWrittenLists } from './written-lists';
import { isJsonObject } from '../../lib/json';

export const JSON_PATCH = 'application/json-patch+json';
export const MERGE_PATCH = 'application/merge-patch+json';
export const STRATEGIC_MERGE_PATCH = 'application/strategic-merge-patch+json';

/** The patch types that `applyPatch` knows, as an `Accept-Patch` header or a 415 lists them. */
export const PATCH_TYPES: readonly string[] = [JSON_PATCH, MERGE_PATCH, STRATEGIC_MERGE_PATCH];

/**
 * The document after a patch of the given media type. The result is not checked: decode it.
 * @throws ApiError UnsupportedMediaType, BadRequest, Invalid
 */
export const applyPatch = (
  kind: KindName,
  mediaType: string,
  document: unknown,
  patch: unknown,
): unknown => {
  switch (mediaType) {
    case JSON_PATCH:
      return applyJsonPatch(document, patch);
    case MERGE_PATCH:
      if (!isJsonObject(patch)) throw new ApiError('BadRequest', 'a merge patch is an object');
      return applyMergePatch(document, patch);
    case STRATEGIC_MERGE_PATCH:
      return applyStrategicMergePatch(kind, document, withWrittenLists(kind, document, patch));
    default:
      throw new ApiError(
        'UnsupportedMediaType',
        `the body of the request was in an unknown format - accepted media types include: ${PATCH_TYPES.join(', ')}`,
      );
  }
};
