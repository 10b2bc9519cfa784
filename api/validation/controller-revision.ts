import { jsonEqual } from '../json-value';
import type { ControllerRevision } from '../types';
import { immutable, nonNegative, required, type FieldError } from './field-error';
import {
  subdomainName,
  validateMetadata,
  validateMetadataUpdate,
  type MetadataRules,
} from './metadata';

export const validateControllerRevision = (revision: ControllerRevision): readonly FieldError[] => [
  ...validateMetadata(revision, RULES),
  ...validateState(revision),
];

/** What a revision holds never changes; its number does, when an old one is used again. */
export const validateControllerRevisionUpdate = (
  revision: ControllerRevision,
  old: ControllerRevision,
): readonly FieldError[] => [
  ...validateMetadataUpdate(revision, old, RULES),
  ...validateState(revision),
  ...(jsonEqual(revision.data, old.data) ? [] : [immutable('data', revision.data ?? null)]),
];

const validateState = ({ data, revision }: ControllerRevision): readonly FieldError[] => [
  ...((data ?? null) === null ? [required('data', 'data is mandatory')] : []),
  ...nonNegative('revision', revision),
];

const RULES: MetadataRules = { isNamespaced: true, name: subdomainName };
