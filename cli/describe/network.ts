import { isIPv6 } from 'node:net';
import { formatLabelSelector } from '../../api/selectors';
import type { ApiObject, Endpoints, EndpointSlice, NetworkPolicy, Service } from '../../api/types';
import { LAST_APPLIED } from '../last-applied';

/** Cells of lines, for `tabbed`. */
export type Rows = readonly (readonly string[])[];

/** As kubectl describes it: the endpoints are those of its slices. */
export const serviceRows = (service: Service, slices: readonly EndpointSlice[]): Rows => {
  const { spec = {}, status = {} } = service;
  const points = (status.loadBalancer?.ingress ?? []).map(
    ({ ip = '', hostname = '', ipMode }) =>
      `${ip === '' ? hostname : ip}${ipMode === undefined ? '' : ` (${ipMode})`}`,
  );
  const health = spec.healthCheckNodePort ?? 0;
  return [
    ...headRows(service),
    ...listRows('Selector:', pairsOf(spec.selector, '=')),
    ['Type:', spec.type ?? ''],
    ...optional('IP Family Policy:', spec.ipFamilyPolicy),
    ['IP Families:', orNone(spec.ipFamilies ?? [])],
    ['IP:', spec.clusterIP ?? ''],
    ['IPs:', orNone(spec.clusterIPs ?? [])],
    ...optional('External IPs:', spec.externalIPs?.join(',')),
    ...optional('Desired LoadBalancer IP:', spec.loadBalancerIP),
    ...optional('External Name:', spec.externalName),
    ...optional('LoadBalancer Ingress:', points.join(', ')),
    ...(spec.ports ?? []).flatMap((port) => portRows(port, slices)),
    ['Session Affinity:', spec.sessionAffinity ?? ''],
    ...optional('External Traffic Policy:', spec.externalTrafficPolicy),
    ...optional('Internal Traffic Policy:', spec.internalTrafficPolicy),
    ...optional('Traffic Distribution:', spec.trafficDistribution),
    ...optional('HealthCheck NodePort:', health === 0 ? '' : String(health)),
    ...optional('LoadBalancer Source Ranges:', spec.loadBalancerSourceRanges?.join(',')),
  ];
};

type Port = NonNullable<NonNullable<Service['spec']>['ports']>[number];

const portRows = (port: Port, slices: readonly EndpointSlice[]): Rows => {
  const { name = '', protocol = 'TCP', nodePort = 0, targetPort = port.port } = port;
  const shownName = name === '' ? '<unset>' : name;
  return [
    ['Port:', shownName, `${port.port}/${protocol}`],
    ['TargetPort:', `${targetPort}/${protocol}`],
    ...(nodePort === 0 ? [] : [['NodePort:', shownName, `${nodePort}/${protocol}`]]),
    ['Endpoints:', endpointsText(name, slices)],
  ];
};

/** The first few that are ready, and how many more there are. */
export const endpointsText = (portName: string, slices: readonly EndpointSlice[]): string => {
  const all = slices.flatMap(({ endpoints, ports = [] }) =>
    ports
      .filter(({ name = '' }) => name === portName)
      .flatMap(({ port }) =>
        endpoints
          .filter(({ conditions }) => conditions?.ready !== false)
          .flatMap(({ addresses }) => addresses.map((address) => hostPort(address, port))),
      ),
  );
  const more = all.length - SHOWN_MAX;
  return orNone(all.slice(0, SHOWN_MAX)) + (more > 0 ? ` + ${more} more...` : '');
};

export const endpointSliceRows = (slice: EndpointSlice): Rows => {
  const { addressType, endpoints, ports = [] } = slice;
  return [
    ...headRows(slice),
    ['AddressType:', addressType],
    ...(ports.length === 0 ? [['Ports:', '<unset>']] : portTable('', ports, '<unset>')),
    ...(endpoints.length === 0
      ? [['Endpoints:', '<none>']]
      : [['Endpoints:'], ...endpoints.flatMap(endpointRows)]),
  ];
};

const endpointRows = (endpoint: EndpointSlice['endpoints'][number]): Rows => {
  const { addresses, conditions, hostname, targetRef, nodeName, zone } = endpoint;
  return [
    ['  - Addresses:', addresses.join(',')],
    ['    Conditions:'],
    ['      Ready:', conditions?.ready === undefined ? '<unset>' : String(conditions.ready)],
    ['    Hostname:', hostname ?? '<unset>'],
    ...(targetRef === undefined
      ? []
      : [['    TargetRef:', `${targetRef.kind ?? ''}/${targetRef.name ?? ''}`]]),
    ['    NodeName:', nodeName ?? '<unset>'],
    ['    Zone:', zone ?? '<unset>'],
  ];
};

export const endpointsRows = (endpoints: Endpoints): Rows => [
  ...headRows(endpoints),
  ['Subsets:'],
  ...(endpoints.subsets ?? []).flatMap(({ addresses = [], notReadyAddresses = [], ports = [] }) => [
    ['  Addresses:', orNone(addresses.map(({ ip }) => ip))],
    ['  NotReadyAddresses:', orNone(notReadyAddresses.map(({ ip }) => ip))],
    ...(ports.length === 0 ? [] : portTable('  ', ports, '<unset>')),
    [''],
  ]),
];

interface NamedPort {
  readonly name?: string;
  readonly port?: number;
  readonly protocol?: string;
}

const portTable = (indent: string, ports: readonly NamedPort[], unset: string): Rows => [
  [`${indent}Ports:`],
  [`${indent}  Name`, 'Port', 'Protocol'],
  [`${indent}  ----`, '----', '--------'],
  ...ports.map(({ name = '', port, protocol = 'TCP' }) => [
    `${indent}  ${name === '' ? unset : name}`,
    port === undefined ? unset : String(port),
    protocol,
  ]),
];

