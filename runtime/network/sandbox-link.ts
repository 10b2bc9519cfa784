import { randomUUID } from 'node:crypto';
import { closeSync, openSync, writeFileSync } from 'node:fs';
import { formatIpv4, parseIpv4 } from './ipv4';
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
import { findLink, LOOPBACK_INDEX } from './host';

/** The link of one sandbox: a veth pair, a /32 route to it, and a gateway that is nobody's address. */
export interface SandboxLink {
  readonly sandboxId: string;
  readonly address: number;
  readonly hostInterface: string;
}

export interface LinkSettings {
  readonly prefix: string;
  readonly mtu: number;
  /** What the node's own packets to pods carry. */
  readonly source: number | undefined;
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
  { sandboxId, address }: Omit<SandboxLink, 'hostInterface'>,
  netnsPath: string,
  settings: LinkSettings,
  { guarded, limits = {} }: LinkConditions,
): Promise<SandboxLink> => {
  const hostInterface = interfaceNameOf(settings.prefix, sandboxId, randomUUID());
  const link = { sandboxId, address, hostInterface };
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

/** Puts the way to the sandbox back; nothing when its interface has gone. */
export const restoreHostRoute = async (
  host: NetlinkSocket,
  link: SandboxLink,
  settings: LinkSettings,
): Promise<void> => {
  const hostEnd = await findLink(host, link.hostInterface);
  if (hostEnd !== undefined) await configureHostEnd(host, hostEnd, link, settings);
};

/**
 * Takes the route, the label and what shaped its traffic away; the interface itself goes with its
 * namespace, which the kernel does later and far more cheaply than on request.
 */
export const releaseSandboxLink = async (host: NetlinkSocket, link: SandboxLink): Promise<void> => {
  await host.run([deleteLink(shaperNameOf(link.hostInterface))]);
  const hostEnd = await findLink(host, link.hostInterface);
  if (hostEnd === undefined) return;
  await host.run([
    deleteRoute(podRoute(link.address, hostEnd.index)),
    setLink(hostEnd.name, { alias: '' }),
  ]);
};

/** At once, with all that was made for it. Idempotent. */
export const removeSandboxLink = (host: NetlinkSocket, hostInterface: string): Promise<void> =>
  host.run([deleteLink(hostInterface), deleteLink(shaperNameOf(hostInterface))]);

/** The label on a host interface: which sandbox it serves, and where. */
export const aliasOf = ({ sandboxId, address }: Omit<SandboxLink, 'hostInterface'>): string =>
  `dhow sandbox=${encodeURIComponent(sandboxId)} ip=${formatIpv4(address)}`;

/** What an interface's label says; undefined when it has none of ours. */
export const parseAlias = ({
  name,
  alias,
}: Pick<Link, 'name' | 'alias'>): SandboxLink | undefined => {
  const [, encodedId, ip] = ALIAS.exec(alias) ?? [];
  const address = parseIpv4(ip ?? '');
  if (encodedId === undefined || address === undefined) return undefined;
  try {
    return { sandboxId: decodeURIComponent(encodedId), address, hostInterface: name };
  } catch {
    return undefined;
  }
};

const createPair = async (
  host: NetlinkSocket,
  { address, hostInterface }: SandboxLink,
  netnsPath: string,
  mtu: number,
): Promise<void> => {
  const netnsFd = openSync(netnsPath, 'r');
  try {
    const peer = { name: POD_INTERFACE, mac: podMac(address), netnsFd };
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
  await inside.run([
    setLink(LOOPBACK_INDEX, { isUp: true }),
    setAddress(podEnd.index, link.address),
    setLink(podEnd.index, { isUp: true }),
    setNeighbour(podEnd.index, GATEWAY, GATEWAY_MAC),
    setRoute(podRoute(GATEWAY, podEnd.index), STATIC_ROUTE_PROTOCOL),
    setRoute(defaultRoute(podEnd.index), STATIC_ROUTE_PROTOCOL),
  ]);
  await configureHostEnd(host, hostEnd, link, settings);
};

const configureHostEnd = async (
  host: NetlinkSocket,
  hostEnd: Link,
  link: SandboxLink,
  { source }: LinkSettings,
): Promise<void> => {
  const route = podRoute(link.address, hostEnd.index);
  disableIpv6(hostEnd.name);
  await host.run([
    setLink(hostEnd.index, { isUp: true, alias: aliasOf(link), checksSource: true }),
    setNeighbour(hostEnd.index, link.address, podMac(link.address)),
    setRoute(source === undefined ? route : { ...route, source }),
  ]);
};

/** Pods have none: a link-local address would be a way round every check of theirs. */
const disableIpv6 = (name: string): void => {
  try {
    writeFileSync(`/proc/sys/net/ipv6/conf/${name}/disable_ipv6`, '1');
  } catch {
    // No IPv6 here, or /proc/sys is read-only: then the firewall alone drops it.
  }
};

const podRoute = (address: number, interfaceIndex: number): Route => ({
  destination: { base: address, prefixLength: 32 },
  type: 'unicast',
  interfaceIndex,
});

const defaultRoute = (interfaceIndex: number): Route => ({
  destination: { base: 0, prefixLength: 0 },
  type: 'unicast',
  gateway: GATEWAY,
  interfaceIndex,
  isOnLink: true,
});

/** Locally administered, and derived: a neighbour entry made from the address is never stale. */
const podMac = (address: number): Uint8Array => {
  const mac = Buffer.from([0x02, 0x64, 0, 0, 0, 0]);
  mac.writeUInt32BE(address, 2);
  return mac;
};

const POD_INTERFACE = 'eth0';
/** 169.254.1.1: no interface has it; the permanent neighbour entry makes it answerable. */
const GATEWAY = 0xa9fe0101;
/** The same on every host end: each is alone on its link. */
const GATEWAY_MAC = Uint8Array.from([0x02, 0x64, 0x68, 0x6f, 0x77, 0x01]);
const ALIAS = /^dhow sandbox=(\S+) ip=([\d.]+)$/;
