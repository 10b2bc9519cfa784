import {
  CONFIG_MAPS,
  CSI_DRIVERS,
  CSI_NODES,
  CSI_STORAGE_CAPACITIES,
  ENDPOINT_SLICES,
  INGRESS_CLASSES,
  INGRESSES,
  NAMESPACES,
  NETWORK_POLICIES,
  NODES,
  PERSISTENT_VOLUME_CLAIMS,
  PERSISTENT_VOLUMES,
  POD_GROUPS,
  PODS,
  REPLICA_SETS,
  REPLICATION_CONTROLLERS,
  RUNTIME_CLASSES,
  SECRETS,
  SERVICE_CIDRS,
  SERVICES,
  STATEFUL_SETS,
  STORAGE_CLASSES,
  VOLUME_ATTACHMENTS,
} from '../api/resources';
import type { Informers } from '../client/informers';

/** What selects and joins pods, of which the controllers are told as well. */
export const selectorViewsIn = (informers: Informers) => ({
  services: informers.of(SERVICES),
  replicationControllers: informers.of(REPLICATION_CONTROLLERS),
  replicaSets: informers.of(REPLICA_SETS),
  statefulSets: informers.of(STATEFUL_SETS),
  groups: informers.of(POD_GROUPS),
});

/** What both the scheduler and the agents are told of. */
export const viewsIn = (informers: Informers) => ({
  pods: informers.of(PODS),
  nodes: informers.of(NODES),
  claims: informers.of(PERSISTENT_VOLUME_CLAIMS),
  volumes: informers.of(PERSISTENT_VOLUMES),
  classes: informers.of(STORAGE_CLASSES),
  namespaces: informers.of(NAMESPACES),
  csiNodes: informers.of(CSI_NODES),
  csiDrivers: informers.of(CSI_DRIVERS),
  capacities: informers.of(CSI_STORAGE_CAPACITIES),
  attachments: informers.of(VOLUME_ATTACHMENTS),
});

/** What pods name, of which agents are told. */
export const usedByPods = (informers: Informers) => ({
  secrets: informers.of(SECRETS),
  configMaps: informers.of(CONFIG_MAPS),
  runtimeClasses: informers.of(RUNTIME_CLASSES),
});

/** What agents are told of the network. */
export const networkViewsIn = (informers: Informers) => ({
  services: informers.of(SERVICES),
  endpointSlices: informers.of(ENDPOINT_SLICES),
  ingresses: informers.of(INGRESSES),
  serviceCidrs: informers.of(SERVICE_CIDRS),
  ingressClasses: informers.of(INGRESS_CLASSES),
  namespaces: informers.of(NAMESPACES),
  networkPolicies: informers.of(NETWORK_POLICIES),
});