export const networkPolicyRows = (policy: NetworkPolicy): Rows => {
  const { podSelector = {}, ingress = [], egress = [], policyTypes = [] } = policy.spec ?? {};
  const pods = formatLabelSelector(podSelector);
  const { creationTimestamp } = policy.metadata;
  const all = '<none> (Allowing the specific traffic to all pods in this namespace)';
  return [
    ['Name:', policy.metadata.name],
    ['Namespace:', policy.metadata.namespace ?? ''],
    ['Created on:', createdOn(creationTimestamp ?? '')],
    ...labelRows(policy).flat(),
    ['Spec:'],
    [`  PodSelector:     ${pods === '<none>' ? all : pods}`],
    ...(policyTypes.includes('Ingress')
      ? [
          ['  Allowing ingress traffic:'],
          ...ruleRows(
            ingress.map(({ from = [], ports = [] }) => ({ peers: from, ports })),
            INGRESS,
          ),
        ]
      : [['  Not affecting ingress traffic']]),
    ...(policyTypes.includes('Egress')
      ? [
          ['  Allowing egress traffic:'],
          ...ruleRows(
            egress.map(({ to = [], ports = [] }) => ({ peers: to, ports })),
            EGRESS,
          ),
        ]
      : [['  Not affecting egress traffic']]),
    [`  Policy Types: ${policyTypes.join(', ')}`],
  ];
};

type Spec = NonNullable<NetworkPolicy['spec']>;
type IngressRule = NonNullable<Spec['ingress']>[number];
interface Rule {
  readonly peers: NonNullable<IngressRule['from']>;
  readonly ports: NonNullable<IngressRule['ports']>;
}

const INGRESS = { word: 'From', kind: 'ingress', end: 'source' };
const EGRESS = { word: 'To', kind: 'egress', end: 'destination' };

const ruleRows = (rules: readonly Rule[], { word, kind, end }: typeof INGRESS): Rows =>
  rules.length === 0
    ? [[`    <none> (Selected pods are isolated for ${kind} connectivity)`]]
    : rules.flatMap(({ peers, ports }, i) => [
        ...(ports.length === 0
          ? [['    To Port: <any> (traffic allowed to all ports)']]
          : ports.map(({ port, endPort, protocol = 'TCP' }) => [
              `    To Port: ${port ?? '<any>'}${endPort === undefined ? '' : `-${endPort}`}/${protocol}`,
            ])),
        ...(peers.length === 0
          ? [[`    ${word}: <any> (traffic not restricted by ${end})`]]
          : peers.flatMap((peer) => [[`    ${word}:`], ...peerRows(peer)])),
        ...(i < rules.length - 1 ? [['    ----------']] : []),
      ]);

const peerRows = ({ podSelector, namespaceSelector, ipBlock }: Rule['peers'][number]): Rows => [
  ...(namespaceSelector === undefined
    ? []
    : [[`      NamespaceSelector: ${formatLabelSelector(namespaceSelector)}`]]),
  ...(podSelector === undefined
    ? []
    : [[`      PodSelector: ${formatLabelSelector(podSelector)}`]]),
  ...(ipBlock === undefined
    ? []
    : [
        ['      IPBlock:'],
        [`        CIDR: ${ipBlock.cidr}`],
        [`        Except: ${(ipBlock.except ?? []).join(', ')}`],
      ]),
];

export const headRows = (object: ApiObject): Rows => [
  ['Name:', object.metadata.name],
  ['Namespace:', object.metadata.namespace ?? ''],
  ...labelRows(object).flat(),
];

/** The labels, and the annotations without what `apply` keeps for itself: it repeats the object. */
export const labelRows = ({
  metadata: { labels, annotations },
}: ApiObject): readonly [Rows, Rows] => {
  const { [LAST_APPLIED]: _own, ...others } = annotations ?? {};
  return [
    listRows('Labels:', pairsOf(labels, '=')),
    listRows('Annotations:', pairsOf(others, ': ').flatMap(annotationLines)),
  ];
};

const pairsOf = (
  pairs: Readonly<Record<string, string>> | undefined,
  between: string,
): readonly string[] =>
  Object.entries(pairs ?? {})
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, value]) => `${key}${between}${value}`);

/** What is long, or has lines of its own, stands below its name. Source: describe.go, printAnnotationsMultiline */
const annotationLines = (pair: string): readonly string[] => {
  const text = pair.replace(/\n$/, '');
  if (text.length <= ANNOTATION_LENGTH && !text.includes('\n')) return [text];
  const [, key = '', value = ''] = /^(.*?): (.*)$/s.exec(text) ?? [];
  const lines = value.split('\n').map((line) => {
    const length = ANNOTATION_LENGTH - 2;
    return `  ${line.length > length ? `${line.slice(0, length)}...` : line}`;
  });
  return [`${key}:`, ...lines];
};

const ANNOTATION_LENGTH = 140;

/** One line each, after the title. */
const listRows = (title: string, lines: readonly string[]): Rows =>
  lines.length === 0 ? [[title, '<none>']] : lines.map((line, i) => [i === 0 ? title : '', line]);

const optional = (title: string, value: string | undefined): Rows =>
  value === undefined || value === '' ? [] : [[title, value]];

const orNone = (list: readonly string[]): string => (list.length === 0 ? '<none>' : list.join(','));

const hostPort = (host: string, port: number | undefined): string => {
  if (port === undefined) return host;
  return isIPv6(host) ? `[${host}]:${port}` : `${host}:${port}`;
};

/** `2006-01-02T15:04:05Z` as Go prints a time. */
const createdOn = (time: string): string => time.replace('T', ' ').replace('Z', ' +0000 UTC');

const SHOWN_MAX = 3;
