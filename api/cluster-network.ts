import {
  formatIp,
  formatPrefix,
  ipAt,
  masked,
  parseCidr,
  prefixesOverlap,
  widthOf,
  type IpPrefix,
} from '../lib/net/ip';
import { dns1123SubdomainProblems } from './names';

/** From the first to the last, both within. */
export interface PortRange {
  readonly first: number;
  readonly last: number;
}

/** Where services and pods have their addresses and names, in one cluster. */
export interface ClusterNetwork {
  /** One of each family at most, that which pods are known by first. */
  readonly podCidrs: readonly string[];
  /** One of each family at most, that of most services first. */
  readonly serviceCidrs: readonly string[];
  readonly nodePortRange: PortRange;
  /** The tenth address of each service range, at which each node answers for names. */
  readonly clusterDns: readonly string[];
  /** `cluster.local` */
  readonly clusterDomain: string;
}

/** As a server is told, by upstream's flags of the same names. */
export interface ClusterNetworkOptions {
  /** As the next. */
  readonly clusterCidr: string;
  /** One range, or two of different families, joined by a comma. */
  readonly serviceClusterIpRange: string;
  /** `30000-32767`, or `30000+2768`. */
  readonly serviceNodePortRange: string;
  readonly clusterDomain: string;
}

export const DEFAULT_CLUSTER_NETWORK: ClusterNetworkOptions = {
  clusterCidr: '10.42.0.0/16',
  serviceClusterIpRange: '10.96.0.0/16',
  serviceNodePortRange: '30000-32767',
  clusterDomain: 'cluster.local',
};

/** @throws Error that names the option and says what is wrong with it */
export const clusterNetworkOf = (options: ClusterNetworkOptions): ClusterNetwork => {
  const pods = rangesOf('--cluster-cidr', options.clusterCidr);
  for (const range of pods) checkPodRange(range);
  const services = rangesOf('--service-cluster-ip-range', options.serviceClusterIpRange);
  checkFamilies(options, pods, services);
  for (const range of services) checkServiceRange(range, pods);
  const problems = dns1123SubdomainProblems(options.clusterDomain);
  if (problems[0] !== undefined)
    throw new Error(`--cluster-domain ${options.clusterDomain}: ${problems[0]}`);
  return {
    podCidrs: pods.map(formatPrefix),
    serviceCidrs: services.map(formatPrefix),
    nodePortRange: parsePortRange(options.serviceNodePortRange),
    clusterDns: services.map((range) => addressAt(range, DNS_OFFSET)),
    clusterDomain: options.clusterDomain,
  };
};

/** The first address of the first service range: that of the API itself. */
export const apiAddressOf = ({ serviceCidrs }: ClusterNetwork): string => {
  return addressAt(parsedRange(serviceCidrs[0] ?? ''), API_OFFSET);
};

/**
 * Services must not be where machines are, or the machines could not be reached any more.
 * @param subnets Of this machine's interfaces, as `10.0.0.1/24`. What is one address alone is skipped:
 * links that lead to services have such.
 * @throws Error that names the interface's subnet
 */
export const checkApartFrom = (
  { serviceCidrs }: ClusterNetwork,
  subnets: readonly string[],
): void => {
  for (const text of subnets) {
    const subnet = parseCidr(text);
    if (typeof subnet === 'string' || subnet.length === widthOf(subnet.address)) continue;
    const range = serviceCidrs.find((each) => prefixesOverlap(parsedRange(each), subnet));
    if (range !== undefined)
      throw new Error(
        `--service-cluster-ip-range ${range} overlaps ${formatPrefix(masked(subnet))}, ` +
          'in which this machine has an address: choose another range for services',
      );
  }
};

/** The address that many after the range's own. */
export const addressAt = (range: IpPrefix, offset: number): string => formatIp(ipAt(range, offset));

/** A service of a family that no pod has would lead nowhere. */
const checkFamilies = (
  { clusterCidr, serviceClusterIpRange }: ClusterNetworkOptions,
  pods: readonly IpPrefix[],
  services: readonly IpPrefix[],
): void => {
  const families = new Set(pods.map(({ address }) => address.family));
  const stray = services.find(({ address }) => !families.has(address.family));
  if (stray !== undefined)
    throw new Error(
      `--service-cluster-ip-range ${serviceClusterIpRange}: pods have no IPv${stray.address.family} ` +
        `addresses, by --cluster-cidr ${clusterCidr}`,
    );
  if (services[0]?.address.family !== pods[0]?.address.family)
    throw new Error(
      `--service-cluster-ip-range ${serviceClusterIpRange} and --cluster-cidr ${clusterCidr} begin with ` +
        'different IP families',
    );
};

