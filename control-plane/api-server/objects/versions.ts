import { ApiError } from '../../../api/errors';
import { invalid, type FieldError } from '../../../api/validation/field-error';
import { stringifyJson } from '../../../lib/json';

/**
 * A `resourceVersion` parameter: absent asks for the newest state, 0 for any. What is too large to be
 * counted is later than all that there can be. @throws BadRequest
 */
export const parseVersion = (text: string | null | undefined): number | undefined => {
  if (text === undefined || text === null || text === '') return undefined;
  for (const { field, message } of versionProblems(text))
    throw new ApiError('BadRequest', `invalid resource version: ${field}: ${message}`);
  return Math.min(Number(text), Number.MAX_SAFE_INTEGER);
};

/** What is wrong with a version, in upstream's words. */
export const versionProblems = (text: string): readonly FieldError[] => {
  const why = !/^\d+$/.test(text)
    ? 'invalid syntax'
    : BigInt(text.slice(0, DIGITS_MAX)) > UINT64_MAX
      ? 'value out of range'
      : undefined;
  if (why === undefined) return [];
  const shown = text.slice(0, SHOWN_MAX);
  const detail = `strconv.ParseUint: parsing ${stringifyJson(shown)}: ${why}`;
  return [invalid('resourceVersion', shown, detail)];
};

export type VersionMatch = 'Exact' | 'NotOlderThan';

export const expired = (message: string): ApiError => new ApiError('Expired', message);

const UINT64_MAX = 2n ** 64n - 1n;
const DIGITS_MAX = 100;
const SHOWN_MAX = 256;
