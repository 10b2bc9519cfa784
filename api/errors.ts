/** One reason why an object was refused, at one field. Source: metav1.StatusCause. */
export interface StatusCause {
  /** `FieldValueInvalid`, `FieldValueRequired`, ... */
  readonly reason: string;
  /** Without the field path: `Invalid value: 70000: must be between 1 and 65535, inclusive`. */
  readonly message: string;
  /** `spec.containers[0].name` */
  readonly field?: string;
}

export interface StatusDetails {
  readonly name?: string;
  readonly group?: string;
  readonly kind?: string;
  readonly uid?: string;
  readonly causes?: readonly StatusCause[];
  readonly retryAfterSeconds?: number;
}

/** The wire form of every failure. Source: metav1.Status. */
export interface Status {
  readonly kind: 'Status';
  readonly apiVersion: 'v1';
  readonly metadata: Readonly<Record<string, unknown>>;
  readonly status: 'Success' | 'Failure';
  readonly message?: string;
  readonly reason?: string;
  readonly details?: StatusDetails;
  readonly code?: number;
}

/** Stable across releases and across the wire (metav1.StatusReason). Branch on it; print `message`. */
export type StatusReason =
  | 'BadRequest'
  | 'Unauthorized'
  | 'Forbidden'
  | 'NotFound'
  | 'MethodNotAllowed'
  | 'NotAcceptable'
  | 'AlreadyExists'
  | 'Conflict'
  | 'Gone'
  | 'Expired'
  | 'RequestEntityTooLarge'
  | 'UnsupportedMediaType'
  | 'Invalid'
  | 'TooManyRequests'
  | 'InternalError'
  | 'ServiceUnavailable'
  | 'Timeout'
  | 'InsufficientStorage';

const HTTP_CODE: Readonly<Record<StatusReason, number>> = {
  BadRequest: 400,
  Unauthorized: 401,
  Forbidden: 403,
  NotFound: 404,
  MethodNotAllowed: 405,
  NotAcceptable: 406,
  AlreadyExists: 409,
  Conflict: 409,
  Gone: 410,
  Expired: 410,
  RequestEntityTooLarge: 413,
  UnsupportedMediaType: 415,
  Invalid: 422,
  TooManyRequests: 429,
  InternalError: 500,
  ServiceUnavailable: 503,
  Timeout: 504,
  InsufficientStorage: 507,
};

export interface ApiErrorOptions extends ErrorOptions {
  readonly details?: StatusDetails;
}

/** A failure the API tells its caller. The same class is thrown by the server and by every client. */
export class ApiError extends Error {
  readonly details: StatusDetails | undefined;

  constructor(
    readonly reason: StatusReason,
    message: string,
    options: ApiErrorOptions = {},
  ) {
    super(message, options);
    this.name = reason;
    this.details = options.details;
  }

  get code(): number {
    return HTTP_CODE[this.reason];
  }

  toStatus(): Status {
    return {
      kind: 'Status',
      apiVersion: 'v1',
      metadata: {},
      status: 'Failure',
      message: this.message,
      reason: this.reason,
      // Also when there is nothing to say: clients look into it unasked.
      details: this.details ?? {},
      code: this.code,
    };
  }

  static fromStatus(status: Partial<Status>, code = status.code ?? 500): ApiError {
    const known = status.reason !== undefined && Object.hasOwn(HTTP_CODE, status.reason);
    const reason = known ? (status.reason as StatusReason) : reasonOfCode(code);
    return new ApiError(reason, status.message ?? `the server answered ${code}`, {
      ...(status.details === undefined ? {} : { details: status.details }),
    });
  }
}

/** True for an `ApiError` with this reason. */
export const hasReason = (error: unknown, ...reasons: readonly StatusReason[]): error is ApiError =>
  error instanceof ApiError && reasons.includes(error.reason);

const reasonOfCode = (code: number): StatusReason =>
  (Object.keys(HTTP_CODE) as StatusReason[]).find((reason) => HTTP_CODE[reason] === code) ??
  'InternalError';

/** What a resource is called in messages: `pods`, `deployments.apps`. */
export const qualifiedResource = (plural: string, group: string): string =>
  group === '' ? plural : `${plural}.${group}`;

export const notFound = (plural: string, group: string, name: string): ApiError =>
  new ApiError('NotFound', `${qualifiedResource(plural, group)} "${name}" not found`, {
    details: { name, ...(group === '' ? {} : { group }), kind: plural },
  });

export const alreadyExists = (plural: string, group: string, name: string): ApiError =>
  new ApiError('AlreadyExists', `${qualifiedResource(plural, group)} "${name}" already exists`, {
    details: { name, ...(group === '' ? {} : { group }), kind: plural },
  });

export const conflict = (plural: string, group: string, name: string, why?: string): ApiError =>
  new ApiError(
    'Conflict',
    `Operation cannot be fulfilled on ${qualifiedResource(plural, group)} "${name}": ` +
      (why ??
        'the object has been modified; please apply your changes to the latest version and try again'),
    { details: { name, ...(group === '' ? {} : { group }), kind: plural } },
  );
