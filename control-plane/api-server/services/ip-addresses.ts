import { notFound } from '../../../api/errors';
import { apiVersionOf, IP_ADDRESSES, SERVICES } from '../../../api/resources';
import { addressesOf } from '../../../api/service-fields';
import type { IpAddress, ObjectName, Service } from '../../../api/types';
import type { ListResult, WatchEvent } from '../../../client/api-client';
import type { VirtualResource } from '../../../client/virtual-resource';
import type { StoredObject, StoreEvent } from '../../store/store';
import type { WatchCache } from '../../store/watch-cache';
import { familyOf } from '../../../lib/net/ip';

/**
 * Which service holds which address, by upstream's names and labels: a view of the services, with versions
 * of theirs. An address that somebody else has stored in two services is shown as that of the first.
 */
export class IpAddresses implements VirtualResource<IpAddress> {
  readonly resource = IP_ADDRESSES;
  /** What the newest list of services came to. */
  private known: Known = { services: [], byName: new Map() };

  /** @param cache Of all services. */
  constructor(private readonly cache: () => WatchCache) {}

  /** @throws NotFound, also for what is no address, or another way to write one */
  async get({ name }: ObjectName, _query: URLSearchParams, signal: AbortSignal) {
    const { byName } = await this.newest(signal);
    const found = byName.get(name);
    if (found === undefined) throw notFound(IP_ADDRESSES.plural, IP_ADDRESSES.group, name);
    return found;
  }

  /** In the order of their names. */
  async list(_namespace: string | undefined, signal: AbortSignal): Promise<ListResult<IpAddress>> {
    const { byName, version } = await this.newest(signal);
    return { items: [...byName.values()], resourceVersion: String(version) };
  }

  /** A change of a service is one of each of its addresses. @throws Expired */
  async *watch(
    _namespace: string | undefined,
    fromVersion: string,
    signal: AbortSignal,
  ): AsyncGenerator<WatchEvent<IpAddress>> {
    for await (const events of this.cache().watch(Number(fromVersion), signal))
      for (const event of events) if (event.type !== 'progress') yield* changesOf(event);
  }

  private async newest(signal: AbortSignal): Promise<Known & { readonly version: number }> {
    const cache = this.cache();
    await cache.ready(signal);
    await cache.waitFresh(signal);
    const { items, resourceVersion: version } = cache.list();
    if (items !== this.known.services)
      this.known = { services: items, byName: byNameIn(items.flatMap(viewsOf)) };
    return { ...this.known, version };
  }
}

interface Known {
  readonly services: readonly StoredObject[];
  readonly byName: ReadonlyMap<string, IpAddress>;
}

/** Pure: first what the service no longer holds, then what it holds. */
export const changesOf = (event: StoreEvent): readonly WatchEvent<IpAddress>[] => {
  const { current, previous } = event;
  const after = event.type === 'delete' ? [] : viewsOf(current);
  const before = previous === undefined ? [] : viewsOf(previous);
  const held = new Set(after.map(({ metadata }) => metadata.name));
  const had = new Set(before.map(({ metadata }) => metadata.name));
  const gone = before.filter(({ metadata }) => !held.has(metadata.name));
  const count = gone.length + after.length;
  return [
    ...gone.map((object, i) => ({
      type: 'DELETED' as const,
      object: atVersion(object, versionOfPart(current, i, count)),
    })),
    ...after.map((object) => ({
      type: had.has(object.metadata.name) ? ('MODIFIED' as const) : ('ADDED' as const),
      object,
    })),
  ];
};

const viewsOf = (stored: StoredObject): readonly IpAddress[] => {
  let found = views.get(stored);
  if (found === undefined) {
    const service = stored.object as Service;
    const addresses = service.spec === undefined ? [] : addressesOf(service.spec);
    found = addresses.map((address, i) =>
      viewOf(service, address, versionOfPart(stored, i, addresses.length)),
    );
    views.set(stored, found);
  }
  return found;
};

const viewOf = ({ metadata }: Service, address: string, version: string): IpAddress => ({
  apiVersion: apiVersionOf(IP_ADDRESSES),
  kind: IP_ADDRESSES.kind,
  metadata: {
    name: address,
    resourceVersion: version,
    creationTimestamp: metadata.creationTimestamp ?? null,
    labels: {
      'ipaddress.kubernetes.io/ip-family': familyOf(address) === 4 ? 'IPv4' : 'IPv6',
      'ipaddress.kubernetes.io/managed-by': 'ipallocator.k8s.io',
    },
  },
  spec: {
    parentRef: {
      resource: SERVICES.plural,
      namespace: metadata.namespace ?? '',
      name: metadata.name,
    },
  },
});

/**
 * One change of a service is several events. Only the last has the version of the change: a watch that ends
 * before that begins again with all of them.
 */
const versionOfPart = ({ resourceVersion }: StoredObject, index: number, count: number): string =>
  String(Math.max(1, resourceVersion - (count - 1 - index)));

const atVersion = (object: IpAddress, resourceVersion: string): IpAddress => ({
  ...object,
  metadata: { ...object.metadata, resourceVersion },
});

const byNameIn = (objects: readonly IpAddress[]): ReadonlyMap<string, IpAddress> => {
  const found = new Map<string, IpAddress>();
  for (const object of [...objects].sort(inOrder))
    if (!found.has(object.metadata.name)) found.set(object.metadata.name, object);
  return found;
};

const inOrder = ({ metadata: a }: IpAddress, { metadata: b }: IpAddress): number =>
  a.name < b.name ? -1 : a.name > b.name ? 1 : 0;

const views = new WeakMap<StoredObject, readonly IpAddress[]>();
