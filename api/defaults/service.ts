import type * as core from 'kubernetes-types/core/v1';

const STICKY_SECONDS = 10_800;

/** All but addresses and ports, which are handed out once each. Changes the service in place. */
export const defaultService = ({ spec, status }: core.Service): void => {
  if (spec === undefined) return;
  spec.sessionAffinity ??= 'None';
  if (spec.sessionAffinity === 'ClientIP') {
    const affinity = (spec.sessionAffinityConfig ??= {});
    (affinity.clientIP ??= {}).timeoutSeconds ??= STICKY_SECONDS;
  } else if (spec.sessionAffinity === 'None') delete spec.sessionAffinityConfig;
  spec.type ??= 'ClusterIP';
  for (const port of spec.ports ?? []) {
    port.protocol ??= 'TCP';
    if (port.targetPort === undefined || port.targetPort === 0 || port.targetPort === '')
      port.targetPort = port.port;
  }
  const hasNodePorts = spec.type === 'NodePort' || spec.type === 'LoadBalancer';
  const isNamed = spec.type === 'ClusterIP' && (spec.externalIPs ?? []).length > 0;
  if (hasNodePorts || isNamed) spec.externalTrafficPolicy ??= 'Cluster';
  if (hasNodePorts || spec.type === 'ClusterIP') spec.internalTrafficPolicy ??= 'Cluster';
  if (spec.type !== 'LoadBalancer') return;
  spec.allocateLoadBalancerNodePorts ??= true;
  for (const point of status?.loadBalancer?.ingress ?? [])
    if ((point.ip ?? '') !== '') point.ipMode ??= 'VIP';
};
