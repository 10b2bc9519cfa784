import { ApiError, qualifiedResource, type StatusCause } from '../errors';
import { stringifyJson } from '../../lib/json';
import { isNumeric } from '../json-value';

/** Why one field is refused. Stable: clients see it as the cause's reason. */
export type FieldErrorType =
  | 'FieldValueRequired'
  | 'FieldValueInvalid'
  | 'FieldValueTypeInvalid'
  | 'FieldValueNotSupported'
  | 'FieldValueDuplicate'
  | 'FieldValueForbidden'
  | 'FieldValueNotFound'
  | 'FieldValueTooLong'
  | 'FieldValueTooMany';

export interface FieldError {
  readonly type: FieldErrorType;
  /** `spec.containers[0].name` */
  readonly field: string;
  /** `Invalid value: 70000: must be between 1 and 65535, inclusive` */
  readonly message: string;
}

const withDetail = (text: string, detail: string): string =>
  detail === '' ? text : `${text}: ${detail}`;

const show = (value: unknown): string => (value === undefined ? 'null' : stringifyJson(value));

/** Stands for a value that is not worth showing: a whole object or list. */
export const NOT_SHOWN: unique symbol = Symbol('a value that is not shown');

const withValue = (text: string, value: unknown): string =>
  value === NOT_SHOWN ? text : `${text}: ${show(value)}`;

export const required = (field: string, detail = ''): FieldError => ({
  type: 'FieldValueRequired',
  field,
  message: withDetail('Required value', detail),
});

export const invalid = (field: string, value: unknown, detail: string): FieldError => ({
  type: 'FieldValueInvalid',
  field,
  message: withDetail(withValue('Invalid value', value), detail),
});

/** Absent is fine: what must be there is asked for elsewhere. */
export const oneOf = (
  field: string,
  value: string | undefined,
  supported: readonly string[],
): readonly FieldError[] =>
  value === undefined || supported.includes(value) ? [] : [notSupported(field, value, supported)];

/** As `oneOf`, of what must be there. */
export const requiredOneOf = (
  field: string,
  value: string | undefined,
  supported: readonly string[],
): readonly FieldError[] =>
  value === '' || value === undefined ? [required(field)] : oneOf(field, value, supported);

/** The values are listed as given: upstream sorts some lists and not others. */
export const notSupported = (
  field: string,
  value: unknown,
  supported: readonly string[],
): FieldError => ({
  type: 'FieldValueNotSupported',
  field,
  message: withDetail(
    `Unsupported value: ${show(value)}`,
    supported.length === 0
      ? ''
      : `supported values: ${supported.map((each) => JSON.stringify(each)).join(', ')}`,
  ),
});

export const duplicate = (field: string, value: unknown, detail = ''): FieldError => ({
  type: 'FieldValueDuplicate',
  field,
  message: withDetail(withValue('Duplicate value', value), detail),
});

export const forbidden = (field: string, detail: string): FieldError => ({
  type: 'FieldValueForbidden',
  field,
  message: withDetail('Forbidden', detail),
});

export const notFoundAt = (field: string, value: unknown): FieldError => ({
  type: 'FieldValueNotFound',
  field,
  message: `Not found: ${show(value)}`,
});

export const tooLong = (field: string, bytesMax: number): FieldError => ({
  type: 'FieldValueTooLong',
  field,
  message: `Too long: may not be more than ${bytesMax} bytes`,
});

export const tooMany = (field: string, count: number, countMax: number): FieldError => ({
  type: 'FieldValueTooMany',
  field,
  message: `Too many: ${count}: must have at most ${countMax} ${countMax === 1 ? 'item' : 'items'}`,
});

/** One `Invalid` error per problem with a value. */
export const invalidFor = (
  field: string,
  value: unknown,
  problems: readonly string[],
): readonly FieldError[] => problems.map((problem) => invalid(field, value, problem));

export const IMMUTABLE = 'field is immutable';

export const immutable = (field: string, value: unknown): FieldError =>
  invalid(field, value, IMMUTABLE);

export const nonNegative = (field: string, value: unknown): readonly FieldError[] =>
  isNumeric(value) && value < 0
    ? [invalid(field, value, 'must be greater than or equal to 0')]
    : [];

export const positive = (field: string, value: unknown): readonly FieldError[] =>
  isNumeric(value) && value <= 0 ? [invalid(field, value, 'must be greater than 0')] : [];

export const inRange = (
  field: string,
  value: unknown,
  low: number,
  high: number,
): readonly FieldError[] =>
  isNumeric(value) && (value < low || value > high)
    ? [invalid(field, value, `must be between ${low} and ${high}, inclusive`)]
    : [];

/** The refusal of an object, with one cause per field error. */
export const invalidError = (
  { group, kind }: { readonly group: string; readonly kind: string },
  name: string,
  errors: readonly FieldError[],
): ApiError => {
  const texts = [...new Set(errors.map(({ field, message }) => `${field}: ${message}`))];
  const causes: readonly StatusCause[] = errors.map(({ type, field, message }) => ({
    reason: type,
    message,
    field,
  }));
  const what = qualifiedResource(kind, group);
  return new ApiError(
    'Invalid',
    `${what} ${JSON.stringify(name)} is invalid: ${texts.length === 1 ? (texts[0] ?? '') : `[${texts.join(', ')}]`}`,
    { details: { name, ...(group === '' ? {} : { group }), kind, causes } },
  );
};
