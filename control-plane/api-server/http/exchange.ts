import type { Span } from '../../../lib/tracing/tracing';
import { ApiError, type Status } from '../../../api/errors';
import type { Yielding } from './aside';
import type { User } from '../auth/user';
import { stringifyJson } from '../../../lib/json';

/** For the audit log: a key is `PREFIX/NAME`, and keeps the first value that it is given. */
export type Annotate = (key: string, value: string) => void;

/** A request as the handlers see it, whether it came over HTTPS or from a test. */
export interface ApiRequest {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: Readonly<Record<string, string | undefined>>;
  readonly user: User;
  /** Where it came from. */
  readonly sourceIp?: string;
  /** The whole body. @throws RequestEntityTooLarge */
  body(): Promise<Buffer>;
  /** Called once it is known who asks, whoever they act for. */
  noteIdentified?(user: User): void;
  /** Its place among the requests that are served. */
  readonly place?: Yielding;
  /** Notes something in the record of the request, if there is one. */
  readonly annotate?: Annotate;
  /** What its parts are traced under; absent where it is not sampled. */
  readonly span?: Span;
  /** Aborts when the answer is sent, when the caller goes away, or when the server stops. */
  readonly signal: AbortSignal;
}

export interface ApiResponse {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string | readonly string[]>>;
  /** A stream is sent as it comes, coalesced per turn of the event loop. */
  readonly body?: Uint8Array | string | AsyncIterable<Uint8Array>;
  /** The pieces of the stream are worth a write each: they are sent at once. */
  readonly isBatched?: boolean;
  /** Of a stream: it is one large document, not events that are worth something at once. */
  readonly isDocument?: boolean;
}

export const JSON_TYPE = 'application/json';

export const jsonResponse = (
  value: unknown,
  status = 200,
  headers: ApiResponse['headers'] = {},
): ApiResponse => ({
  status,
  headers: { 'content-type': JSON_TYPE, ...headers },
  body: stringifyJson(value) + '\n',
});

/** Objects from the store go out as the bytes they are stored as. */
export const rawResponse = (
  raw: Uint8Array,
  status = 200,
  headers: ApiResponse['headers'] = {},
): ApiResponse => ({ status, headers: { 'content-type': JSON_TYPE, ...headers }, body: raw });

export const textResponse = (text: string, status = 200): ApiResponse => ({
  status,
  headers: { 'content-type': 'text/plain; charset=utf-8', 'x-content-type-options': 'nosniff' },
  body: text,
});

export const statusResponse = (status: Status): ApiResponse =>
  jsonResponse(status, status.code ?? 200, retryAfter(status));

export const successStatus = (details?: Status['details']): Status => ({
  kind: 'Status',
  apiVersion: 'v1',
  metadata: {},
  status: 'Success',
  ...(details === undefined ? {} : { details }),
});

/** What went wrong, as the API says it. A foreign error is a fault of the server. */
export const toApiError = (error: unknown): ApiError =>
  error instanceof ApiError
    ? error
    : new ApiError('InternalError', `Internal error occurred: ${messageOf(error)}`, {
        cause: error,
        details: { causes: [{ reason: '', message: messageOf(error) }] },
      });

const messageOf = (error: unknown): string =>
  error instanceof Error ? error.message : String(error);

/** `Warning: 299 - "text"` headers, one per warning, bounded as browsers and proxies expect. */
export const warningHeaders = (warnings: readonly string[]): ApiResponse['headers'] =>
  warnings.length === 0
    ? {}
    : {
        warning: [...new Set(warnings)]
          .slice(0, MAX_WARNINGS)
          .map((text) => `299 - ${JSON.stringify(toHeaderText(text))}`),
      };

/** The response with one more thing that the caller should hear. */
export const withWarning = (response: ApiResponse, text: string): ApiResponse => {
  const known = response.headers?.['warning'] ?? [];
  const warning = [...[known].flat(), ...[warningHeaders([text])?.['warning'] ?? []].flat()];
  return { ...response, headers: { ...response.headers, warning } };
};

const toHeaderText = (text: string): string =>
  text.replace(/[^\x20-\x7e]/g, '?').slice(0, MAX_WARNING_LENGTH);

const retryAfter = ({ details }: Status): ApiResponse['headers'] =>
  details?.retryAfterSeconds === undefined
    ? {}
    : { 'retry-after': String(details.retryAfterSeconds) };

const MAX_WARNINGS = 20;
const MAX_WARNING_LENGTH = 1024;
