import { dns1123SubdomainProblems } from '../names';
import { parseQuantity } from '../quantity';
import type { PersistentVolumeClaim } from '../types';
import { validateLabelSelector } from './affinity';
import {
  forbidden,
  invalid,
  invalidFor,
  notSupported,
  oneOf,
  required,
  type FieldError,
} from './field-error';

const ACCESS_MODES = ['ReadOnlyMany', 'ReadWriteMany', 'ReadWriteOnce', 'ReadWriteOncePod'];
export const VOLUME_MODES = ['Block', 'Filesystem'];

/** Of a claim, and of the template of one; a body may lack it. */
export const validateClaimSpec = (
  spec: PersistentVolumeClaim['spec'] | null,
  field: string,
): readonly FieldError[] => {
  const { selector, resources, storageClassName = '', volumeMode, accessModes } = spec ?? {};
  const storage = resources?.requests?.['storage'];
  return [
    ...(selector === undefined ? [] : validateLabelSelector(selector, `${field}.selector`)),
    ...validateAccessModes(accessModes ?? [], `${field}.accessModes`),
    ...(storage === undefined
      ? [required(`${field}.resources[storage]`)]
      : validatePositive(storage, `${field}.resources[storage]`)),
    ...validateClassName(storageClassName, `${field}.storageClassName`),
    ...oneOf(`${field}.volumeMode`, volumeMode, VOLUME_MODES),
  ];
};

export const validateAccessModes = (
  modes: readonly string[],
  field: string,
): readonly FieldError[] => [
  ...(modes.length === 0 ? [required(field, 'at least 1 access mode is required')] : []),
  ...modes
    .filter((mode) => !ACCESS_MODES.includes(mode))
    .map((mode) => notSupported(field, mode, ACCESS_MODES)),
  ...(modes.length > 1 && modes.includes('ReadWriteOncePod')
    ? [forbidden(field, 'may not use ReadWriteOncePod with other access modes')]
    : []),
];

export const validatePositive = (text: string, field: string): readonly FieldError[] =>
  parseQuantity(text).nanos > 0n ? [] : [invalid(field, text, 'must be greater than zero')];

export const validateClassName = (name: string, field: string): readonly FieldError[] =>
  name === '' ? [] : invalidFor(field, name, dns1123SubdomainProblems(name));
