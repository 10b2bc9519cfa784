import { SERVICE_NAME_LABEL } from '../../../api/endpoint-slices';
import {
  PoliciesByLabel,
  resolverSubject,
  type ConnectionEnd,
  type PolicyWorld,
  type Protocol,
} from '../../../api/network-policies';
import {
  ENDPOINT_SLICES,
  NAMESPACES,
  NETWORK_POLICIES,
  NODES,
  PODS,
  SERVICES,
  type Resource,
} from '../../../api/resources';
import { keyOf, nameKey, type ApiObject, type Pod, type Service } from '../../../api/types';
import type { ApiClient } from '../../../client/api-client';
import { formatIp, ipOf } from '../../../lib/net/ip';
import { endOfPod, type TargetWorld } from './targets';

/** What a review is about, with each thing found by what it is asked for by. */
export interface KnownCluster extends TargetWorld {
  readonly world: PolicyWorld;
  readonly pod: (namespace: string, name: string) => Pod | undefined;
  readonly service: (namespace: string, name: string) => Service | undefined;
  readonly serviceAt: (address: string) => Service | undefined;
  /** The node whose address it is. */
  readonly nodeAt: (address: string) => string | undefined;
  /** Who has this port on every node; of a balancer's ports, where the address is one of its own. */
  readonly portAtNode: (
    address: string,
    port: number,
    protocol: Protocol,
  ) => NodePortOwner | undefined;
}

/** A port of a Service that is reached at addresses of nodes. */
export interface NodePortOwner {
  readonly service: Service;
  /** As the Service has it. */
  readonly port: number;
}

export const clusterOf = async (
  client: Pick<ApiClient, 'list'>,
  signal: AbortSignal,
): Promise<KnownCluster> => {
  const all = async <T extends ApiObject>(resource: Resource<T>) =>
    (await client.list(resource, {}, signal)).items;
  const [pods, services, slices] = [
    await all(PODS),
    await all(SERVICES),
    await all(ENDPOINT_SLICES),
  ];
  const policies = new PoliciesByLabel(await all(NETWORK_POLICIES));
  const namespaces = firstBy(await all(NAMESPACES), ({ metadata }) => [metadata.name]);
  const allNodes = await all(NODES);
  const nodes = firstBy(allNodes, ({ metadata }) => [metadata.name]);
  const nodesByAddress = firstBy(allNodes, ({ status }) =>
    (status.addresses ?? []).map(({ address }) => canonical(address)),
  );
  const [podsByKey, servicesByKey] = [firstBy(pods, keysOf), firstBy(services, keysOf)];
  const podsIn = groupBy(pods, ({ metadata }) => metadata.namespace);
  const slicesOf = groupBy(slices, ({ metadata: { namespace = '', labels = {} } }) => {
    const name = labels[SERVICE_NAME_LABEL];
    return name === undefined ? undefined : nameKey({ namespace, name });
  });
  const servicesByAddress = firstBy(services, addressesOf);
  const resolver = servicesByKey.get('kube-system/kube-dns')?.spec;
  const resolverAddresses = [resolver?.clusterIP ?? '', ...(resolver?.clusterIPs ?? [])]
    .filter((each) => each !== '')
    .map(canonical);
  return {
    world: {
      isolating: (subject, direction) => policies.isolating(subject, direction),
      namespaceLabels: (name) => {
        const found = namespaces.get(name);
        return found && (found.metadata.labels ?? {});
      },
      nodeAddresses: (name) =>
        (nodes.get(name)?.status.addresses ?? []).map(({ address }) => canonical(address)),
    },
    pod: (namespace, name) => podsByKey.get(nameKey({ namespace, name })),
    service: (namespace, name) => servicesByKey.get(nameKey({ namespace, name })),
    serviceAt: (address) => servicesByAddress.get(canonical(address)),
    nodeAt: (address) => nodesByAddress.get(canonical(address))?.metadata.name,
    portAtNode: (address, port, protocol) =>
      nodesByAddress.has(canonical(address))
        ? ownerOfPort(services, canonical(address), port, protocol)
        : undefined,
    endAt: endsAt(pods, resolverAddresses),
    podsIn: (namespace) => podsIn.get(namespace) ?? [],
    slicesOf: (service) => slicesOf.get(keyOf(service)) ?? [],
  };
};

/** Who has an address, by whichever of its own it is asked for. */
const endsAt = (
  pods: readonly Pod[],
  resolverAddresses: readonly string[],
): ((address: string) => ConnectionEnd) => {
  const subjects = pods.flatMap((pod) => endOfPod(pod)?.subject ?? []);
  const byAddress = firstBy(
    subjects.filter(({ isSelectable }) => isSelectable),
    ({ addresses }) => addresses.map(canonical),
  );
  return (text) => {
    const address = canonical(text);
    if (resolverAddresses.includes(address))
      return { address, subject: resolverSubject([address]) };
    const subject = byAddress.get(address);
    return subject === undefined ? { address } : { address, subject };
  };
};

/** The one text of an address that has several. */
const canonical = (address: string): string => {
  const ip = ipOf(address);
  return ip === undefined ? address : formatIp(ip);
};

const addressesOf = ({ spec }: Service): readonly string[] => {
  const { clusterIPs = [], clusterIP = '', externalIPs = [] } = spec ?? {};
  return [clusterIP, ...clusterIPs, ...externalIPs]
    .filter((address) => !['', 'None'].includes(address))
    .map(canonical);
};

const ownerOfPort = (
  services: readonly Service[],
  address: string,
  port: number,
  protocol: Protocol,
): NodePortOwner | undefined => {
  for (const service of services) {
    const { type, ports = [] } = service.spec ?? {};
    if (type !== 'NodePort' && type !== 'LoadBalancer') continue;
    const balanced = (service.status?.loadBalancer?.ingress ?? []).map(({ ip = '' }) =>
      canonical(ip),
    );
    const isBalanced = type === 'LoadBalancer' && balanced.includes(address);
    const own = ports.find(
      (each) =>
        (each.protocol ?? 'TCP') === protocol &&
        (each.nodePort === port || (isBalanced && each.port === port)),
    );
    if (own !== undefined) return { service, port: own.port };
  }
  return undefined;
};

const keysOf = (object: ApiObject): readonly string[] => [keyOf(object)];

const firstBy = <T>(
  items: readonly T[],
  keysFor: (item: T) => readonly string[],
): ReadonlyMap<string, T> => {
  const found = new Map<string, T>();
  for (const item of items)
    for (const key of keysFor(item)) if (!found.has(key)) found.set(key, item);
  return found;
};

const groupBy = <T>(
  items: readonly T[],
  keyFor: (item: T) => string | undefined,
): ReadonlyMap<string, readonly T[]> => {
  const groups = new Map<string, T[]>();
  for (const item of items) {
    const key = keyFor(item);
    if (key === undefined) continue;
    const group = groups.get(key) ?? [];
    groups.set(key, group);
    group.push(item);
  }
  return groups;
};
