import type * as networking from 'kubernetes-types/networking/v1';

/** Changes the class in place. */
export const defaultIngressClass = ({ spec }: networking.IngressClass): void => {
  if (spec?.parameters !== undefined) spec.parameters.scope ??= 'Cluster';
};

/** Changes the policy in place. It is about what comes in, and about what goes out if it says so. */
export const defaultNetworkPolicy = ({ spec }: networking.NetworkPolicy): void => {
  if (spec === undefined) return;
  for (const { ports = [] } of [...(spec.ingress ?? []), ...(spec.egress ?? [])])
    for (const port of ports) port.protocol ??= 'TCP';
  if ((spec.policyTypes ?? []).length === 0)
    spec.policyTypes = ['Ingress', ...((spec.egress ?? []).length > 0 ? ['Egress'] : [])];
};
