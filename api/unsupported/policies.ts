import type { ValidatingAdmissionPolicy, ValidatingAdmissionPolicyBinding } from '../types';

export const unsupportedInPolicy = ({ spec }: ValidatingAdmissionPolicy): readonly string[] =>
  (spec?.auditAnnotations ?? []).length === 0 ? [] : [`spec.auditAnnotations: ${NO_LOG}`];

export const unsupportedInPolicyBinding = ({
  spec,
}: ValidatingAdmissionPolicyBinding): readonly string[] =>
  spec?.validationActions?.includes('Audit') === true
    ? [`spec.validationActions: "Audit" ${NO_LOG}`]
    : [];

const NO_LOG = 'has no effect: this server keeps no audit log';
