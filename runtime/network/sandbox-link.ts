import { randomUUID } from 'node:crypto';
import { closeSync, openSync, writeFileSync } from 'node:fs';
import {
  formatIp,
  hostPrefix,
  ipBytes,
  ipOf,
  type IpAddress,
  type IpFamily,
} from '../../lib/net/ip';
import { type BandwidthLimits } from '../pod-network';
import { limitBandwidth } from './bandwidth';
import { interfaceNameOf, shaperNameOf } from './names';
import { NetlinkSocket } from './netlink/socket';
import {
  createVeth,
  decodeLink,
  deleteLink,
  deleteRoute,
  getLink,
  setAddress,
  setLink,
  setNeighbour,
  setRoute,
  STATIC_ROUTE_PROTOCOL,
  type Link,
  type Route,
} from './netlink/requests';
import { addressIn, findLink, LOOPBACK_INDEX } from './host';

/** The link of one sandbox: a veth pair, a route to each address, and gateways that are nobody's address. */
export interface SandboxLink {
  readonly sandboxId: string;
  /** One of each family that pods have, the first of which it is known by. */
  readonly addresses: readonly IpAddress[];
  readonly hostInterface: string;
}

export interface LinkSettings {
  readonly prefix: string;
  readonly mtu: number;
  /** What the node's own packets to pods carry, by family. */
  readonly sources: readonly IpAddress[];
}

interface LinkConditions {
  readonly guarded: Promise<unknown>;
  readonly limits?: BandwidthLimits | undefined;
}

/**
 * Makes both ends, and sets them up once `guarded` has resolved: no packet passes before. A link has its
 * label only once its limits hold. Leaves nothing when it fails.
 */
export const createSandboxLink = async (
  host: NetlinkSocket,
  { sandboxId, addresses }: Omit<SandboxLink, 'hostInterface'>,
  netnsPath: string,
  settings: LinkSettings,
  { guarded, limits = {} }: LinkConditions,
): Promise<SandboxLink> => {
  const hostInterface = interfaceNameOf(settings.prefix, sandboxId, randomUUID());
  const link = { sandboxId, addresses, hostInterface };
  try {
    await Promise.all([createPair(host, link, netnsPath, settings.mtu), guarded]);
    const hostEnd = decodeLink(await host.get(getLink(hostInterface)));
    await limitBandwidth(host, hostEnd, limits);
    using inside = NetlinkSocket.openIn(netnsPath);
    await configure(host, hostEnd, inside, link, settings);
  } catch (error) {
    await Promise.allSettled([guarded]);
    await removeSandboxLink(host, hostInterface);
    throw error;
  }
  return link;
};

/**
 * Brings an existing link to its full state, as after a crash halfway. False when its two ends are not
 * both where they should be: then it has to be made anew.
 */
export const repairSandboxLink = async (
  host: NetlinkSocket,
  link: SandboxLink,
  netnsPath: string,
  settings: LinkSettings,
): Promise<boolean> => {
  using inside = NetlinkSocket.openIn(netnsPath);
  const hostEnd = await findLink(host, link.hostInterface);
  const podEnd = await findLink(inside, POD_INTERFACE);
  if (hostEnd?.index !== podEnd?.peerIndex || podEnd?.index !== hostEnd?.peerIndex) return false;
  if (hostEnd === undefined) return false;
  await configure(host, hostEnd, inside, link, settings);
  return true;
};

/** Puts the ways to the sandbox back; nothing when its interface has gone. */
export const restoreHostRoute = async (
  host: NetlinkSocket,
  link: SandboxLink,
  settings: LinkSettings,
): Promise<void> => {
  const hostEnd = await findLink(host, link.hostInterface);
  if (hostEnd !== undefined) await configureHostEnd(host, hostEnd, link, settings);
};

/**
 * Takes the routes, the label and what shaped its traffic away; the interface itself goes with its
 * namespace, which the kernel does later and far more cheaply than on request.
 */
export const releaseSandboxLink = async (host: NetlinkSocket, link: SandboxLink): Promise<void> => {
  await host.run([deleteLink(shaperNameOf(link.hostInterface))]);
  const hostEnd = await findLink(host, link.hostInterface);
  if (hostEnd === undefined) return;
  await host.run([
    ...link.addresses.map((address) => deleteRoute(podRoute(address, hostEnd.index))),
    setLink(hostEnd.name, { alias: '' }),
  ]);
};

/** At once, with all that was made for it. Idempotent. */
export const removeSandboxLink = (host: NetlinkSocket, hostInterface: string): Promise<void> =>
  host.run([deleteLink(hostInterface), deleteLink(shaperNameOf(hostInterface))]);

/** The label on a host interface: which sandbox it serves, and where. */
export const aliasOf = ({ sandboxId, addresses }: Omit<SandboxLink, 'hostInterface'>): string =>
  `dhow sandbox=${encodeURIComponent(sandboxId)} ip=${addresses.map(formatIp).join()}`;

