import type * as discovery from 'kubernetes-types/discovery/v1';
import type { DeepReadonly } from './types';

/** Labels and annotations of services, slices and Endpoints, by upstream's names. */

/** Of a slice: the Service whose endpoints it has. */
export const SERVICE_NAME_LABEL = 'kubernetes.io/service-name';
/** Of a Service: another than the nodes' own proxy carries its traffic. */
export const SERVICE_PROXY_LABEL = 'service.kubernetes.io/service-proxy-name';
/** Of a slice: who writes it. */
export const SLICE_MANAGED_BY_LABEL = 'endpointslice.kubernetes.io/managed-by';
/** Of Endpoints: who writes them. */
export const ENDPOINTS_MANAGED_BY_LABEL = 'endpoints.kubernetes.io/managed-by';
/** Of slices and Endpoints: their Service has no address of its own. */
export const HEADLESS_LABEL = 'service.kubernetes.io/headless';
/** Of Endpoints: no slices are made of them. */
export const SKIP_MIRROR_LABEL = 'endpointslice.kubernetes.io/skip-mirror';
/** When that happened which the last write follows. */
export const LAST_CHANGE_TRIGGER_TIME = 'endpoints.kubernetes.io/last-change-trigger-time';
/** Of Endpoints: they have not all. */
export const OVER_CAPACITY = 'endpoints.kubernetes.io/over-capacity';
/** Of Endpoints: they are no service's, but a lock that programs elect a leader by. */
export const LEADER_ANNOTATION = 'control-plane.alpha.kubernetes.io/leader';

export const SLICE_CONTROLLER = 'endpointslice-controller.k8s.io';
export const MIRRORING_CONTROLLER = 'endpointslicemirroring-controller.k8s.io';
export const ENDPOINTS_CONTROLLER = 'endpoint-controller';

/** The declarations lack what 1.34 added: `forNodes`. */
export type Endpoint = DeepReadonly<
  Omit<discovery.Endpoint, 'hints'> & {
    hints?: discovery.EndpointHints & { forNodes?: { name: string }[] };
  }
>;
export type SlicePort = DeepReadonly<discovery.EndpointPort>;
export type AddressType = 'IPv4' | 'IPv6';
