import type * as core from 'kubernetes-types/core/v1';

const STICKY_SECONDS = 10_800;

/** All but addresses, which whoever serves the service gives it. Changes the service in place. */
export const defaultService = ({ spec }: core.Service): void => {
  if (spec === undefined) return;
  spec.sessionAffinity ??= 'None';
  if (spec.sessionAffinity === 'ClientIP') {
    const affinity = (spec.sessionAffinityConfig ??= {});
    (affinity.clientIP ??= {}).timeoutSeconds ??= STICKY_SECONDS;
  } else delete spec.sessionAffinityConfig;
  spec.type ??= 'ClusterIP';
  for (const port of spec.ports ?? []) {
    port.protocol ??= 'TCP';
    if (port.targetPort === undefined || port.targetPort === 0 || port.targetPort === '')
      port.targetPort = port.port;
  }
  const isOutside = spec.type === 'NodePort' || spec.type === 'LoadBalancer';
  if (isOutside) spec.externalTrafficPolicy ??= 'Cluster';
  if (isOutside || spec.type === 'ClusterIP') spec.internalTrafficPolicy ??= 'Cluster';
  if (spec.type === 'LoadBalancer') spec.allocateLoadBalancerNodePorts ??= true;
};
