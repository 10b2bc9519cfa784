import { status } from '@grpc/grpc-js';
import { ApiError, type StatusReason } from '../../../api/errors';

/** What etcd's failure means to a caller of the API. Its texts are part of its protocol. */
export const describeEtcdError = (error: unknown): ApiError => {
  if (error instanceof ApiError) return error;
  const { code, details } = grpcFailure(error);
  const known = KNOWN.find(([text]) => details.includes(text));
  if (known !== undefined) return new ApiError(known[1], known[2], { cause: error });
  return new ApiError('ServiceUnavailable', `etcd: ${details}`, {
    cause: error,
    details: { retryAfterSeconds: code === UNREACHABLE[0] ? 1 : 5 },
  });
};

/**
 * Etcd was asked to write and gave no answer: the write may be stored now, later, or never. Whoever
 * asked has to read before trying again.
 */
export class OutcomeUnknownError extends ApiError {
  constructor(options: ErrorOptions = {}) {
    super(
      'Timeout',
      'etcd gave no answer in time: the change may have been stored or not, read the object to know',
      { ...options, details: { retryAfterSeconds: 1 } },
    );
  }
}

/** True when another endpoint may do better. */
export const isUnreachable = (error: unknown): boolean =>
  UNREACHABLE.includes(grpcFailure(error).code);

/** True when etcd judged the request and refused it: asking again changes nothing. */
export const isDefinite = (error: unknown): boolean =>
  error instanceof ApiError && error.reason !== 'ServiceUnavailable';

/** True when etcd may have carried the request out, or still may: no answer came. */
export const isUncertain = (error: unknown): boolean => {
  if (isDefinite(error)) return false;
  const { details } = grpcFailure(error instanceof ApiError ? error.cause : error);
  return !NEVER_SENT.some((text) => details.startsWith(text));
};

const grpcFailure = (error: unknown): { code: number; details: string } => {
  const { code, details, message } = (error ?? {}) as {
    code?: unknown;
    details?: unknown;
    message?: unknown;
  };
  return {
    code: typeof code === 'number' ? code : status.UNKNOWN,
    details: typeof details === 'string' && details !== '' ? details : String(message),
  };
};

// What grpc-js says of a call that found no connection. Any other text counts as sent.
const NEVER_SENT = ['No connection established', 'Name resolution failed'];

const UNREACHABLE: readonly number[] = [status.UNAVAILABLE, status.DEADLINE_EXCEEDED];

/** An etcd that others run may take less than ours does. Said so, a write is never repeated. */
const TOO_LARGE = 'Request entity too large: it is beyond the limit of etcd (--max-request-bytes)';

/** Of an answer, where the text below is of a request: it may have been carried out. */
const ANSWER_TOO_LARGE = 'Received message larger than max';

const KNOWN: readonly (readonly [text: string, reason: StatusReason, message: string])[] = [
  [
    'database space exceeded',
    'InsufficientStorage',
    'etcd has reached its space quota: it answers reads and deletes only, until space is freed',
  ],
  [ANSWER_TOO_LARGE, 'ServiceUnavailable', 'etcd answered with more than the store ever asks for'],
  ...['request is too large', 'message larger than max'].map(
    (text) => [text, 'RequestEntityTooLarge', TOO_LARGE] as const,
  ),
  ['revision has been compacted', 'Expired', 'the requested version has been compacted'],
  ['required revision is a future revision', 'Expired', 'etcd holds an older history than before'],
  ['requested lease not found', 'NotFound', 'the lease is over'],
  ['duplicate key given', 'InternalError', 'one batch wrote a key twice'],
];
