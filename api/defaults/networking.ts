import type * as networking from 'kubernetes-types/networking/v1';

/** Changes the class in place. */
export const defaultIngressClass = ({ spec }: networking.IngressClass): void => {
  if (spec?.parameters !== undefined) spec.parameters.scope ??= 'Cluster';
};
