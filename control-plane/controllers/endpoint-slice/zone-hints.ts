import type { AddressType, Endpoint } from '../../../api/endpoint-slices';
import { isNodeReady } from '../../../api/nodes';
import { cpuMillisOf } from '../../../api/quantity';
import type { EndpointSlice, Node } from '../../../api/types';
import { endpointKey, endpointsOf, type EndpointGroup } from './plan';

/** The part of the processors of all ready nodes that each zone has; undefined where it cannot be told. */
export type ZoneShares = ReadonlyMap<string, number> | undefined;

/** Pure. Nodes of the control plane do not count. Source: upstream's topologycache.go, SetNodes. */
export const zoneShares = (nodes: Iterable<Node>): ZoneShares => {
  const millis = new Map<string, number>();
  let totalMillis = 0;
  for (const node of nodes) {
    const { labels = {} } = node.metadata;
    if (EXCLUDED.some((key) => labels[key] !== undefined) || !isNodeReady(node)) continue;
    const zone = labels[ZONE_LABEL] ?? '';
    const cpuMillis = cpuMillisOf(node.status.allocatable?.['cpu'] ?? '0');
    if (zone === '' || cpuMillis === 0) return undefined;
    millis.set(zone, (millis.get(zone) ?? 0) + cpuMillis);
    totalMillis += cpuMillis;
  }
  if (millis.size < 2) return undefined;
  return new Map([...millis].sort().map(([zone, each]) => [zone, each / totalMillis]));
};

export interface HintedGroups {
  readonly groups: readonly EndpointGroup[];
  /** Why those of an address type have none. */
  readonly problems: readonly string[];
}

/**
 * Pure: endpoints with the zone that each is for, so that every zone has as many as its share of the processors
 * asks for. What is hinted stays so while no zone has too few; where it does not, as many as possible are for their
 * own zone. Source: upstream's topologycache.go, AddHints.
 */
export const withZoneHints = (
  types: readonly AddressType[],
  groups: readonly EndpointGroup[],
  slices: readonly EndpointSlice[],
  shares: ZoneShares,
): HintedGroups => {
  const before = new Map(
    slices.flatMap((slice) =>
      endpointsOf(slice).map((endpoint) => [endpointKey(endpoint), zoneHinted(endpoint)]),
    ),
  );
  const results = types.map((type) => ({ type, result: hintsOf(type, groups, before, shares) }));
  const hinted = new Map(
    results.flatMap(({ type, result }) => (typeof result === 'string' ? [] : [[type, result]])),
  );
  return {
    groups: groups.map((group) => {
      const zones = hinted.get(group.type);
      const endpoints = group.endpoints.map((each) => withHint(each, zones?.get(each)));
      return { ...group, endpoints };
    }),
    problems: results.flatMap(({ type, result }) =>
      typeof result === 'string' ? [`${result}, addressType: ${type}`] : [],
    ),
  };
};

type Zones = ReadonlyMap<Endpoint, string>;

/** The zone that each ready endpoint of the type is for, or why there is none. */
const hintsOf = (
  type: AddressType,
  groups: readonly EndpointGroup[],
  before: ReadonlyMap<string, string | undefined>,
  shares: ZoneShares,
): Zones | string => {
  const ready = groups
    .filter((group) => group.type === type)
    .flatMap(({ endpoints }) => endpoints)
    .filter(({ conditions }) => conditions?.ready === true)
    .map((endpoint) => ({ endpoint, key: endpointKey(endpoint), zone: endpoint.zone ?? '' }))
    .sort((a, b) => (a.key < b.key ? -1 : 1));
  if (shares === undefined) return INSUFFICIENT_NODES;
  const wanted = allocationsOf(ready.length, shares);
  if (typeof wanted === 'string') return wanted;
  if (ready.some(({ zone }) => zone === '')) return NO_ZONE;
  const known = ready.map((each) => ({ ...each, hinted: before.get(each.key) }));
  const kept = new Map(known.map(({ endpoint, hinted = '' }) => [endpoint, hinted]));
  if (isEnough(kept, wanted)) return kept;
  return spread(known, wanted);
};

interface Allocation {
  /** Fewer would have each more than a fifth above its share. */
  readonly minimum: number;
  readonly desired: number;
}

type Allocations = ReadonlyMap<string, Allocation>;

