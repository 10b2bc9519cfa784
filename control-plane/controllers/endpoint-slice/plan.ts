import { jsonEqual } from '../../../api/json-value';
import {
  HEADLESS_LABEL,
  SERVICE_NAME_LABEL,
  SLICE_CONTROLLER,
  SLICE_MANAGED_BY_LABEL,
  type AddressType,
  type Endpoint,
  type SlicePort,
} from '../../../api/endpoint-slices';
import { controllerRef, isControlledBy } from '../../../api/owners';
import {
  addressTypesOf,
  endpointOf,
  endpointPortsOf,
  isHeadless,
  mayBeEndpoint,
} from '../../../api/service-endpoints';
import type { EndpointSlice, Node, Pod, Service } from '../../../api/types';
import { canonicalJson } from '../../../lib/json';

/** What is to be written, in this order: a pod is rather in two slices for a moment than in none. */
export interface SlicePlan {
  readonly create: readonly EndpointSlice[];
  readonly update: readonly EndpointSlice[];
  readonly remove: readonly EndpointSlice[];
}

/** Pods that are reached on the same ports: they share slices. */
export interface EndpointGroup {
  readonly type: AddressType;
  readonly ports: readonly SlicePort[];
  readonly endpoints: readonly Endpoint[];
}

/** Groups by address type, then by ports. Pods that cannot be endpoints are in none. */
export const groupEndpoints = (
  service: Service,
  pods: readonly Pod[],
  nodeOf: (pod: Pod) => Node | undefined,
): readonly EndpointGroup[] => {
  const groups = new Map<string, EndpointGroup & { readonly endpoints: Endpoint[] }>();
  const candidates = pods
    .filter((each) => mayBeEndpoint(each, true))
    .map((pod) => ({ pod, ports: endpointPortsOf(service, pod) }))
    .map((each) => ({ ...each, key: portsKey(each.ports) }));
  for (const type of addressTypesOf(service))
    for (const { pod, ports, key: portsOfPod } of candidates) {
      const endpoint = endpointOf(service, pod, nodeOf(pod), type);
      if (endpoint === undefined) continue;
      const key = `${type} ${portsOfPod}`;
      const group = groups.get(key) ?? { type, ports, endpoints: [] };
      group.endpoints.push(endpoint);
      groups.set(key, group);
    }
  return [...groups.values()];
};

/**
 * How the Service's slices come to hold the groups, with as few writes as that takes: what is in a
 * slice stays there, and slices that are written anyway are filled first. `slices` are those that this
 * controller keeps under the Service's name. Source: upstream's k8s.io/endpointslice/reconciler.go.
 */
export const planSlices = (
  service: Service,
  groups: readonly EndpointGroup[],
  slices: readonly EndpointSlice[],
): SlicePlan => {
  const types = addressTypesOf(service);
  const isOurs = (slice: EndpointSlice): boolean =>
    isControlledBy(slice, service) && types.some((type) => type === slice.addressType);
  const parts = types.map((type) =>
    planType(
      service,
      type,
      groups.filter((group) => group.type === type),
      slices.filter((slice) => isOurs(slice) && slice.addressType === type),
    ),
  );
  const all: SlicePlan = {
    create: parts.flatMap(({ create }) => create),
    update: parts.flatMap(({ update }) => update),
    remove: [...parts.flatMap(({ remove }) => remove), ...slices.filter((slice) => !isOurs(slice))],
  };
  const reused = reuse(all, (slice) => isControlledBy(slice, service));
  return service.metadata.deletionTimestamp === undefined ? reused : { ...reused, create: [] };
};

const planType = (
  service: Service,
  type: AddressType,
  groups: readonly EndpointGroup[],
  slices: readonly EndpointSlice[],
): SlicePlan => {
  const wanted = new Set(groups.map(({ ports }) => portsKey(ports)));
  const parts = groups.map((group) => {
    const key = portsKey(group.ports);
    return fill(
      service,
      group,
      slices.filter((slice) => portsKey(slice.ports) === key),
    );
  });
  const plan: SlicePlan = {
    create: parts.flatMap(({ create }) => create),
    update: parts.flatMap(({ update }) => update),
    remove: [
      ...parts.flatMap(({ remove }) => remove),
      ...slices.filter((slice) => !wanted.has(portsKey(slice.ports))),
    ],
  };
  if (plan.remove.length < slices.length || plan.create.length > 0) return plan;
  return withPlaceholder(plan, newSlice(service, { type, ports: [], endpoints: [] }));
};

/** A Service without any endpoint has an empty slice: that it was looked at is known then. */
const withPlaceholder = (plan: SlicePlan, placeholder: EndpointSlice): SlicePlan => {
  const [only, ...others] = plan.remove;
  const isThere =
    only !== undefined &&
    others.length === 0 &&
    endpointsOf(only).length === 0 &&
    portsKey(only.ports) === portsKey([]) &&
    jsonEqual(only.metadata.labels, placeholder.metadata.labels);
  return isThere ? { ...plan, remove: [] } : { ...plan, create: [placeholder] };
};

