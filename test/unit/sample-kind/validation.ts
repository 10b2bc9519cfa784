import {
  immutable,
  nonNegative,
  required,
  type FieldError,
} from '../../../api/validation/field-error';
import {
  subdomainName,
  validateMetadata,
  validateMetadataUpdate,
  type MetadataRules,
} from '../../../api/validation/metadata';
import type { Voyage } from './resource';

export const validateVoyage = (voyage: Voyage): readonly FieldError[] => [
  ...validateMetadata(voyage, RULES),
  ...validateSpec(voyage),
];

export const validateVoyageUpdate = (voyage: Voyage, old: Voyage): readonly FieldError[] => [
  ...validateMetadataUpdate(voyage, old, RULES),
  ...(voyage.spec.ship === old.spec.ship ? [] : [immutable('spec.ship', voyage.spec.ship)]),
  ...validateSpec(voyage),
];

/** A body may lack what its type promises. */
const validateSpec = ({ spec }: Partial<Voyage>): readonly FieldError[] => [
  ...((spec?.ship ?? '') === '' ? [required('spec.ship')] : []),
  ...nonNegative('spec.stops', spec?.stops),
];

const RULES: MetadataRules = { isNamespaced: true, name: subdomainName };
