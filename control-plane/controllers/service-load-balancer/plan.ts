import { isNodeReady } from '../../../api/nodes';
import type { EndpointSlice, Node, Service } from '../../../api/types';

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
 * services cannot have the same port of the same nodes: the older has it.
 */
export const planLoadBalancer = (
  service: Service,
  others: readonly Service[],
  nodes: readonly Node[],
  slices: readonly EndpointSlice[],
  reservedPorts: ReadonlySet<number>,
): LoadBalancerPlan => {
  const conflict = conflictOf(service, others, reservedPorts);
  if (conflict !== undefined) return { addresses: [], conflict };
  const isLocal = service.spec?.externalTrafficPolicy === 'Local';
  const serving = new Set(
    slices.flatMap(({ endpoints }) =>
      endpoints.flatMap(({ nodeName, conditions }) =>
        nodeName !== undefined && conditions?.ready !== false ? [nodeName] : [],
      ),
    ),
  );
  const addresses = nodes
    .filter(canBalance)
    .filter(({ metadata }) => !isLocal || serving.has(metadata.name))
    .flatMap(addressesOf);
  return { addresses: [...new Set(addresses)].sort() };
};

const canBalance = (node: Node): boolean =>
  isNodeReady(node) &&
  node.metadata.deletionTimestamp === undefined &&
  node.metadata.labels?.[EXCLUDE_LABEL] === undefined;

/** The outer ones if a node has any. */
const addressesOf = ({ status }: Node): readonly string[] => {
  const of = (wanted: string): readonly string[] =>
    (status.addresses ?? [])
      .filter(({ type, address }) => type === wanted && !address.includes(':'))
      .map(({ address }) => address);
  const external = of('ExternalIP');
  return external.length > 0 ? external : of('InternalIP');
};

const conflictOf = (
  service: Service,
  others: readonly Service[],
  reservedPorts: ReadonlySet<number>,
): string | undefined => {
  const wanted = new Set(portsOf(service));
  const reserved = (service.spec?.ports ?? []).find(({ port }) => reservedPorts.has(port));
  if (reserved !== undefined) return `port ${reserved.port} of the nodes is the cluster's own`;
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

const EXCLUDE_LABEL = 'node.kubernetes.io/exclude-from-external-load-balancers';