/** Nodes get a /24 or a /64 of it; upstream's nodes, too, may not be more than 2^16. */
const checkPodRange = (range: IpPrefix): void => {
  const text = formatPrefix(range);
  checkNotMachines('--cluster-cidr', range);
  const length = range.address.family === 4 ? 24 : 64;
  if (range.length > length)
    throw new Error(`--cluster-cidr ${text} is too small: each node gets a /${length} of it`);
  if (range.address.family === 6 && length - range.length > NODE_BITS_MAX)
    throw new Error(
      `--cluster-cidr ${text} is too large: it may hold 2^${NODE_BITS_MAX} nodes, as a /48 does`,
    );
};

/** Pure: what every machine has part of the range for, if for anything; whoever is sent there never leaves it. */
export const machineRangeIn = (range: IpPrefix): string | undefined =>
  MACHINE_RANGES.find((each) => prefixesOverlap(parsedRange(each), range));

const checkNotMachines = (option: string, range: IpPrefix): void => {
  const machines = machineRangeIn(range);
  if (machines !== undefined)
    throw new Error(
      `${option} ${formatPrefix(range)} overlaps ${machines}, which every machine has for itself`,
    );
};

const checkServiceRange = (range: IpPrefix, pods: readonly IpPrefix[]): void => {
  const text = formatPrefix(range);
  checkNotMachines('--service-cluster-ip-range', range);
  if (widthOf(range.address) - range.length < SERVICE_BITS_MIN)
    throw new Error(
      `--service-cluster-ip-range ${text} is too small: it must hold 16 addresses at least`,
    );
  if (widthOf(range.address) - range.length > SERVICE_BITS_MAX)
    throw new Error(
      `--service-cluster-ip-range ${text} is too large: it may hold 2^${SERVICE_BITS_MAX} addresses, ` +
        'as a /12 of IPv4 and a /108 of IPv6 do',
    );
  const rival = pods.find((pod) => prefixesOverlap(pod, range));
  if (rival !== undefined)
    throw new Error(
      `--service-cluster-ip-range ${text} overlaps --cluster-cidr ${formatPrefix(rival)}: ` +
        'an address would be both of a service and of a pod',
    );
};

const rangesOf = (option: string, text: string): readonly IpPrefix[] => {
  const ranges = text.split(',').map((each) => {
    const range = parseCidr(each.trim());
    if (typeof range === 'string')
      throw new Error(`${option} ${text}: not a range as 10.96.0.0/16`);
    return masked(range);
  });
  const families = new Set(ranges.map(({ address }) => address.family));
  if (families.size < ranges.length)
    throw new Error(`${option} ${text}: at most one range of each IP family`);
  return ranges;
};

const parsePortRange = (text: string): PortRange => {
  const [, first = '', sign = '', second = ''] =
    /^(\d{1,5})([-+])(\d{1,5})$/.exec(text.trim()) ?? [];
  const from = Number(first);
  const last = sign === '+' ? from + Number(second) - 1 : Number(second);
  if (sign === '' || from < 1 || last < from || last > PORT_MAX)
    throw new Error(`--service-node-port-range ${text}: not a range of ports as 30000-32767`);
  return { first: from, last };
};

/** @throws Error when it is no range */
export const parsedRange = (cidr: string): IpPrefix => {
  const range = parseCidr(cidr);
  if (typeof range === 'string') throw new Error(range);
  return range;
};

const API_OFFSET = 1;
const DNS_OFFSET = 10;
const SERVICE_BITS_MIN = 4;
/** Upstream's bounds. */
const NODE_BITS_MAX = 16;
export const SERVICE_BITS_MAX = 20;
const PORT_MAX = 65_535;
/** Unspecified, loopback, link-local and multicast. Sources: RFC 6890, RFC 5771, RFC 4291. */
const MACHINE_RANGES = [
  ...['0.0.0.0/8', '127.0.0.0/8', '169.254.0.0/16', '224.0.0.0/4'],
  ...['::/127', 'fe80::/10', 'ff00::/8'],
];
