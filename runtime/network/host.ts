import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { constants } from 'node:os';
import { join } from 'node:path';
import { ipOf, isLinkLocal, sameIp, type IpAddress, type IpFamily } from '../../lib/net/ip';
import { NetlinkError, type NetlinkSocket } from './netlink/socket';
import { type NetlinkRequest } from './netlink/wire';
import {
  decodeAddress,
  decodeLink,
  decodeRoute,
  getLink,
  getLinkByIndex,
  listAddresses,
  listLinks,
  deleteAddress,
  lookUpRoute,
  setAddress,
  setLink,
  type Link,
  type Route,
} from './netlink/requests';

/** The interface that carries traffic between nodes. */
export interface Underlay {
  /** This node's addresses, one of each family at most, that which other nodes know it by first. */
  readonly addresses: readonly IpAddress[];
  /** Of the first. */
  readonly interfaceIndex: number;
  readonly mtu: number;
}

/**
 * The interface with the first of `nodeAddresses`, else the one towards the world, else a guess.
 * @param families in the order in which addresses are wanted; for each without one among `nodeAddresses`,
 * that of the way to the world is taken.
 */
export const findUnderlay = async (
  socket: NetlinkSocket,
  nodeAddresses: readonly IpAddress[],
  families: readonly IpFamily[],
): Promise<Underlay> => {
  const present = (await socket.dump(listAddresses())).map(decodeAddress);
  const holderOf = (wanted: IpAddress | undefined) =>
    present.find(
      ({ address }) => address !== undefined && wanted !== undefined && sameIp(address, wanted),
    );
  const addresses: IpAddress[] = [];
  let interfaceIndex = holderOf(nodeAddresses[0])?.interfaceIndex;
  for (const family of families) {
    const told = addressIn(nodeAddresses, family);
    const isThere = holderOf(told) !== undefined;
    const way = isThere ? undefined : await routeTo(socket, outside(family));
    const address = isThere ? told : way?.source;
    if (address === undefined || isLinkLocal(address)) continue;
    interfaceIndex ??= way?.interfaceIndex;
    addresses.push(address);
  }
  const links = (await socket.dump(listLinks())).map(decodeLink);
  const link = links.find(({ index }) => index === interfaceIndex);
  return {
    addresses,
    interfaceIndex: interfaceIndex ?? 0,
    mtu: link === undefined ? DEFAULT_MTU : Math.min(link.mtu, MAX_MTU),
  };
};

/** One of them that a packet to `family` can have as its source. */
export const addressIn = (
  addresses: readonly IpAddress[],
  family: IpFamily,
): IpAddress | undefined => addresses.find((address) => address.family === family);

/** Undefined when there is no way. */
export const routeTo = async (
  socket: NetlinkSocket,
  address: IpAddress,
): Promise<Route | undefined> => {
  try {
    return decodeRoute(await socket.get(lookUpRoute(address)));
  } catch (error) {
    if (error instanceof NetlinkError && NO_ROUTE.includes(error.errno)) return undefined;
    throw error;
  }
};

export const findLink = (socket: NetlinkSocket, name: string): Promise<Link | undefined> =>
  linkOf(socket, getLink(name));

export const findLinkByIndex = (socket: NetlinkSocket, index: number): Promise<Link | undefined> =>
  linkOf(socket, getLinkByIndex(index));

const linkOf = async (
  socket: NetlinkSocket,
  request: NetlinkRequest,
): Promise<Link | undefined> => {
  try {
    return decodeLink(await socket.get(request));
  } catch (error) {
    if (error instanceof NetlinkError && error.errno === constants.errno.ENODEV) return undefined;
    throw error;
  }
};

/**
 * In the namespace of the calling thread. Stays on when the network is destroyed: others on the
 * machine may have come to rely on it meanwhile, and nobody can tell.
 * @throws Error when pods are to have IPv6 and this machine has none
 */
export const enableForwarding = (families: readonly IpFamily[]): void => {
  if (families.includes(4)) turnOn(IPV4_FORWARD);
  if (!families.includes(6)) return;
  if (!existsSync(IPV6_CONF)) throw new Error('pods are to have IPv6, which this kernel has not');
  if (readFileSync(IPV6_FORWARD, 'utf8').trim() === '1') return;
  keepAdvertisedRoutes();
  turnOn(IPV6_FORWARD);
};

/** Written only when needed: where /proc/sys is read-only, someone else has set it. */
const turnOn = (file: string): void => {
  if (readFileSync(file, 'utf8').trim() !== '1') writeFileSync(file, '1');
};

/**
 * A router does not listen to what other routers advertise, unless it is told so: a machine that has its way
 * out from there would lose it. Source: Documentation/networking/ip-sysctl.rst, accept_ra.
 */
const keepAdvertisedRoutes = (): void => {
  for (const name of readdirSync(IPV6_CONF)) {
    const file = join(IPV6_CONF, name, 'accept_ra');
    try {
      if (name !== 'all' && readFileSync(file, 'utf8').trim() === '1') writeFileSync(file, '2');
    } catch {
      // The interface has just gone, or /proc/sys is read-only: then it stays as it is.
    }
  }
};

/**
 * A node without any address of a family, as a laptop offline, still has to speak to its pods: it gets one
 * on the loopback interface. `removeOwnAddress` finds it by the pods' range or its label.
 */
export const addOwnAddress = (
  socket: NetlinkSocket,
  prefix: string,
  address: IpAddress,
): Promise<void> =>
  socket.run([
    setLink(LOOPBACK_INDEX, { isUp: true }),
    setAddress(LOOPBACK_INDEX, address, labelOf(prefix)),
  ]);

/** Idempotent. @param extra those without a label: of IPv6 */
export const removeOwnAddress = async (
  socket: NetlinkSocket,
  prefix: string,
  extra: readonly IpAddress[],
): Promise<void> => {
  const addresses = (await socket.dump(listAddresses())).map(decodeAddress);
  await socket.run(
    addresses.flatMap(({ address, label, interfaceIndex }) =>
      address !== undefined &&
      (label === labelOf(prefix) ||
        (interfaceIndex === LOOPBACK_INDEX && extra.some((own) => sameIp(own, address))))
        ? [deleteAddress(LOOPBACK_INDEX, address)]
        : [],
    ),
  );
};

const labelOf = (prefix: string): string => `lo:${prefix}`;

/** In the range of a node's pods. */
export const OWN_ADDRESS_OFFSET = 1;
/** In every namespace. */
export const LOOPBACK_INDEX = 1;
const IPV4_FORWARD = '/proc/sys/net/ipv4/ip_forward';
const IPV6_CONF = '/proc/sys/net/ipv6/conf';
const IPV6_FORWARD = `${IPV6_CONF}/all/forwarding`;
const { ENETUNREACH, EHOSTUNREACH, EACCES, EINVAL } = constants.errno;
/** EACCES is a prohibit route, EINVAL a blackhole. */
const NO_ROUTE = [ENETUNREACH, EHOSTUNREACH, EACCES, EINVAL];
/** Of ranges kept for documentation: stand for "anywhere outside". */
const outside = (family: IpFamily): IpAddress =>
  ipOf(family === 4 ? '198.51.100.1' : '2001:db8::1') ?? { family, bits: 0n };
const DEFAULT_MTU = 1500;
/** Loopback and some virtual links claim more than a frame may have. */
const MAX_MTU = 65_000;
