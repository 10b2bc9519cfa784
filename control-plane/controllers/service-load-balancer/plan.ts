import { ingressPortsOf } from '../../../api/ingress-ports';
import type { EndpointSlice, Node, Service } from '../../../api/types';
import { addressTypesOf } from '../../../api/service-endpoints';
import { canBalance, outerAddressesOf } from '../outer-addresses';

export type LoadBalancerPlan =
  | { readonly addresses: readonly string[]; readonly conflict?: undefined }
  /** In words: why it gets none. */
  | { readonly addresses: readonly []; readonly conflict: string };

/** Whether the nodes are this service's load balancer: another class has an implementation of its own. */
export const isBalancedByNodes = ({ spec }: Service): boolean =>
  spec?.type === 'LoadBalancer' && spec.loadBalancerClass === undefined;

/**
 * Pure: the addresses that lead to a service, as k3s' ServiceLB gives them: those of all nodes that are
 * ready and not excluded; when traffic is to stay local, of those that have a ready endpoint. Two
 * services cannot have the same port of the same nodes: the older has it. Nor can a service have one at
 * which a node serves ingresses: it gets the other nodes.
 */
export const planLoadBalancer = (
  service: Service,
  /** It may be among them. */
  others: readonly Service[],
  nodes: readonly Node[],
  slices: readonly EndpointSlice[],
  reservedPorts: ReadonlySet<number>,
): LoadBalancerPlan => {
  const conflict = conflictOf(service, others, reservedPorts);
  if (conflict !== undefined) return { addresses: [], conflict };
  const balancing = nodes.filter(canBalance);
  const free = balancing.filter((node) => ingressPortIn(service, node) === undefined);
  const [first] = balancing;
  if (free.length === 0 && first !== undefined) {
    const conflict = `port ${ingressPortIn(service, first)}/TCP of the nodes serves ingresses`;
    return { addresses: [], conflict };
  }
  const isLocal = service.spec?.externalTrafficPolicy === 'Local';
  const serving = new Set(
    slices.flatMap(({ endpoints }) =>
      endpoints.flatMap(({ nodeName, conditions }) =>
        nodeName !== undefined && conditions?.ready !== false ? [nodeName] : [],
      ),
    ),
  );
  const chosen = free.filter(({ metadata }) => !isLocal || serving.has(metadata.name));
  return { addresses: outerAddressesOf(chosen, addressTypesOf(service)) };
};

/** Of the service's ports, the one at which the node serves ingresses. */
const ingressPortIn = ({ spec }: Service, node: Node): number | undefined => {
  const taken = ingressPortsOf(node);
  return spec?.ports?.find(
    ({ port, protocol = 'TCP' }) => protocol === 'TCP' && taken.includes(port),
  )?.port;
};

const conflictOf = (
  service: Service,
  others: readonly Service[],
  reservedPorts: ReadonlySet<number>,
): string | undefined => {
  const reserved = (service.spec?.ports ?? []).find(({ port }) => reservedPorts.has(port));
  if (reserved !== undefined) return `port ${reserved.port} of the nodes is the cluster's own`;
  const wanted = new Set(portsOf(service));
  const older = others.filter(
    (other) =>
      isBalancedByNodes(other) &&
      other.metadata.deletionTimestamp === undefined &&
      isBefore(other, service),
  );
  for (const other of older) {
    const taken = portsOf(other).find((port) => wanted.has(port));
    const { namespace = '', name } = other.metadata;
    if (taken !== undefined)
      return `port ${taken} of the nodes is taken by service ${namespace}/${name}`;
  }
  return undefined;
};

const portsOf = ({ spec }: Service): readonly string[] =>
  (spec?.ports ?? []).map(({ port, protocol = 'TCP' }) => `${port}/${protocol}`);

const isBefore = ({ metadata: a }: Service, { metadata: b }: Service): boolean => {
  const [older, newer] = [a, b].map(({ creationTimestamp = '', uid = '' }) =>
    [creationTimestamp, uid].join(' '),
  );
  return (older ?? '') < (newer ?? '');
};
