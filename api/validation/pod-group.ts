import type { PodGroup } from '../pod-groups';
import { invalid, nonNegative, type FieldError } from './field-error';
import {
  subdomainName,
  validateMetadata,
  validateMetadataUpdate,
  type MetadataRules,
} from './metadata';

export const validatePodGroup = (group: PodGroup): readonly FieldError[] => [
  ...validateMetadata(group, RULES),
  ...validateSpec(group),
];

export const validatePodGroupUpdate = (group: PodGroup, old: PodGroup): readonly FieldError[] => [
  ...validateMetadataUpdate(group, old, RULES),
  ...validateSpec(group),
];

const validateSpec = ({ spec = {} }: PodGroup): readonly FieldError[] => [
  ...nonNegative('spec.minMember', spec.minMember),
  ...(spec.scheduleTimeoutSeconds !== undefined && spec.scheduleTimeoutSeconds < 1
    ? [invalid('spec.scheduleTimeoutSeconds', spec.scheduleTimeoutSeconds, 'must be positive')]
    : []),
];

const RULES: MetadataRules = { isNamespaced: true, name: subdomainName };
