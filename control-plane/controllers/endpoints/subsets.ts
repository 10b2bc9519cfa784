import type { Endpoints } from '../../../api/types';
import { canonicalJson } from '../../../lib/json';

export type Subset = NonNullable<Endpoints['subsets']>[number];
export type Address = NonNullable<Subset['addresses']>[number];
type Port = NonNullable<Subset['ports']>[number];

interface Reached {
  readonly address: Address;
  readonly isReady: boolean;
}

/**
 * The same addresses and ports in as few subsets as can be, in one order: ports that the same addresses
 * have are together. An address that is ready in one place for a port is ready. Source: upstream's
 * pkg/api/v1/endpoints/util.go, RepackSubsets.
 */
export const repack = (subsets: readonly Subset[]): readonly Subset[] => {
  const byPort = new Map<
    string,
    { readonly ports: Port[]; readonly reached: Map<string, Reached> }
  >();
  for (const subset of subsets)
    for (const ports of portsOf(subset)) {
      const key = canonicalJson(ports);
      const { reached } = byPort.get(key) ?? { reached: new Map<string, Reached>() };
      byPort.set(key, { ports, reached });
      for (const address of subset.notReadyAddresses ?? []) {
        const known = reached.get(addressKey(address));
        if (known === undefined) reached.set(addressKey(address), { address, isReady: false });
      }
      for (const address of subset.addresses ?? [])
        reached.set(addressKey(address), { address, isReady: true });
    }
  const merged = new Map<
    string,
    { readonly ports: Port[]; readonly reached: readonly Reached[] }
  >();
  for (const { ports, reached } of byPort.values()) {
    const sorted = [...reached].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, each]) => each);
    if (sorted.length === 0) continue;
    const same = sorted.map(({ address, isReady }) => [addressKey(address), isReady]);
    // Addresses without ports keep to themselves: beside a port nobody would see that they have none.
    const key = canonicalJson([ports.length > 0, same]);
    const before = merged.get(key)?.ports ?? [];
    merged.set(key, { ports: [...before, ...ports], reached: sorted });
  }
  return [...merged.values()].map(subsetOf).sort((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1));
};

/** Each port by itself; of addresses without ports, nothing once. */
const portsOf = ({ ports = [] }: Subset): Port[][] =>
  ports.length === 0 ? [[]] : ports.map((port) => [port]);

const addressKey = ({ ip, targetRef }: Address): string => `${ip} ${targetRef?.uid ?? ''}`;

const subsetOf = ({
  ports,
  reached,
}: {
  readonly ports: readonly Port[];
  readonly reached: readonly Reached[];
}): Subset => {
  const addresses = reached.filter(({ isReady }) => isReady).map(({ address }) => address);
  const notReady = reached.filter(({ isReady }) => !isReady).map(({ address }) => address);
  const sorted = [...ports].sort((a, b) => (canonicalJson(a) < canonicalJson(b) ? -1 : 1));
  return {
    ...(addresses.length === 0 ? {} : { addresses }),
    ...(notReady.length === 0 ? {} : { notReadyAddresses: notReady }),
    ...(sorted.length === 0 ? {} : { ports: sorted }),
  };
};

const keyOf = ({ ports }: Subset): string => canonicalJson(ports ?? []);

/**
 * At most `max` addresses, those that are ready before the others, from each subset its share. Source:
 * upstream's truncateEndpoints.
 */
export const truncate = (subsets: readonly Subset[], max: number): readonly Subset[] => {
  const readyCount = sum(subsets.map(({ addresses = [] }) => addresses.length));
  const otherCount = sum(subsets.map(({ notReadyAddresses = [] }) => notReadyAddresses.length));
  if (readyCount + otherCount <= max) return subsets;
  const isReadyCut = readyCount > max;
  const room = isReadyCut ? max : max - readyCount;
  let left = room;
  const share = (count: number): number => {
    const of = isReadyCut ? readyCount : otherCount;
    const given = Math.min(left, Math.ceil((count / of) * room));
    left -= Math.min(given, count);
    return given;
  };
  return subsets
    .map(({ addresses = [], notReadyAddresses = [], ...rest }) => {
      const ready = isReadyCut ? addresses.slice(0, share(addresses.length)) : addresses;
      const others = isReadyCut ? [] : notReadyAddresses.slice(0, share(notReadyAddresses.length));
      return {
        ...(ready.length === 0 ? {} : { addresses: ready }),
        ...(others.length === 0 ? {} : { notReadyAddresses: others }),
        ...rest,
      };
    })
    .filter(({ addresses, notReadyAddresses }) => (addresses ?? notReadyAddresses) !== undefined);
};

const sum = (numbers: readonly number[]): number => numbers.reduce((a, b) => a + b, 0);
