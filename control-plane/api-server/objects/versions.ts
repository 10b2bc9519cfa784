import { ApiError } from '../../../api/errors';

/** A `resourceVersion` parameter: absent asks for the newest state, 0 for any. */
export const parseVersion = (text: string | null | undefined): number | undefined => {
  if (text === undefined || text === null || text === '') return undefined;
  const version = Number(text);
  if (!/^(0|[1-9][0-9]*)$/.test(text) || !Number.isSafeInteger(version))
    throw new ApiError(
      'BadRequest',
      `Invalid value: ${JSON.stringify(text)}: invalid resourceVersion`,
    );
  return version;
};

export type VersionMatch = 'Exact' | 'NotOlderThan';

export const expired = (message: string): ApiError => new ApiError('Expired', message);
