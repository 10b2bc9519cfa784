import { ApiError } from '../../../api/errors';
import { parseJson, stringifyJson } from '../../../lib/json';

/** Where the next page of a list starts: after `last`, in the snapshot at `version`. */
export interface ContinueToken {
  /** -1: in whatever state is current, after the snapshot has gone. */
  readonly version: number;
  /** `namespace/name` of the last object seen. */
  readonly last: string;
}

export const encodeContinue = ({ version, last }: ContinueToken): string =>
  Buffer.from(stringifyJson({ v: FORMAT, rv: version, start: last })).toString('base64url');

/** @throws BadRequest */
export const decodeContinue = (text: string): ContinueToken => {
  const token = parse(text);
  if (token === undefined) throw refusal('continue key is not valid');
  const { v: format, rv: version = 0, start: last = '' } = token;
  if (format !== FORMAT) throw refusal('server does not recognize this encoded version');
  if (version === 0)
    throw refusal('incorrect encoded start resourceVersion (version meta.k8s.io/v1)');
  if (last === '') throw refusal('encoded start key empty (version meta.k8s.io/v1)');
  if (typeof last !== 'string' || typeof version !== 'number' || !Number.isSafeInteger(version))
    throw refusal('continue key is not valid');
  return { version: Math.max(version, INCONSISTENT), last };
};

export const INCONSISTENT = -1;

const refusal = (why: string): ApiError =>
  new ApiError('BadRequest', `invalid continue token: ${why}`);

const FORMAT = 'meta.k8s.io/v1';

const parse = (text: string): { v?: unknown; rv?: unknown; start?: unknown } | undefined => {
  try {
    const value: unknown = parseJson(Buffer.from(text, 'base64url').toString());
    return typeof value === 'object' && value !== null ? value : undefined;
  } catch {
    return undefined;
  }
};
