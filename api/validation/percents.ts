import { invalid, nonNegative, type FieldError } from './field-error';

const PERCENT = /^[0-9]+%$/;

/** The number, or the number before the sign. */
export const amountOf = (value: number | string): number =>
  typeof value === 'number' ? value : PERCENT.test(value) ? Number(value.slice(0, -1)) : NaN;

export const validateIntOrPercent = (
  value: number | string,
  field: string,
): readonly FieldError[] => {
  if (typeof value === 'number') return nonNegative(field, value);
  return PERCENT.test(value)
    ? []
    : [
        invalid(
          field,
          value,
          "a valid percent string must be a numeric string followed by an ending '%' " +
            "(e.g. '1%',  or '93%', regex used for validation is '[0-9]+%')",
        ),
      ];
};

export const notMoreThanAll = (value: number | string, field: string): readonly FieldError[] =>
  typeof value === 'string' && amountOf(value) > 100
    ? [invalid(field, value, 'must not be greater than 100%')]
    : [];