const allocationsOf = (
  count: number,
  shares: ReadonlyMap<string, number>,
): Allocations | string => {
  const counts = `(${count} endpoints, ${shares.size} zones)`;
  if (shares.size > count) return `${FEW_ENDPOINTS} ${counts}`;
  const wanted = new Map(
    [...shares].map(([zone, share]): [string, Allocation] => {
      const minimum = Math.ceil(share * count * (1 / (1 + OVERLOAD_MAX)));
      return [zone, { minimum, desired: Math.max(share * count, minimum) }];
    }),
  );
  const least = [...wanted.values()].reduce((sum, { minimum }) => sum + minimum, 0);
  return least > count ? `${OVERLOADED} ${counts}` : wanted;
};

const isEnough = (zones: Zones, wanted: Allocations): boolean => {
  const counts = countsOf(zones.values());
  return (
    [...counts.keys()].every((zone) => wanted.has(zone)) &&
    [...wanted].every(([zone, { minimum }]) => (counts.get(zone) ?? 0) >= minimum)
  );
};

interface Known {
  readonly endpoint: Endpoint;
  readonly zone: string;
  readonly hinted: string | undefined;
}

/** Each for its own zone, but for those that zones with too many lend to zones with too few. */
const spread = (ready: readonly Known[], wanted: Allocations): Zones => {
  const zones = new Map(ready.map(({ endpoint, zone }) => [endpoint, zone]));
  const { giving, receiving } = movesFor(countsOf(zones.values()), wanted);
  const move = ({ endpoint, zone }: Known, to: string | undefined): void => {
    const [left = 0, room = 0] = [giving.get(zone), receiving.get(to ?? '')];
    if (to === undefined || left === 0 || room === 0 || zones.get(endpoint) !== zone) return;
    zones.set(endpoint, to);
    giving.set(zone, left - 1);
    receiving.set(to, room - 1);
  };
  // Those first that have been lent before.
  for (const each of ready) move(each, each.hinted);
  for (const each of ready) move(each, [...receiving].find(([, room]) => room > 0)?.[0]);
  return zones;
};

/** How many each zone gives away, and how many each gets. */
const movesFor = (counts: ReadonlyMap<string, number>, wanted: Allocations) => {
  const excess = new Map<string, number>();
  const lack = new Map<string, number>();
  for (const [zone, { desired }] of wanted) {
    const count = counts.get(zone) ?? 0;
    if (count > desired) excess.set(zone, count - desired);
    if (count < desired) lack.set(zone, desired - count);
  }
  const [giving, receiving] = [new Map<string, number>(), new Map<string, number>()];
  for (;;) {
    const [from, most] = mostOf(excess);
    const [to, least] = mostOf(lack);
    if (most < 0.5 || least < 0.5 || (most < 1 && least < 1)) return { giving, receiving };
    giving.set(from, (giving.get(from) ?? 0) + 1);
    excess.set(from, most - 1);
    receiving.set(to, (receiving.get(to) ?? 0) + 1);
    lack.set(to, least - 1);
  }
};

const mostOf = (zones: ReadonlyMap<string, number>): readonly [string, number] => {
  let most: readonly [string, number] = ['', 0];
  for (const each of zones) if (each[1] > most[1]) most = each;
  return most;
};

const countsOf = (zones: Iterable<string>): ReadonlyMap<string, number> => {
  const counts = new Map<string, number>();
  for (const zone of zones) counts.set(zone, (counts.get(zone) ?? 0) + 1);
  return counts;
};

/** Undefined where it is for several zones, or for none. */
const zoneHinted = ({ hints }: Endpoint): string | undefined =>
  hints?.forZones?.length === 1 ? hints.forZones[0]?.name : undefined;

const withHint = (endpoint: Endpoint, zone: string | undefined): Endpoint => {
  const { hints: _hints, ...rest } = endpoint;
  return zone === undefined ? rest : { ...rest, hints: { forZones: [{ name: zone }] } };
};

const INSUFFICIENT_NODES =
  'Insufficient Node information: allocatable CPU or zone not specified on one or more nodes';
const FEW_ENDPOINTS = 'Insufficient number of endpoints';
const OVERLOADED =
  'Unable to allocate minimum required endpoints to each zone without exceeding overload threshold';
const NO_ZONE = 'One or more endpoints do not have a zone specified';

const OVERLOAD_MAX = 0.2;
const ZONE_LABEL = 'topology.kubernetes.io/zone';
const EXCLUDED = ['node-role.kubernetes.io/control-plane', 'node-role.kubernetes.io/master'];
