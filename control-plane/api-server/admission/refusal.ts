import { ApiError } from '../../../api/errors';
import { storeNameOf } from '../kinds/served-kind';
import type { AdmissionAttributes } from './attributes';

/** The answer to whoever asked for what admission does not let be, in upstream's words. */
export const refusal = (
  asked: AdmissionAttributes,
  why: string,
  causes?: readonly { reason: string; message: string; field: string }[],
): ApiError => {
  const { group, plural } = asked.kind.resource;
  const name = nameIn(asked);
  return new ApiError('Forbidden', `${storeNameOf(asked.kind)} "${name}" is forbidden: ${why}`, {
    details: {
      name,
      ...(group === '' ? {} : { group }),
      kind: plural,
      ...(causes === undefined ? {} : { causes }),
    },
  });
};

/**
 * What messages call the object. A name that the server makes up is left at what it begins with, so
 * that what is refused again and again is refused in the same words.
 */
export const nameIn = ({ name, object }: AdmissionAttributes): string =>
  name || (object?.metadata.generateName ?? '');
