import { INGRESS_PORTS_ANNOTATION } from '../../api/ingress-ports';
import { isOfType } from '../../api/service-endpoints';
import type { AddressType } from '../../api/endpoint-slices';
import { isNodeReady, readyCondition } from '../../api/nodes';
import type { Node } from '../../api/types';

/** Pure: whether traffic from outside may be led to a node: ready, and not excluded. */
export const canBalance = (node: Node): boolean =>
  isNodeReady(node) &&
  node.metadata.deletionTimestamp === undefined &&
  node.metadata.labels?.[EXCLUDE_LABEL] === undefined;

/** Pure: of all nodes, each once, one family after the other: of a node the outer ones if it has any. */
export const outerAddressesOf = (
  nodes: readonly Node[],
  families: readonly AddressType[],
): readonly string[] =>
  families.flatMap((family) => [
    ...new Set(nodes.flatMap((node) => addressesOf(node, family)).sort()),
  ]);

const addressesOf = ({ status }: Node, family: AddressType): readonly string[] => {
  const of = (wanted: string): readonly string[] =>
    (status.addresses ?? [])
      .filter(({ type, address }) => type === wanted && isOfType(address, family))
      .map(({ address }) => address);
  const external = of('ExternalIP');
  return external.length > 0 ? external : of('InternalIP');
};

/** Pure: what of a node both may follow from: heartbeats change much else. */
export const apparentOf = ({ metadata, status }: Node) => ({
  labels: metadata.labels,
  ingressPorts: metadata.annotations?.[INGRESS_PORTS_ANNOTATION],
  isDeleted: metadata.deletionTimestamp !== undefined,
  addresses: status.addresses,
  ready: readyCondition({ status })?.status,
});

const EXCLUDE_LABEL = 'node.kubernetes.io/exclude-from-external-load-balancers';
