import { ApiError } from '../../../api/errors';
import type { ApiObject } from '../../../api/types';
import { storeNameOf, type ServedKind } from '../kinds/served-kind';

/** An object that rules beyond its own fields refuse, in upstream's words. */
export const forbidden = (
  kind: ServedKind,
  { metadata }: ApiObject,
  why: string,
  causes?: readonly { reason: string; message: string; field: string }[],
): ApiError =>
  new ApiError('Forbidden', `${storeNameOf(kind)} "${metadata.name}" is forbidden: ${why}`, {
    details: {
      name: metadata.name,
      ...(kind.resource.group === '' ? {} : { group: kind.resource.group }),
      kind: kind.resource.plural,
      ...(causes === undefined ? {} : { causes }),
    },
  });
