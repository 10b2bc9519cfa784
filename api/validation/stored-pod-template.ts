import type { StoredPodTemplate } from '../types';
import type { FieldError } from './field-error';
import {
  subdomainName,
  validateMetadata,
  validateMetadataUpdate,
  type MetadataRules,
} from './metadata';
import { validatePodTemplate } from './pod-template';

/** Source: upstream's ValidatePodTemplate. */
export const validateStoredPodTemplate = (stored: StoredPodTemplate): readonly FieldError[] => [
  ...validateMetadata(stored, RULES),
  ...validatePodTemplate(stored.template, 'template'),
];

export const validateStoredPodTemplateUpdate = (
  stored: StoredPodTemplate,
  old: StoredPodTemplate,
): readonly FieldError[] => [
  ...validateMetadataUpdate(stored, old, RULES),
  ...validatePodTemplate(stored.template, 'template'),
];

const RULES: MetadataRules = { isNamespaced: true, name: subdomainName };
