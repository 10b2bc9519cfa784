import type { PodGroup } from '../pod-groups';
import { invalid, type FieldError } from './field-error';
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
  // Words of upstream's, whose schema says so.
  ...(spec.minMember !== undefined && spec.minMember < 1
    ? [
        invalid(
          'spec.minMember',
          spec.minMember,
          'spec.minMember in body should be greater than or equal to 1',
        ),
      ]
    : []),
  ...((spec.minMember ?? 0) > MIN_MEMBER_MAX
    ? [invalid('spec.minMember', spec.minMember, `must be at most ${MIN_MEMBER_MAX}`)]
    : []),
  ...(spec.scheduleTimeoutSeconds !== undefined && spec.scheduleTimeoutSeconds < 1
    ? [invalid('spec.scheduleTimeoutSeconds', spec.scheduleTimeoutSeconds, 'must be positive')]
    : []),
];

/** All are decided in one go, while all other pods wait. */
const MIN_MEMBER_MAX = 1000;

const RULES: MetadataRules = { isNamespaced: true, name: subdomainName };
