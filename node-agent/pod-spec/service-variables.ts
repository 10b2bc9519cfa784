import { isHeadless } from '../../api/service-endpoints';
import type { Pod, Service } from '../../api/types';
import { hostPort } from '../../lib/net/ip';

/**
 * What a container learns of services by its environment: those of its namespace, unless its pod says
 * no, and the API of the cluster. Source: upstream's kubelet_pods.go and envvars.go.
 */
export const serviceVariablesOf = (
  pod: Pod,
  services: Iterable<Service>,
): ReadonlyMap<string, string> => {
  const seen = new Map<string, Service>();
  for (const service of services) {
    const { namespace, name } = service.metadata;
    if (isHeadless(service)) continue;
    const isOwn = namespace === pod.metadata.namespace && pod.spec.enableServiceLinks !== false;
    const isApi = namespace === 'default' && name === 'kubernetes';
    // One of the pod's own namespace that bears the name of the API's comes before it.
    if (isApi ? !seen.has(name) || isOwn : isOwn) seen.set(name, service);
  }
  const sorted = [...seen.values()].sort((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1));
  return new Map(sorted.flatMap(variablesOf));
};

const variablesOf = ({ metadata, spec }: Service): readonly (readonly [string, string])[] => {
  const { clusterIP: address = '', ports = [] } = spec ?? {};
  const [first] = ports;
  if (first === undefined) return [];
  const prefix = inCapitals(metadata.name);
  return [
    [`${prefix}_SERVICE_HOST`, address],
    [`${prefix}_SERVICE_PORT`, String(first.port)],
    ...ports
      .filter(({ name = '' }) => name !== '')
      .map(({ name = '', port }): readonly [string, string] => [
        `${prefix}_SERVICE_PORT_${inCapitals(name)}`,
        String(port),
      ]),
    ...ports.flatMap(
      ({ port, protocol = 'TCP' }, index): readonly (readonly [string, string])[] => {
        const scheme = protocol.toLowerCase();
        const url = `${scheme}://${hostPort(address, port)}`;
        const own = `${prefix}_PORT_${port}_${protocol.toUpperCase()}`;
        return [
          // As links of Docker had it, for the first.
          ...(index === 0 ? [[`${prefix}_PORT`, url] as const] : []),
          [own, url],
          [`${own}_PROTO`, scheme],
          [`${own}_PORT`, String(port)],
          [`${own}_ADDR`, address],
        ];
      },
    ),
  ];
};

const inCapitals = (name: string): string => name.replaceAll('-', '_').toUpperCase();
