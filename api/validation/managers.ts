import type { Metadata } from '../types';
import { invalid, tooLong, type FieldError } from './field-error';

/** The name of who sets fields, as a request or an entry of `managedFields` gives it. */
export const validateManagerName = (name: string, field: string): readonly FieldError[] => [
  ...(Buffer.byteLength(name) > MANAGER_LENGTH_MAX ? [tooLong(field, MANAGER_LENGTH_MAX)] : []),
  ...(UNPRINTABLE.test(name)
    ? [invalid(field, name, 'should only contain printable characters')]
    : []),
];

/** Source: apimachinery's ValidateManagedFields. What no manager can be read from is not kept at all. */
export const validateManagers = ({ managedFields = [] }: Metadata): readonly FieldError[] =>
  managedFields.flatMap(({ manager = '', subresource = '' }, i) => [
    ...validateManagerName(manager, `metadata.managedFields[${i}].manager`),
    ...(Buffer.byteLength(subresource) > SUBRESOURCE_LENGTH_MAX
      ? [tooLong(`metadata.managedFields[${i}].subresource`, SUBRESOURCE_LENGTH_MAX)]
      : []),
  ]);

export const MANAGER_LENGTH_MAX = 128;
const SUBRESOURCE_LENGTH_MAX = 256;
const UNPRINTABLE = /[\p{C}\u2028\u2029]/u;
