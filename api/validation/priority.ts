import { SYSTEM_PRIORITIES } from '../priorities';
import type { PriorityClass } from '../types';
import { forbidden, immutable, notSupported, type FieldError } from './field-error';
import {
  subdomainName,
  validateMetadata,
  validateMetadataUpdate,
  type MetadataRules,
} from './metadata';

const CLUSTER: MetadataRules = { isNamespaced: false, name: subdomainName };

export const validatePriorityClass = (priority: PriorityClass): readonly FieldError[] => {
  const { metadata, value, globalDefault = false, preemptionPolicy = '' } = priority;
  // A body may lack the name although its type says otherwise.
  const name = (metadata.name as string | undefined) ?? '';
  const isSystem = name.startsWith('system-');
  const isKnown = SYSTEM_PRIORITIES.get(name) === value && !globalDefault;
  return [
    ...validateMetadata(priority, CLUSTER),
    ...(isSystem && !isKnown
      ? [
          forbidden(
            'metadata.name',
            "priority class names with 'system-' prefix are reserved for system use only. error: " +
              `${name} is not a known system priority class`,
          ),
        ]
      : []),
    ...(!isSystem && value > VALUE_MAX
      ? [forbidden('value', `maximum allowed value of a user defined priority is ${VALUE_MAX}`)]
      : []),
    ...(POLICIES.includes(preemptionPolicy)
      ? []
      : [notSupported('preemptionPolicy', preemptionPolicy, POLICIES)]),
  ];
};

export const validatePriorityClassUpdate = (
  priority: PriorityClass,
  old: PriorityClass,
): readonly FieldError[] => [
  ...validateMetadataUpdate(priority, old, CLUSTER),
  ...(priority.value === old.value ? [] : [forbidden('value', 'may not be changed in an update.')]),
  ...(priority.preemptionPolicy === old.preemptionPolicy
    ? []
    : [immutable('preemptionPolicy', priority.preemptionPolicy)]),
];

const VALUE_MAX = 1_000_000_000;
const POLICIES = ['PreemptLowerPriority', 'Never'];
