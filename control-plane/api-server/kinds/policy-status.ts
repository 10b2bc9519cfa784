import { jsonEqual } from '../../../api/json-value';
import { KINDS } from '../../../api/kinds';
import { typeCheckPolicy } from '../../../api/policies/type-check';
import type { Resource } from '../../../api/resources';
import type { MatchResources, ValidatingAdmissionPolicy } from '../../../api/types';
import type { Fields, MutableObject } from './mutable';
import { WITH_SPEC, type Strategy } from './served-kind';

/**
 * A policy's status follows from its spec alone, so that it is there with the answer: no controller
 * has to come by. Kinds that come and go are not checked against.
 */
export const POLICY_STRATEGY: Strategy = {
  ...WITH_SPEC,
  prepareCreate: (policy) => {
    policy.status = statusOf(policy, 1);
  },
  prepareUpdate: (policy, old) => {
    if (jsonEqual(policy['spec'], (old as ValidatingAdmissionPolicy).spec)) return;
    policy.status = statusOf(policy, (old.metadata.generation ?? 0) + 1);
  },
};

const statusOf = (object: MutableObject, observedGeneration: number): Fields => {
  const policy = object as unknown as ValidatingAdmissionPolicy;
  const expressionWarnings = typeCheckPolicy(policy, matchedKinds(policy));
  return {
    observedGeneration,
    typeChecking: expressionWarnings.length === 0 ? {} : { expressionWarnings },
  };
};

/** Those that the rules name; a rule with a star, or for a subresource, names none. */
const matchedKinds = ({ spec }: ValidatingAdmissionPolicy): readonly Resource[] => {
  const match: MatchResources = spec?.matchConstraints ?? {};
  const { resourceRules = [] } = match;
  return KINDS.map(({ resource }) => resource).filter((resource) =>
    resourceRules.some(
      ({ apiGroups = [], apiVersions = [], resources = [] }) =>
        apiGroups.includes(resource.group) &&
        apiVersions.includes(resource.version) &&
        resources.includes(resource.plural),
    ),
  );
};
