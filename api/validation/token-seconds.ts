import type { Int64 } from '../int64';
import { invalid, type FieldError } from './field-error';

/** How long a token is asked for. Absent is fine. */
export const validateTokenSeconds = (
  seconds: Int64 | undefined,
  field: string,
): readonly FieldError[] => {
  if (seconds === undefined) return [];
  if (seconds < SECONDS_MIN)
    return [invalid(field, seconds, 'may not specify a duration less than 10 minutes')];
  return seconds > SECONDS_MAX
    ? [invalid(field, seconds, 'may not specify a duration larger than 2^32 seconds')]
    : [];
};

const SECONDS_MIN = 600;
const SECONDS_MAX = 2 ** 32;
