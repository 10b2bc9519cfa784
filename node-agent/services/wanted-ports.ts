import { SERVICE_PROXY_LABEL } from '../../api/endpoint-slices';
import type { EndpointSlice, Service } from '../../api/types';
import { familyOf, networkOf } from '../../lib/net/ip';
import type { ExternalAddress, ServicePort } from '../../runtime/service-network';
import {
  chooseEndpoints,
  conditionsOf,
  type CandidateEndpoint,
  type ChoosingNode,
} from './endpoint-choice';

export interface ServingNode extends ChoosingNode {
  /** Served by the node's own resolver: they are led nowhere. */
  readonly dnsAddresses: readonly string[];
}

/** What a node does for one Service. */
export interface WantedService {
  /** By name of the port, which is empty where there is one. */
  readonly ports: ReadonlyMap<string, ServicePort>;
  /** Whoever balances load in front of the nodes asks here whether this one has endpoints. */
  readonly healthCheck: HealthCheck | undefined;
}

export interface HealthCheck {
  readonly namespace: string;
  readonly name: string;
  readonly port: number;
  /** Addresses of ready endpoints on this node. */
  readonly localEndpointCount: number;
}

/**
 * Pure: from a Service and its slices. Nothing for those without an address, and those that another proxy
 * than the node's own serves.
 */
export const wantedService = (
  service: Service,
  slices: readonly EndpointSlice[],
  node: ServingNode,
): WantedService => {
  const spec = service.spec;
  const isOthers = service.metadata.labels?.[SERVICE_PROXY_LABEL] !== undefined;
  const clusterIps = spec?.clusterIPs ?? [spec?.clusterIP ?? ''];
  const isServed =
    spec !== undefined &&
    !isOthers &&
    spec.type !== 'ExternalName' &&
    clusterIps[0] !== 'None' &&
    clusterIps[0] !== '';
  if (!isServed) return NOTHING;
  const ports = (spec.ports ?? []).map((port): readonly [string, ServicePort] => {
    // Each family by itself: one may have nobody who is ready while the other has.
    const chosen = ADDRESS_TYPES.map((type) => {
      const own = slices.filter(({ addressType }) => addressType === type);
      const protocol = protocolOf(port.protocol);
      return chooseEndpoints(candidatesOf(own, port.name ?? '', protocol, node), node);
    });
    const endpoints = chosen.flatMap((one) => one.endpoints);
    const localEndpoints = chosen.flatMap((one) => one.localEndpoints);
    const hasNodePort = isNodePorted(spec.type) && (port.nodePort ?? 0) > 0;
    return [
      port.name ?? '',
      {
        protocol: protocolOf(port.protocol),
        port: port.port,
        clusterAddresses: clusterIps.filter((address) => !node.dnsAddresses.includes(address)),
        externalAddresses: externalAddressesOf(service),
        ...(hasNodePort ? { nodePort: port.nodePort } : {}),
        endpoints: endpoints.map(targetOf),
        localEndpoints: localEndpoints.map(targetOf),
        internalPolicy: spec.internalTrafficPolicy === 'Local' ? 'local' : 'cluster',
        externalPolicy: spec.externalTrafficPolicy === 'Local' ? 'local' : 'cluster',
        ...(spec.sessionAffinity === 'ClientIP'
          ? {
              affinitySeconds:
                spec.sessionAffinityConfig?.clientIP?.timeoutSeconds ?? DEFAULT_AFFINITY_SECONDS,
            }
          : {}),
      },
    ];
  });
  return { ports: new Map(ports), healthCheck: healthCheckOf(service, slices, node) };
};

const candidatesOf = (
  slices: readonly EndpointSlice[],
  portName: string,
  protocol: ServicePort['protocol'],
  node: ChoosingNode,
): readonly CandidateEndpoint[] =>
  slices.flatMap((slice) => {
    const port = slice.ports?.find(
      (one) => (one.name ?? '') === portName && protocolOf(one.protocol) === protocol,
    )?.port;
    return port === undefined ? [] : candidatesIn(slice, port, node);
  });

const candidatesIn = (
  { endpoints }: EndpointSlice,
  port: number,
  node: ChoosingNode,
): readonly CandidateEndpoint[] =>
  endpoints.flatMap((endpoint) => {
    // Upstream's proxy takes the first address of each alone.
    const [address] = endpoint.addresses;
    if (address === undefined) return [];
    const { forNodes, forZones } = (endpoint.hints ?? {}) as Hints;
    return [
      {
        address,
        port,
        ...conditionsOf(endpoint),
        isLocal: endpoint.nodeName === node.name,
        ...(isGiven(forNodes) ? { forNodes: new Set(forNodes.map(({ name }) => name)) } : {}),
        ...(isGiven(forZones) ? { forZones: new Set(forZones.map(({ name }) => name)) } : {}),
      },
    ];
  });

/** `forNodes` came with 1.34. */
interface Hints {
  readonly forNodes?: readonly { readonly name: string }[];
  readonly forZones?: readonly { readonly name: string }[];
}

const isGiven = <T>(hints: readonly T[] | undefined): hints is readonly T[] =>
  hints !== undefined && hints.length > 0;

/** An address that a load balancer outside leads to the nodes by itself (`Proxy`) is none of ours. */
const externalAddressesOf = ({ spec, status }: Service): readonly ExternalAddress[] => {
  // Where none of an address' family is named, anybody may: as upstream's proxy.
  const sourcesOf = (address: string): readonly string[] =>
    (spec?.loadBalancerSourceRanges ?? []).filter(
      (range) => networkOf(range.trim())?.address.family === familyOf(address),
    );
  const balanced =
    spec?.type === 'LoadBalancer'
      ? (status?.loadBalancer?.ingress ?? []).flatMap(({ ip, ipMode }) =>
          ip === undefined || ip === '' || ipMode === 'Proxy' ? [] : [ip],
        )
      : [];
  const others = (spec?.externalIPs ?? []).filter((address) => !balanced.includes(address));
  return [
    ...balanced.map((address) => {
      const sources = sourcesOf(address);
      return { address, ...(sources.length > 0 ? { sources } : {}) };
    }),
    ...others.map((address) => ({ address })),
  ];
};

const healthCheckOf = (
  { metadata, spec }: Service,
  slices: readonly EndpointSlice[],
  node: ChoosingNode,
): HealthCheck | undefined => {
  const port = spec?.healthCheckNodePort ?? 0;
  if (spec?.type !== 'LoadBalancer' || spec.externalTrafficPolicy !== 'Local' || port === 0)
    return undefined;
  const local = slices.flatMap(({ endpoints }) =>
    endpoints.filter((one) => one.nodeName === node.name && conditionsOf(one).isReady),
  );
  return {
    namespace: metadata.namespace ?? '',
    name: metadata.name,
    port,
    localEndpointCount: new Set(local.map(({ addresses }) => addresses[0])).size,
  };
};

const targetOf = ({ address, port }: CandidateEndpoint) => ({ address, port });

const isNodePorted = (type: string | undefined): boolean =>
  type === 'NodePort' || type === 'LoadBalancer';

const protocolOf = (protocol: string | undefined): ServicePort['protocol'] =>
  protocol === 'UDP' ? 'udp' : protocol === 'SCTP' ? 'sctp' : 'tcp';

const ADDRESS_TYPES = ['IPv4', 'IPv6'] as const;
const NOTHING: WantedService = { ports: new Map(), healthCheck: undefined };
/** Upstream's DefaultClientIPServiceAffinitySeconds. */
const DEFAULT_AFFINITY_SECONDS = 10_800;
