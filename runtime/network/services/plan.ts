import {
  formatPrefix,
  ipOf,
  isUnspecified,
  prefixesOverlap,
  rangeOf,
  type IpFamily,
  type IpPrefix,
} from '../../../lib/net/ip';
import { joined, PROTOCOLS, type Element, type TableName } from './elements';
import { planGroup, type GroupNumbers } from './groups';
import { type Endpoint, type ServicePort } from '../../service-network';

/** Class of how long choices are kept; there is one for each length in use. */
export type KeepClassOf = (seconds: number) => number | undefined;

/**
 * Pure: all elements of one port of a service in the table of one family. `name` is the service's; the groups
 * are named after it.
 */
export const planService = (
  name: string,
  all: ServicePort,
  family: IpFamily,
  numbers: GroupNumbers,
  keepClassOf: KeepClassOf,
): readonly Element[] => {
  const service = partOf(all, family);
  if (service === undefined || !Object.hasOwn(PROTOCOLS, service.protocol) || !isPort(service.port))
    return [];
  return planPart(name, service, family, numbers, keepClassOf);
};

/** Of one family; undefined for a service that has addresses of the other only. */
export const partOf = (service: ServicePort, family: IpFamily): ServicePort | undefined => {
  const { clusterAddresses, externalAddresses, endpoints, localEndpoints } = service;
  const isOwn = (address: string): boolean => {
    const ip = ipOf(address);
    return ip?.family === family && !isUnspecified(ip);
  };
  const isOwnPoint = ({ address }: { readonly address: string }): boolean => isOwn(address);
  const own = clusterAddresses.filter(isOwn);
  if (own.length === 0 && clusterAddresses.length > 0) return undefined;
  return {
    ...service,
    clusterAddresses: own,
    externalAddresses: externalAddresses.filter(isOwnPoint),
    endpoints: endpoints.filter(isOwnPoint),
    localEndpoints: localEndpoints.filter(isOwnPoint),
  };
};

const planPart = (
  name: string,
  service: ServicePort,
  family: IpFamily,
  numbers: GroupNumbers,
  keepClassOf: KeepClassOf,
): readonly Element[] => {
  const { affinitySeconds } = service;
  const isKept =
    affinitySeconds !== undefined &&
    Number.isInteger(affinitySeconds) &&
    affinitySeconds >= 1 &&
    affinitySeconds <= MAX_AFFINITY_SECONDS;
  const keepClass = isKept ? keepClassOf(affinitySeconds) : undefined;
  const group = (kind: string, endpoints: readonly Endpoint[]) => {
    const valid = endpoints.filter(isEndpoint);
    if (valid.length === 0) return undefined;
    return planGroup(`${name}/${kind}`, valid, keepClass, numbers);
  };
  const all = group('all', service.endpoints);
  const needsLocal = service.internalPolicy === 'local' || service.externalPolicy === 'local';
  const local = needsLocal ? group('local', service.localEndpoints) : undefined;
  const fronts = [
    ...insideFronts(service, all?.mark, local?.mark),
    ...externalFronts(service, family, all?.mark, local?.mark),
    ...nodePortFronts(service, all?.mark, local?.mark),
  ];
  const inUse = new Set(fronts.map(({ data }) => data));
  return [
    ...[all, local].flatMap((one) => (inUse.has(String(one?.mark)) ? (one?.elements ?? []) : [])),
    ...fronts,
    ...service.localEndpoints.filter(isEndpoint).map(({ address }) => ({
      table: 'own' as const,
      key: joined(address, address),
      data: '',
    })),
  ];
};

const insideFronts = (
  { protocol, port, clusterAddresses, internalPolicy }: ServicePort,
  all: number | undefined,
  local: number | undefined,
): Element[] =>
  clusterAddresses.map((address) => {
    const key = joined(address, protocol, port);
    const mark = internalPolicy === 'local' ? local : all;
    if (mark !== undefined) return mapped('front', key, mark);
    return member('rejects', key);
  });

const externalFronts = (
  { protocol, port, externalAddresses, externalPolicy }: ServicePort,
  family: IpFamily,
  all: number | undefined,
  local: number | undefined,
): Element[] =>
  externalAddresses.flatMap(({ address, sources }) => {
    const key = joined(address, protocol, port);
    return [
      ...ways(key, externalPolicy, all, local, {
        ...{ front: 'front', out: 'front_out', drops: 'drops_out', rejects: 'rejects' },
      }),
      ...(sources === undefined ? [] : guards(key, family, sources)),
    ];
  });

const nodePortFronts = (
  { protocol, nodePort, externalPolicy }: ServicePort,
  all: number | undefined,
  local: number | undefined,
): Element[] =>
  nodePort === undefined || !isPort(nodePort)
    ? []
    : ways(joined(protocol, nodePort), externalPolicy, all, local, {
        front: 'node_port',
        out: 'node_port_out',
        drops: 'drops_port_out',
        rejects: 'rejects_port',
      });

interface Ways {
  readonly front: TableName;
  readonly out: TableName;
  readonly drops: TableName;
  readonly rejects: TableName;
}

/** From inside to all endpoints; from outside, when only local ones will do, to those or nowhere. */
const ways = (
  key: string,
  policy: 'cluster' | 'local',
  all: number | undefined,
  local: number | undefined,
  tables: Ways,
): Element[] => {
  if (all === undefined && local === undefined) return [member(tables.rejects, key)];
  return [
    ...(all === undefined ? [] : [mapped(tables.front, key, all)]),
    ...(policy === 'cluster'
      ? []
      : [local === undefined ? member(tables.drops, key) : mapped(tables.out, key, local)]),
  ];
};

/** Sources that can be read; when none can, nobody may connect. */
const guards = (key: string, family: IpFamily, sources: readonly string[]): Element[] => {
  const ranges = sources.flatMap((source) => {
    const range = rangeOf(source.trim());
    return range?.address.family === family ? [range] : [];
  });
  return [
    member('guarded', key),
    ...widest(ranges).map((range) => member('allowed', joined(key, formatPrefix(range)))),
  ];
};

/** The kernel takes no ranges that overlap: those that others hold are left out. */
const widest = (ranges: readonly IpPrefix[]): readonly IpPrefix[] => {
  const kept: IpPrefix[] = [];
  for (const range of [...ranges].sort((a, b) => a.length - b.length))
    if (!kept.some((other) => prefixesOverlap(other, range))) kept.push(range);
  return kept;
};

const mapped = (table: TableName, key: string, mark: number): Element => ({
  table,
  key,
  data: String(mark),
});
const member = (table: TableName, key: string): Element => ({ table, key, data: '' });

const isPort = (port: number): boolean => Number.isInteger(port) && port >= 1 && port <= 65_535;
const isEndpoint = ({ port }: Endpoint): boolean => isPort(port);
/** A day: as long as upstream's API allows. */
const MAX_AFFINITY_SECONDS = 86_400;
