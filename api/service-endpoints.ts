import { isIPv6 } from 'node:net';

import type { AddressType, Endpoint, SlicePort } from './endpoint-slices';
import { isPodReady, isRestartableInit, isTerminal, isTerminating } from './pods';
import type { Node, Pod, Service } from './types';

/** The rules by which pods are behind a Service. Source: upstream's k8s.io/endpointslice/utils.go. */

type ServicePort = NonNullable<NonNullable<Service['spec']>['ports']>[number];

/** Does the Service say which pods are behind it? An empty selector says nothing. */
export const hasSelector = ({ spec }: Pick<Service, 'spec'>): boolean =>
  spec?.type !== 'ExternalName' && Object.keys(spec?.selector ?? {}).length > 0;

export const isSelectedBy = (
  { spec }: Pick<Service, 'spec'>,
  pod: Pick<Pod, 'metadata'>,
): boolean =>
  Object.entries(spec?.selector ?? {}).every(
    ([key, value]) => pod.metadata.labels?.[key] === value,
  );

/** It has no address of its own. */
export const isHeadless = ({ spec }: Pick<Service, 'spec'>): boolean =>
  (spec?.clusterIP ?? '') === '' || spec?.clusterIP === 'None';

/** Has it an address, and may it still get connections? One that is going counts if it is asked for. */
export const mayBeEndpoint = (pod: Pod, isGoingCounted: boolean): boolean =>
  !isTerminal(pod) && addressesOf(pod).length > 0 && (isGoingCounted || !isTerminating(pod));

export const addressesOf = ({ status }: Pick<Pod, 'status'>): readonly string[] => {
  const listed = (status.podIPs ?? []).flatMap(({ ip }) => ip ?? []);
  return listed.length > 0 ? listed : [status.podIP ?? ''].filter((ip) => ip !== '');
};

export const isOfType = (ip: string, type: AddressType): boolean =>
  isIPv6(ip) === (type === 'IPv6');

/** A headless Service of unknown families may have pods of both. */
export const addressTypesOf = ({ spec = {} }: Pick<Service, 'spec'>): readonly AddressType[] => {
  const families = (spec.ipFamilies ?? []).filter(isAddressType);
  if (families.length > 0) return families;
  const { clusterIP = '' } = spec;
  if (clusterIP !== '' && clusterIP !== 'None') return [isIPv6(clusterIP) ? 'IPv6' : 'IPv4'];
  return ['IPv4', 'IPv6'];
};

const isAddressType = (family: string): family is AddressType =>
  family === 'IPv4' || family === 'IPv6';

/** Where the pod is reached for each port of the Service; one that it does not name is left out. */
export const endpointPortsOf = (service: Service, pod: Pod): readonly SlicePort[] =>
  (service.spec?.ports ?? []).flatMap((port) => {
    const number = targetPortOf(pod, port);
    if (number === undefined) return [];
    const { name = '', protocol = 'TCP', appProtocol } = port;
    return { name, port: number, protocol, ...(appProtocol === undefined ? {} : { appProtocol }) };
  });

/** Named ports are looked up in main containers and sidecars. Source: FindPort. */
const targetPortOf = (pod: Pod, port: ServicePort): number | undefined => {
  const { targetPort = port.port, protocol = 'TCP' } = port;
  if (typeof targetPort !== 'string') return targetPort;
  const { containers, initContainers = [] } = pod.spec;
  for (const { ports = [] } of [...containers, ...initContainers.filter(isRestartableInit)])
    for (const each of ports)
      if (each.name === targetPort && (each.protocol ?? 'TCP') === protocol)
        return each.containerPort;
  return undefined;
};

/** The pod as an endpoint of the Service; undefined when it has no address of that type. */
export const endpointOf = (
  service: Service,
  pod: Pod,
  node: Node | undefined,
  type: AddressType,
): Endpoint | undefined => {
  const addresses = addressesOf(pod).filter((ip) => isOfType(ip, type));
  if (addresses.length === 0) return undefined;
  const { namespace, name, uid } = pod.metadata;
  const { nodeName = '' } = pod.spec;
  const zone = node?.metadata.labels?.[ZONE_LABEL] ?? '';
  const serving = isPodReady(pod);
  const terminating = isTerminating(pod);
  const ready = isPublishedAnyway(service) || (serving && !terminating);
  const hostname = hostnameOf(pod, service);
  const endpoint = {
    addresses,
    conditions: { ready, serving, terminating },
    ...(hostname === undefined ? {} : { hostname }),
    targetRef: {
      kind: 'Pod',
      ...(namespace === undefined ? {} : { namespace }),
      ...{ name, uid: uid ?? '' },
    },
    ...(nodeName === '' ? {} : { nodeName }),
    ...(zone === '' ? {} : { zone }),
  };
  const hints = ready ? hintsOf(service, endpoint) : undefined;
  return hints === undefined ? endpoint : { ...endpoint, hints };
};

export const isPublishedAnyway = ({ spec }: Service): boolean =>
  spec?.publishNotReadyAddresses === true;

/** The pod's own name in the domain of a Service, where it asks for one. */
export const hostnameOf = ({ spec }: Pod, service: Service): string | undefined =>
  (spec.hostname ?? '') !== '' && spec.subdomain === service.metadata.name
    ? spec.hostname
    : undefined;

/** Whether zones are to have as many endpoints as they have of the processors; else `trafficDistribution` counts. */
export const isTopologyAware = ({ metadata: { annotations = {} } }: Service): boolean =>
  ['Auto', 'auto'].includes(annotations[OLD_TOPOLOGY_MODE] ?? annotations[TOPOLOGY_MODE] ?? '');

/** For which zone and node the endpoint is the nearest. Source: KEP-4444, KEP-3015, trafficdist.go. */
const hintsOf = (service: Service, { zone, nodeName }: Endpoint): Endpoint['hints'] => {
  const wish = isTopologyAware(service) ? '' : (service.spec?.trafficDistribution ?? '');
  const forZones = CLOSE.includes(wish) && zone !== undefined ? [{ name: zone }] : [];
  const forNodes = wish === SAME_NODE && nodeName !== undefined ? [{ name: nodeName }] : [];
  if (forZones.length + forNodes.length === 0) return undefined;
  return {
    ...(forZones.length === 0 ? {} : { forZones }),
    ...(forNodes.length === 0 ? {} : { forNodes }),
  };
};

const ZONE_LABEL = 'topology.kubernetes.io/zone';
const TOPOLOGY_MODE = 'service.kubernetes.io/topology-mode';
const OLD_TOPOLOGY_MODE = 'service.kubernetes.io/topology-aware-hints';
const SAME_NODE = 'PreferSameNode';
const CLOSE = ['PreferClose', 'PreferSameZone', SAME_NODE];
