import {
  INGRESS_CLASSES,
  LIMIT_RANGES,
  MUTATING_POLICIES,
  MUTATING_POLICY_BINDINGS,
  MUTATING_WEBHOOKS,
  qualifiedName,
  RESOURCE_QUOTAS,
  STORAGE_CLASSES,
  VALIDATING_WEBHOOKS,
  VALIDATING_POLICIES,
  VALIDATING_POLICY_BINDINGS,
} from '../../../api/resources';
import type { AdmissionPlugin } from './admission-plugin';
import type { AdmissionReader } from './admission-reader';

/**
 * What is said of all else, in a namespace or everywhere, holds from the moment that its author has the answer: not
 * only once the cache, by which it is applied, has come so far.
 */
export const seenAtOnce = (reader: AdmissionReader): AdmissionPlugin => ({
  name: 'SeenAtOnce',
  handles: ({ kind: { resource }, subresource }) => subresource === '' && RULES.has(resource),
  reserve: ({ kind: { resource }, namespace, isDryRun }, signal) =>
    isDryRun
      ? undefined
      : {
          settle: async (outcome) => {
            if (outcome !== 'refused')
              await reader.listFresh(qualifiedName(resource), namespace, signal);
          },
        },
});

const RULES: ReadonlySet<object> = new Set([
  ...[INGRESS_CLASSES, LIMIT_RANGES, RESOURCE_QUOTAS, STORAGE_CLASSES],
  ...[MUTATING_WEBHOOKS, VALIDATING_WEBHOOKS],
  ...[VALIDATING_POLICIES, VALIDATING_POLICY_BINDINGS],
  ...[MUTATING_POLICIES, MUTATING_POLICY_BINDINGS],
]);
