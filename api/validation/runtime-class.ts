import { dns1123LabelProblems } from '../names';
import type { RuntimeClass } from '../types';
import { validateTolerations } from './affinity';
import { immutable, invalidFor, type FieldError } from './field-error';
import {
  subdomainName,
  validateLabels,
  validateMetadata,
  validateMetadataUpdate,
  type MetadataRules,
} from './metadata';
import { validateResources } from './resources';

const RULES: MetadataRules = { isNamespaced: false, name: subdomainName };

export const validateRuntimeClass = (runtimeClass: RuntimeClass): readonly FieldError[] => {
  const { handler, overhead, scheduling } = runtimeClass as Partial<RuntimeClass>;
  return [
    ...validateMetadata(runtimeClass, RULES),
    ...invalidFor('handler', handler ?? '', dns1123LabelProblems(handler ?? '')),
    // Upstream looks at it as the limits of a container, and names the field so.
    ...validateResources({ limits: overhead?.podFixed ?? {} }, 'overhead'),
    ...validateLabels(scheduling?.nodeSelector, 'scheduling.nodeSelector'),
    ...validateTolerations(scheduling?.tolerations ?? [], 'scheduling.tolerations'),
  ];
};

/** As upstream: what an update writes to the other fields is not looked at again. */
export const validateRuntimeClassUpdate = (
  runtimeClass: RuntimeClass,
  old: RuntimeClass,
): readonly FieldError[] => [
  ...validateMetadataUpdate(runtimeClass, old, RULES),
  ...(runtimeClass.handler === old.handler ? [] : [immutable('handler', runtimeClass.handler)]),
];
