import { isIP, isIPv6 } from 'node:net';

import { LAST_APPLIED } from '../../../api/annotations';
import {
  LAST_CHANGE_TRIGGER_TIME,
  LEADER_ANNOTATION,
  MIRRORING_CONTROLLER,
  SERVICE_NAME_LABEL,
  SKIP_MIRROR_LABEL,
  SLICE_MANAGED_BY_LABEL,
  type AddressType,
  type Endpoint,
  type SlicePort,
} from '../../../api/endpoint-slices';
import { jsonEqual } from '../../../api/json-value';
import { controllerRef, isControlledBy } from '../../../api/owners';
import type { Endpoints, EndpointSlice, Service } from '../../../api/types';
import { endpointKey, endpointsOf, portsKey, reuse, type SlicePlan } from '../endpoint-slice/plan';
import { repack, type Address, type Subset } from '../endpoints/subsets';

export interface MirrorPlan extends SlicePlan {
  /** Addresses that are none. */
  readonly invalidCount: number;
  /** Addresses beyond what a subset may have. */
  readonly skippedCount: number;
}

/** Are slices to be made of these Endpoints: has somebody written them for a Service of that name? */
export const isMirrored = (
  endpoints: Endpoints | undefined,
  service: Service | undefined,
): endpoints is Endpoints =>
  endpoints !== undefined &&
  service !== undefined &&
  // Of an external name, too, whose Endpoints may be left from when it had slices of its own.
  Object.keys(service.spec?.selector ?? {}).length === 0 &&
  endpoints.metadata.labels?.[SKIP_MIRROR_LABEL] !== 'true' &&
  endpoints.metadata.annotations?.[LEADER_ANNOTATION] === undefined;

/**
 * How slices come to say what the Endpoints do: one for each family and set of ports. Source: upstream's
 * pkg/controller/endpointslicemirroring/reconciler.go.
 */
export const planMirror = (endpoints: Endpoints, slices: readonly EndpointSlice[]): MirrorPlan => {
  const subsets = repack(endpoints.subsets ?? []).map(taken);
  const wanted = new Map<string, EndpointSlice>();
  for (const { ports, all } of subsets)
    for (const type of TYPES) {
      const of = all.filter(({ addresses: [ip = ''] }) => isIPv6(ip) === (type === 'IPv6'));
      if (of.length === 0) continue;
      const slice = newSlice(endpoints, type, ports, of);
      wanted.set(groupKey(slice), slice);
    }
  const seen = new Set<string>();
  const isOurs = (slice: EndpointSlice): boolean => isControlledBy(slice, endpoints);
  const kept = slices.flatMap((slice) => {
    const next = wanted.get(groupKey(slice));
    if (!isOurs(slice) || next === undefined || seen.has(groupKey(slice))) return [];
    seen.add(groupKey(slice));
    return { slice, next: renewed(slice, next) };
  });
  const plan = reuse(
    {
      create: [...wanted].filter(([key]) => !seen.has(key)).map(([, slice]) => slice),
      update: kept.flatMap(({ slice, next }) => (isSame(slice, next) ? [] : [next])),
      remove: slices.filter((slice) => !kept.some((each) => each.slice === slice)),
    },
    isOurs,
  );
  return {
    ...plan,
    invalidCount: subsets.reduce((sum, { invalidCount }) => sum + invalidCount, 0),
    skippedCount: subsets.reduce((sum, { skippedCount }) => sum + skippedCount, 0),
  };
};

/** What of a subset is mirrored. */
const taken = ({ addresses = [], notReadyAddresses = [], ports = [] }: Subset) => {
  const all = [
    ...addresses.map((address) => ({ address, ready: true })),
    ...notReadyAddresses.map((address) => ({ address, ready: false })),
  ];
  const valid = all.filter(({ address }) => isIP(address.ip) !== 0);
  const room = valid.slice(0, ADDRESSES_MAX);
  return {
    ports: ports.map((port) => ({ ...port, name: port.name ?? '' })),
    all: room.map(({ address, ready }) => endpointOf(address, ready)),
    invalidCount: all.length - valid.length,
    skippedCount: valid.length - room.length,
  };
};

const endpointOf = ({ ip, hostname, nodeName, targetRef }: Address, ready: boolean): Endpoint => ({
  addresses: [ip],
  conditions: { ready },
  ...((hostname ?? '') === '' ? {} : { hostname }),
  ...(targetRef === undefined ? {} : { targetRef }),
  ...(nodeName === undefined ? {} : { nodeName }),
});

const newSlice = (
  endpoints: Endpoints,
  type: AddressType,
  ports: readonly SlicePort[],
  all: readonly Endpoint[],
): EndpointSlice => {
  const { namespace = '', name, labels = {}, annotations = {} } = endpoints.metadata;
  const { [LAST_CHANGE_TRIGGER_TIME]: _time, [LAST_APPLIED]: _applied, ...copied } = annotations;
  return {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: {
      namespace,
      generateName: `${name}-`.slice(0, PREFIX_MAX),
      labels: {
        ...labels,
        [SERVICE_NAME_LABEL]: name,
        [SLICE_MANAGED_BY_LABEL]: MIRRORING_CONTROLLER,
      },
      annotations: copied,
      ownerReferences: [controllerRef({ ...endpoints, apiVersion: 'v1', kind: 'Endpoints' })],
    },
    addressType: type,
    endpoints: all,
    ports,
  } as unknown as EndpointSlice;
};

/** The slice with what is to be in it; endpoints that were there stay in their places. */
const renewed = (slice: EndpointSlice, next: EndpointSlice): EndpointSlice => {
  const left = new Map(endpointsOf(next).map((each) => [endpointKey(each), each]));
  const stay = endpointsOf(slice).flatMap((each) => {
    const now = left.get(endpointKey(each));
    left.delete(endpointKey(each));
    return now ?? [];
  });
  const { labels, annotations } = next.metadata;
  return {
    ...slice,
    metadata: { ...slice.metadata, ...(labels && { labels }), ...(annotations && { annotations }) },
    endpoints: [...stay, ...left.values()],
  };
};

const isSame = (a: EndpointSlice, b: EndpointSlice): boolean =>
  jsonEqual(endpointsOf(a), endpointsOf(b)) &&
  jsonEqual(a.metadata.labels ?? {}, b.metadata.labels ?? {}) &&
  jsonEqual(a.metadata.annotations ?? {}, b.metadata.annotations ?? {});

const groupKey = ({ addressType, ports }: EndpointSlice): string =>
  `${addressType} ${portsKey(ports)}`;

const TYPES: readonly AddressType[] = ['IPv4', 'IPv6'];
/** Upstream's `--mirroring-max-endpoints-per-subset`. */
export const ADDRESSES_MAX = 1000;
/** Names may have 253 characters, five of which the server chooses. */
const PREFIX_MAX = 248;
