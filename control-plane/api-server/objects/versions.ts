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

/** @throws BadRequest for a match that makes no sense with the version. */
export const parseVersionMatch = (
  text: string | null | undefined,
  version: number | undefined,
): VersionMatch | undefined => {
  if (text === undefined || text === null || text === '') return undefined;
  if (text !== 'Exact' && text !== 'NotOlderThan')
    throw refuse(
      `resourceVersionMatch: Unsupported value: ${JSON.stringify(text)}: supported values: "Exact", "NotOlderThan"`,
    );
  if (version === undefined)
    throw refuse(
      'resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden unless resourceVersion is provided',
    );
  if (text === 'Exact' && version === 0)
    throw refuse(
      'resourceVersionMatch: Forbidden: resourceVersionMatch "Exact" is forbidden for resourceVersion "0"',
    );
  return text;
};

export const expired = (message: string): ApiError => new ApiError('Expired', message);

const refuse = (message: string): ApiError => new ApiError('BadRequest', message);
