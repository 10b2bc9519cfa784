/** A webhook could not be asked, or gave no answer that can be read. `message` is in upstream's words. */
export class WebhookCallError extends Error {
  override readonly name = 'WebhookCallError';

  constructor(
    message: string,
    /** What the webhook's server answered instead of 200; 0 when it did not answer. */
    readonly code = 0,
    options: ErrorOptions = {},
  ) {
    super(message, options);
  }
}

/** As `Post "https://host/path?timeout=5s": context deadline exceeded`, which people search for. */
export const describeCallFailure = (error: unknown, shownUrl: string): string =>
  `Post ${JSON.stringify(shownUrl)}: ${causeOf(error)}`;

const causeOf = (error: unknown): string => {
  const { name, code = '', message, address, port, hostname } = error as NetworkError;
  if (name === 'TimeoutError') return 'context deadline exceeded';
  if (name === 'AbortError') return 'context canceled';
  const host = address?.includes(':') === true ? `[${address}]` : address;
  if (Object.hasOwn(DIAL, code))
    return `dial tcp${host === undefined ? '' : ` ${host}:${port ?? 0}`}: connect: ${DIAL[code] ?? ''}`;
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN')
    return `dial tcp: lookup ${hostname ?? ''}: no such host`;
  if (code === 'ECONNRESET') return ENDS[message] ?? 'read: connection reset by peer';
  if (UNKNOWN_AUTHORITY.has(code))
    return `${UNVERIFIED} x509: certificate signed by unknown authority`;
  if (code === 'CERT_HAS_EXPIRED' || code === 'CERT_NOT_YET_VALID')
    return `${UNVERIFIED} x509: certificate has expired or is not yet valid`;
  return code === WRONG_NAMES ? `${UNVERIFIED} x509: ${message}` : message;
};

interface NetworkError extends Error {
  readonly code?: string;
  readonly address?: string;
  readonly port?: number;
  readonly hostname?: string;
}

/** The code of an error that says for which names a certificate is good instead. */
export const WRONG_NAMES = 'WRONG_NAMES';

const ENDS: Readonly<Partial<Record<string, string>>> = {
  aborted: 'unexpected EOF',
  'socket hang up': 'EOF',
};
const UNVERIFIED = 'tls: failed to verify certificate:';
const DIAL: Readonly<Partial<Record<string, string>>> = {
  ECONNREFUSED: 'connection refused',
  EHOSTUNREACH: 'no route to host',
  ENETUNREACH: 'network is unreachable',
  ETIMEDOUT: 'connection timed out',
};
const UNKNOWN_AUTHORITY: ReadonlySet<string> = new Set([
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'CERT_SIGNATURE_FAILURE',
]);

/** What upstream's client makes of an answer other than 200. */
export const describeStatus = (code: number, body: string): string => {
  const text = body.trim().slice(0, SHOWN_BODY) || 'unknown';
  const known = STATUS[code];
  if (known !== undefined) return known;
  if (code >= 500)
    return `an error on the server (${JSON.stringify(text)}) has prevented the request from succeeding`;
  if (code >= 300 && code < 400) return `redirects are not followed: the server answered ${code}`;
  if (code === 403) return text;
  return `the server responded with the status code ${code} but did not return more information`;
};

const STATUS: Readonly<Partial<Record<number, string>>> = {
  400: 'the server rejected our request for an unknown reason',
  401: 'the server has asked for the client to provide credentials',
  404: 'the server could not find the requested resource',
  405: 'the server does not allow this method on the requested resource',
  429: 'the server has received too many requests and has asked us to try again later',
  503: 'the server is currently unable to handle the request',
  504: 'the server was unable to return a response in the time allotted, but may still be processing the request',
};
const SHOWN_BODY = 2048;
