import type * as discovery from 'kubernetes-types/discovery/v1';
import type { DeepReadonly } from './types';

/** Labels and annotations of services, slices and Endpoints, by upstream's names. */

/** Of a slice: the Service whose endpoints it has. */
export const SERVICE_NAME_LABEL = 'kubernetes.io/service-name';
/** Of a Service: another than the nodes' own proxy carries its traffic. */
export const SERVICE_PROXY_LABEL = 'service.kubernetes.io/service-proxy-name';
/** Of a slice: who writes it. */
export const SLICE_MANAGED_BY_LABEL = 'endpointslice.kubernetes.io/managed-by';
/** Of slices and Endpoints: their Service has no address of its own. */
export const HEADLESS_LABEL = 'service.kubernetes.io/headless';
/** When that happened which the last write follows. */
export const LAST_CHANGE_TRIGGER_TIME = 'endpoints.kubernetes.io/last-change-trigger-time';

export const SLICE_CONTROLLER = 'endpointslice-controller.k8s.io';

/** The declarations lack what 1.34 added: `forNodes`. */
export type Endpoint = DeepReadonly<
  Omit<discovery.Endpoint, 'hints'> & {
    hints?: discovery.EndpointHints & { forNodes?: { name: string }[] };
  }
>;
export type SlicePort = DeepReadonly<discovery.EndpointPort>;
export type AddressType = 'IPv4' | 'IPv6';