/** The slices of one group of ports. */
const fill = (
  service: Service,
  group: EndpointGroup,
  slices: readonly EndpointSlice[],
): SlicePlan => {
  const left = new Map(group.endpoints.map((endpoint) => [endpointKey(endpoint), endpoint]));
  const labels = (slice: EndpointSlice) => labelsFor(service, slice.metadata.labels);
  const kept = slices.map((slice) => {
    const endpoints = endpointsOf(slice).flatMap((endpoint) => {
      const key = endpointKey(endpoint);
      const now = left.get(key);
      left.delete(key);
      return now ?? [];
    });
    return { slice, endpoints, isChanged: !jsonEqual(endpoints, endpointsOf(slice)) };
  });
  const remove = kept.filter(({ endpoints }) => endpoints.length === 0);
  const filled = kept.filter(({ endpoints }) => endpoints.length > 0);
  const waiting = [...left.values()];
  // The fullest first, of those that are written anyway.
  for (const each of filled
    .filter(({ slice, isChanged }) => isChanged || !jsonEqual(labels(slice), slice.metadata.labels))
    .sort((a, b) => b.endpoints.length - a.endpoints.length))
    each.endpoints.push(...waiting.splice(0, ENDPOINTS_MAX - each.endpoints.length));
  const create: EndpointSlice[] = [];
  while (waiting.length > 0) {
    const roomy = filled
      .filter(({ endpoints }) => endpoints.length + waiting.length <= ENDPOINTS_MAX)
      .sort((a, b) => b.endpoints.length - a.endpoints.length)[0];
    if (roomy !== undefined) roomy.endpoints.push(...waiting.splice(0));
    else create.push(newSlice(service, { ...group, endpoints: waiting.splice(0, ENDPOINTS_MAX) }));
  }
  return {
    create,
    update: filled.flatMap(({ slice, endpoints }) => {
      const next = { ...slice, metadata: { ...slice.metadata, labels: labels(slice) }, endpoints };
      const isSame =
        jsonEqual(endpoints, endpointsOf(slice)) &&
        jsonEqual(next.metadata.labels, slice.metadata.labels);
      return isSame ? [] : [next];
    }),
    remove: remove.map(({ slice }) => slice),
  };
};

/** What would be deleted becomes what would be created, where that is one write less. */
export const reuse = ({ create, update, remove }: SlicePlan, isOwned: Owned): SlicePlan => {
  const fresh = [...create];
  const reused: EndpointSlice[] = [];
  const gone = remove.filter((old) => {
    const at = isOwned(old)
      ? fresh.findLastIndex(({ addressType }) => addressType === old.addressType)
      : -1;
    const [next] = at < 0 ? [] : fresh.splice(at, 1);
    if (next === undefined) return true;
    const { labels, ownerReferences } = next.metadata;
    const metadata = {
      ...old.metadata,
      ...(labels && { labels }),
      ...(ownerReferences && { ownerReferences }),
    };
    reused.push({ ...next, metadata });
    return false;
  });
  return { create: fresh, update: [...update, ...reused], remove: gone };
};

type Owned = (slice: EndpointSlice) => boolean;

const newSlice = (service: Service, { type, ports, endpoints }: EndpointGroup): EndpointSlice => {
  const { namespace = '', name } = service.metadata;
  return {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: {
      namespace,
      generateName: `${name}-`,
      labels: labelsFor(service, {}),
      ownerReferences: [controllerRef({ ...service, apiVersion: 'v1', kind: 'Service' })],
    },
    addressType: type,
    endpoints,
    ports,
  } as unknown as EndpointSlice;
};

/** The Service's own, and those by which slices are found. */
const labelsFor = (
  service: Service,
  before: EndpointSlice['metadata']['labels'],
): Readonly<Record<string, string>> => {
  const own = Object.entries(service.metadata.labels ?? {}).filter(([key]) => !isReserved(key));
  const next = {
    ...Object.fromEntries(own),
    ...(isHeadless(service) ? { [HEADLESS_LABEL]: '' } : {}),
    [SERVICE_NAME_LABEL]: service.metadata.name,
    [SLICE_MANAGED_BY_LABEL]: SLICE_CONTROLLER,
  };
  return before !== undefined && jsonEqual(before, next) ? before : next;
};

const isReserved = (key: string): boolean =>
  [HEADLESS_LABEL, SERVICE_NAME_LABEL, SLICE_MANAGED_BY_LABEL].includes(key);

/** A list that is left out may be null, as Go writes it. */
export const endpointsOf = ({ endpoints }: { readonly endpoints?: unknown }): readonly Endpoint[] =>
  (endpoints ?? []) as readonly Endpoint[];

/** By which an endpoint is the same after all else about it has changed. */
export const endpointKey = ({ addresses, hostname = '', targetRef }: Endpoint): string =>
  canonicalJson([
    [...addresses].sort(),
    hostname,
    targetRef?.namespace ?? '',
    targetRef?.name ?? '',
  ]);

export const portsKey = (ports: readonly SlicePort[] | null | undefined): string =>
  (ports ?? [])
    .map(({ name = '', port, protocol = 'TCP', appProtocol = '' }) =>
      canonicalJson([name, protocol, port ?? null, appProtocol]),
    )
    .sort()
    .join(' ');

/** Upstream's `--max-endpoints-per-slice`. */
export const ENDPOINTS_MAX = 100;
