import type * as admission from 'kubernetes-types/admissionregistration/v1';

/** Changes the policy in place, whether it validates or changes objects. */
export const defaultPolicy = ({
  spec,
}: {
  spec?: Pick<admission.ValidatingAdmissionPolicySpec, 'failurePolicy' | 'matchConstraints'>;
}): void => {
  if (spec === undefined) return;
  spec.failurePolicy ??= 'Fail';
  defaultMatchResources(spec.matchConstraints);
};

/** Changes the binding of such a policy in place. */
export const defaultPolicyBinding = ({
  spec,
}: {
  spec?: Pick<admission.ValidatingAdmissionPolicyBindingSpec, 'matchResources'>;
}): void => {
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
