import type * as admission from 'kubernetes-types/admissionregistration/v1';

/** Changes the policy in place. */
export const defaultValidatingPolicy = ({ spec }: admission.ValidatingAdmissionPolicy): void => {
  if (spec === undefined) return;
  spec.failurePolicy ??= 'Fail';
  defaultMatchResources(spec.matchConstraints);
};

/** Changes the binding in place. */
export const defaultValidatingBinding = ({
  spec,
}: admission.ValidatingAdmissionPolicyBinding): void => {
  defaultMatchResources(spec?.matchResources);
};

const defaultMatchResources = (match: admission.MatchResources | undefined): void => {
  if (match === undefined) return;
  match.matchPolicy ??= 'Equivalent';
  match.namespaceSelector ??= {};
  match.objectSelector ??= {};
  const rules = [...(match.resourceRules ?? []), ...(match.excludeResourceRules ?? [])];
  for (const rule of rules as { scope?: string }[]) rule.scope ??= '*';
};