/** What an interface's label says; undefined when it has none of ours. */
export const parseAlias = ({
  name,
  alias,
}: Pick<Link, 'name' | 'alias'>): SandboxLink | undefined => {
  const [, encodedId, list = ''] = ALIAS.exec(alias) ?? [];
  const texts = list.split(',');
  const addresses = texts.flatMap((text) => ipOf(text) ?? []);
  if (encodedId === undefined || addresses.length !== texts.length) return undefined;
  try {
    return { sandboxId: decodeURIComponent(encodedId), addresses, hostInterface: name };
  } catch {
    return undefined;
  }
};

const createPair = async (
  host: NetlinkSocket,
  { addresses, hostInterface }: SandboxLink,
  netnsPath: string,
  mtu: number,
): Promise<void> => {
  const netnsFd = openSync(netnsPath, 'r');
  try {
    const peer = { name: POD_INTERFACE, mac: podMac(addresses), netnsFd };
    await host.run([createVeth({ name: hostInterface, mac: GATEWAY_MAC, mtu, peer })]);
  } finally {
    closeSync(netnsFd);
  }
};

/** Idempotent. Inside first: what the host routes to must be able to answer. */
const configure = async (
  host: NetlinkSocket,
  hostEnd: Link,
  inside: NetlinkSocket,
  link: SandboxLink,
  settings: LinkSettings,
): Promise<void> => {
  const podEnd = decodeLink(await inside.get(getLink(POD_INTERFACE)));
  const { addresses } = link;
  await inside.run([
    setLink(LOOPBACK_INDEX, { isUp: true }),
    ...(hasIpv6(addresses) ? [setLink(podEnd.index, { hasNoLinkLocal: true })] : []),
    ...addresses.map((address) => setAddress(podEnd.index, address)),
    setLink(podEnd.index, { isUp: true }),
    ...addresses.flatMap(({ family }) => [
      setNeighbour(podEnd.index, GATEWAYS[family], GATEWAY_MAC),
      setRoute(podRoute(GATEWAYS[family], podEnd.index), STATIC_ROUTE_PROTOCOL),
      setRoute(defaultRoute(family, podEnd.index), STATIC_ROUTE_PROTOCOL),
    ]),
  ]);
  await configureHostEnd(host, hostEnd, link, settings);
};

const configureHostEnd = async (
  host: NetlinkSocket,
  hostEnd: Link,
  link: SandboxLink,
  { sources }: LinkSettings,
): Promise<void> => {
  const { addresses } = link;
  const ipv6 = hasIpv6(addresses);
  if (!ipv6) disableIpv6(hostEnd.name);
  await host.run([
    ...(ipv6 ? [setLink(hostEnd.index, { hasNoLinkLocal: true })] : []),
    setLink(hostEnd.index, { isUp: true, alias: aliasOf(link), checksSource: true }),
    ...addresses.flatMap((address) => {
      const route = podRoute(address, hostEnd.index);
      const source = addressIn(sources, address.family);
      return [
        setNeighbour(hostEnd.index, address, podMac(addresses)),
        setRoute(source === undefined ? route : { ...route, source }),
      ];
    }),
  ]);
};

const hasIpv6 = (addresses: readonly IpAddress[]): boolean =>
  addresses.some(({ family }) => family === 6);

/** Where pods have none, a link-local address would be a way round every check of theirs. */
const disableIpv6 = (name: string): void => {
  try {
    writeFileSync(`/proc/sys/net/ipv6/conf/${name}/disable_ipv6`, '1');
  } catch {
    // No IPv6 here, or /proc/sys is read-only: then the firewall alone drops it.
  }
};

const podRoute = (address: IpAddress, interfaceIndex: number): Route => ({
  destination: hostPrefix(address),
  type: 'unicast',
  interfaceIndex,
});

const defaultRoute = (family: IpFamily, interfaceIndex: number): Route => ({
  destination: { address: { family, bits: 0n }, length: 0 },
  type: 'unicast',
  gateway: GATEWAYS[family],
  interfaceIndex,
  isOnLink: true,
});

/** Locally administered, and derived: a neighbour entry made from the first address is never stale. */
const podMac = ([first]: readonly IpAddress[]): Uint8Array =>
  Buffer.concat([
    Buffer.from([0x02, 0x64]),
    ipBytes({ family: 4, bits: (first?.bits ?? 0n) & 0xffff_ffffn }),
  ]);

const POD_INTERFACE = 'eth0';
/** 169.254.1.1 and fe80::1: no interface has them; permanent neighbour entries make them answerable. */
const GATEWAYS: Readonly<Record<IpFamily, IpAddress>> = {
  4: { family: 4, bits: 0xa9fe_0101n },
  6: { family: 6, bits: (0xfe80n << 112n) | 1n },
};
/** The same on every host end: each is alone on its link. */
const GATEWAY_MAC = Uint8Array.from([0x02, 0x64, 0x68, 0x6f, 0x77, 0x01]);
const ALIAS = /^dhow sandbox=(\S+) ip=([\da-f.:,]+)$/;
