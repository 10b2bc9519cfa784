import { ingressPortsOf } from '../../../api/ingress-ports';
import type { Ingress, Node, Service } from '../../../api/types';
import { canBalance, outerAddressesOf } from '../outer-addresses';

/** Pure: where ingresses are reached: at the nodes that serve them and that traffic may be led to. */
export const ingressAddresses = (nodes: readonly Node[]): readonly string[] =>
  outerAddressesOf(
    nodes.filter((node) => canBalance(node) && ingressPortsOf(node).length > 0),
    ['IPv4', 'IPv6'],
  );

/** Pure: of an ingress's backends those that the nodes cannot serve, in words, each once. */
export const unservedBackends = (
  { metadata: { namespace = '' }, spec }: Ingress,
  serviceAt: (key: string) => Service | undefined,
): readonly string[] => {
  const words = backendsIn(spec).flatMap(({ resource, service }) => {
    if (resource !== undefined) {
      const { apiGroup, kind, name } = resource;
      return [`${kind}${apiGroup === undefined ? '' : `.${apiGroup}`} "${name}" is no Service`];
    }
    const name = service?.name ?? '';
    const isElsewhere = serviceAt(`${namespace}/${name}`)?.spec?.type === 'ExternalName';
    return isElsewhere ? [`service "${name}" is of type ExternalName`] : [];
  });
  return [...new Set(words)];
};

/** Pure: whether an ingress names a service of its namespace. */
export const namesService = ({ spec }: Ingress, name: string): boolean =>
  backendsIn(spec).some(({ service }) => service?.name === name);

const backendsIn = (spec: Ingress['spec']) => [
  ...(spec?.defaultBackend === undefined ? [] : [spec.defaultBackend]),
  ...(spec?.rules ?? []).flatMap(({ http }) => (http?.paths ?? []).map(({ backend }) => backend)),
];
