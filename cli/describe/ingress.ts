import { SERVICE_NAME_LABEL } from '../../api/endpoint-slices';
import type { EndpointSlice, Ingress, IngressClass, Service } from '../../api/types';
import { endpointsText, labelRows, type Rows } from './network';

/** Of the namespace of an ingress. */
export interface IngressSurroundings {
  readonly services: readonly Service[];
  readonly slices: readonly EndpointSlice[];
}

/** As kubectl describes it: of a backend the first of the endpoints that are ready. */
export const ingressRows = (ingress: Ingress, around: IngressSurroundings): Rows => {
  const { metadata, spec = {}, status } = ingress;
  const { defaultBackend, ingressClassName = '<none>', tls = [] } = spec;
  const fallback = defaultBackend === undefined ? '<default>' : backendText(defaultBackend, around);
  const [labels, annotations] = labelRows(ingress);
  const points = (status?.loadBalancer?.ingress ?? []).map(({ ip, hostname }) => ip ?? hostname);
  const addresses = points.filter((point) => point !== undefined);
  const rules = (spec.rules ?? []).flatMap(({ host = '', http }) =>
    http === undefined ? [] : [{ host: host === '' ? '*' : host, paths: http.paths }],
  );
  return [
    ['Name:', metadata.name],
    ...labels,
    ['Namespace:', metadata.namespace ?? ''],
    ['Address:', [...new Set(addresses)].sort().join(',')],
    ['Ingress Class:', ingressClassName],
    ['Default backend:', fallback],
    ...(tls.length === 0 ? [] : [['TLS:'], ...tls.map(tlsRow)]),
    ['Rules:'],
    ['  Host', 'Path', 'Backends'],
    ['  ----', '----', '--------'],
    ...rules.flatMap(({ host, paths }) => [
      [`  ${host}`, ''],
      ...paths.map(({ path = '', backend }) => ['    ', `${path} `, backendText(backend, around)]),
    ]),
    ...(rules.length === 0 ? [['  *', '*', fallback]] : []),
    ...annotations,
  ];
};

export const ingressClassRows = (one: IngressClass): Rows => {
  const { controller = '', parameters } = one.spec ?? {};
  const [labels, annotations] = labelRows(one);
  return [
    ['Name:', one.metadata.name],
    ...labels,
    ...annotations,
    ['Controller:', controller],
    ...(parameters === undefined
      ? []
      : [
          ['Parameters:'],
          ...(parameters.apiGroup === undefined ? [] : [['  APIGroup:', parameters.apiGroup]]),
          ['  Kind:', parameters.kind],
          ['  Name:', parameters.name],
        ]),
  ];
};

type Spec = NonNullable<Ingress['spec']>;
type Backend = NonNullable<Spec['defaultBackend']>;

const tlsRow = ({ hosts = [], secretName = '' }: NonNullable<Spec['tls']>[number]) => [
  `  ${secretName === '' ? 'SNI routes' : `${secretName} terminates`} ${hosts.join(',')}`,
];

const backendText = ({ service, resource }: Backend, around: IngressSurroundings): string => {
  if (resource !== undefined) {
    const { apiGroup = '<none>', kind, name } = resource;
    return `APIGroup: ${apiGroup}, Kind: ${kind}, Name: ${name}`;
  }
  if (service === undefined) return '';
  const { name, port = {} } = service;
  return `${name}:${port.number ?? port.name ?? ''} (${behind(service, around)})`;
};

const behind = (
  { name, port = {} }: NonNullable<Backend['service']>,
  { services, slices }: IngressSurroundings,
): string => {
  const service = services.find(({ metadata }) => metadata.name === name);
  if (service === undefined) return `<error: services "${name}" not found>`;
  const wanted = service.spec?.ports?.find((each) =>
    port.number === undefined ? each.name === port.name : each.port === port.number,
  );
  const own = slices.filter(({ metadata }) => metadata.labels?.[SERVICE_NAME_LABEL] === name);
  return endpointsText(wanted?.name ?? '', own);
};
