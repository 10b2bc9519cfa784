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
  if (
    token?.v !== FORMAT ||
    typeof token.start !== 'string' ||
    typeof token.rv !== 'number' ||
    !Number.isSafeInteger(token.rv) ||
    (token.rv < 1 && token.rv !== INCONSISTENT)
  )
    throw new ApiError('BadRequest', 'continue key is not valid');
  return { version: token.rv, last: token.start };
};

export const INCONSISTENT = -1;
const FORMAT = 'meta.k8s.io/v1';

const parse = (text: string): { v?: unknown; rv?: unknown; start?: unknown } | undefined => {
  try {
    const value: unknown = parseJson(Buffer.from(text, 'base64url').toString());
    return typeof value === 'object' && value !== null ? value : undefined;
  } catch {
    return undefined;
  }
};
