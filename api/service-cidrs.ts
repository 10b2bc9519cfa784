import {
  isEdge,
  parseCidr,
  prefixContains,
  type IpAddress,
  type IpPrefix,
  masked,
  formatPrefix,
} from '../lib/net/ip';
import type { ServiceCidr } from './types';

/** The object of the ranges that a server is told by its options. */
export const OWN_RANGES = 'kubernetes';
export const SERVICE_CIDR_FINALIZER = 'networking.k8s.io/service-cidr-finalizer';
export const READY = 'Ready';

/** The ranges of an object, in order. What is no range is left out. */
export const rangesOf = ({ spec }: ServiceCidr): readonly IpPrefix[] =>
  (spec?.cidrs ?? []).flatMap((text) => {
    const range = parseCidr(text);
    return typeof range === 'string' ? [] : [masked(range)];
  });

/** Do services get addresses of it? One of which nobody has said anything is ready, as upstream's. */
export const isReady = ({ metadata, status }: ServiceCidr): boolean =>
  metadata.deletionTimestamp === undefined &&
  (status?.conditions ?? []).every(({ type, status: is }) => type !== READY || is === 'True');

/**
 * Where services get addresses from: those of `configured` whose object is not on its way out, then those
 * of all others that are ready; each once, and only of families that the cluster has.
 */
export const allocatingRanges = (
  configured: readonly IpPrefix[],
  objects: readonly ServiceCidr[],
): readonly IpPrefix[] => {
  const own = objects.find(({ metadata }) => metadata.name === OWN_RANGES);
  return unique(configured, [
    ...(own === undefined || isReady(own) ? configured : []),
    ...objects.filter(isReady).flatMap(rangesOf),
  ]);
};

/** Where services may have addresses: also those of ranges that are on their way out. */
export const knownRanges = (
  configured: readonly IpPrefix[],
  objects: readonly ServiceCidr[],
): readonly IpPrefix[] => unique(configured, [...configured, ...objects.flatMap(rangesOf)]);

/** Is it an address in the range that a service may have? */
export const holds = (range: IpPrefix, address: IpAddress): boolean =>
  prefixContains(range, address) && !isEdge(range, address);

const unique = (
  configured: readonly IpPrefix[],
  ranges: readonly IpPrefix[],
): readonly IpPrefix[] => {
  const families = new Set(configured.map(({ address }) => address.family));
  const byText = new Map(ranges.map((range) => [formatPrefix(range), range]));
  return [...byText.values()].filter(({ address }) => families.has(address.family));
};
