import { ApiError, type Status, type StatusDetails } from '../../../../api/errors';
import { isFields, listAt, numberAt, textAt, type Fields } from '../../kinds/mutable';

/** A webhook could not be asked, or answered what is no answer. Its failure policy decides. */
export class CallingError extends Error {
  override readonly name = 'CallingError';

  constructor(
    hookName: string,
    why: string,
    readonly code: number,
    options: ErrorOptions = {},
  ) {
    super(`failed calling webhook ${JSON.stringify(hookName)}: ${why}`, options);
  }

  /** What the caller hears when a failure is a refusal. */
  toApiError(): ApiError {
    return internalError(this.message, this);
  }
}

/** In upstream's words for what its own code could not do. */
export const internalError = (message: string, cause?: unknown): ApiError =>
  new ApiError('InternalError', `Internal error occurred: ${message}`, {
    details: { causes: [{ reason: '', message }] },
    ...(cause === undefined ? {} : { cause }),
  });

/**
 * A webhook's refusal: the caller hears status, code and reason as the webhook said them. Inside the
 * server it is one refusal whatever that was: no webhook makes an update into a creation by saying that
 * there is no such object.
 */
export class WebhookDenial extends ApiError {
  private readonly status: Status;

  constructor(hookName: string, result: Fields) {
    const status = statusOf(hookName, result);
    super('Forbidden', status.message ?? '', { details: status.details ?? {} });
    this.status = status;
  }

  override get code(): number {
    return this.status.code ?? 0;
  }

  /** What the webhook called it. */
  get givenReason(): string {
    return this.status.reason ?? '';
  }

  override toStatus(): Status {
    return this.status;
  }
}

const statusOf = (hookName: string, result: Fields): Status => {
  const [message, reason] = [textOf(result, 'message'), textOf(result, 'reason')];
  const why = message === '' ? reason : message;
  const deniedBy = `admission webhook ${JSON.stringify(hookName)} denied the request`;
  const code = numberAt(result, 'code');
  return {
    kind: 'Status',
    apiVersion: 'v1',
    metadata: {},
    status: 'Failure',
    message: why === '' ? `${deniedBy} without explanation` : `${deniedBy}: ${why}`,
    ...(reason === '' ? {} : { reason }),
    details: detailsOf(result['details']),
    // No success, and no code that an HTTP answer cannot have.
    code: Number.isInteger(code) && code >= 400 && code <= 599 ? code : 400,
  };
};

const detailsOf = (details: unknown): StatusDetails => {
  if (!isFields(details)) return {};
  const texts = ['name', 'group', 'kind', 'uid']
    .map((field) => [field, textOf(details, field)] as const)
    .filter(([, text]) => text !== '');
  const causes = listAt(details, 'causes')
    .slice(0, CAUSES_MAX)
    .map((cause) => ({
      reason: textOf(cause, 'reason'),
      message: textOf(cause, 'message'),
      ...(textOf(cause, 'field') === '' ? {} : { field: textOf(cause, 'field') }),
    }));
  const retryAfterSeconds = numberAt(details, 'retryAfterSeconds');
  return {
    ...Object.fromEntries(texts),
    ...(causes.length === 0 ? {} : { causes }),
    ...(Number.isInteger(retryAfterSeconds) && retryAfterSeconds > 0 && retryAfterSeconds < 3600
      ? { retryAfterSeconds }
      : {}),
  };
};

const textOf = (value: unknown, field: string): string => textAt(value, field).slice(0, TEXT_MAX);

const CAUSES_MAX = 100;
const TEXT_MAX = 16 * 1024;
