import { readFileSync, writeFileSync } from 'node:fs';
import { constants } from 'node:os';
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
  /** This node's address on it, if it has one. */
  readonly address: number | undefined;
  readonly interfaceIndex: number;
  readonly mtu: number;
}

/** The interface with `nodeAddress`, else the one towards the world, else a guess. */
export const findUnderlay = async (
  socket: NetlinkSocket,
  nodeAddress: number | undefined,
): Promise<Underlay> => {
  const addresses = (await socket.dump(listAddresses())).map(decodeAddress);
  const own = addresses.find(({ address }) => address !== undefined && address === nodeAddress);
  const route = own === undefined ? await routeTo(socket, OUTSIDE_ADDRESS) : undefined;
  const interfaceIndex = own?.interfaceIndex ?? route?.interfaceIndex ?? 0;
  const links = (await socket.dump(listLinks())).map(decodeLink);
  const link = links.find(({ index }) => index === interfaceIndex);
  return {
    address: own?.address ?? route?.source,
    interfaceIndex,
    mtu: link === undefined ? DEFAULT_MTU : Math.min(link.mtu, MAX_MTU),
  };
};

/** Undefined when there is no way. */
export const routeTo = async (
  socket: NetlinkSocket,
  address: number,
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
 */
export const enableForwarding = (): void => {
  // Written only when needed: where /proc/sys is read-only, someone else has set it.
  if (readFileSync(IP_FORWARD, 'utf8').trim() !== '1') writeFileSync(IP_FORWARD, '1');
};

/**
 * A node without any address, as a laptop offline, still has to speak to its pods: it gets one on the
 * loopback interface, labelled so that `removeOwnAddress` finds it.
 */
export const addOwnAddress = (
  socket: NetlinkSocket,
  prefix: string,
  address: number,
): Promise<void> =>
  socket.run([
    setLink(LOOPBACK_INDEX, { isUp: true }),
    setAddress(LOOPBACK_INDEX, address, labelOf(prefix)),
  ]);

/** Idempotent. */
export const removeOwnAddress = async (socket: NetlinkSocket, prefix: string): Promise<void> => {
  const addresses = (await socket.dump(listAddresses())).map(decodeAddress);
  await socket.run(
    addresses.flatMap(({ address, label }) =>
      address !== undefined && label === labelOf(prefix)
        ? [deleteAddress(LOOPBACK_INDEX, address)]
        : [],
    ),
  );
};

const labelOf = (prefix: string): string => `lo:${prefix}`;

/** In every namespace. */
export const LOOPBACK_INDEX = 1;
const IP_FORWARD = '/proc/sys/net/ipv4/ip_forward';
const { ENETUNREACH, EHOSTUNREACH, EACCES, EINVAL } = constants.errno;
/** EACCES is a prohibit route, EINVAL a blackhole. */
const NO_ROUTE = [ENETUNREACH, EHOSTUNREACH, EACCES, EINVAL];
/** Of a range kept for documentation: stands for "anywhere outside". */
const OUTSIDE_ADDRESS = 0xc6336401;
const DEFAULT_MTU = 1500;
/** Loopback and some virtual links claim more than a frame may have. */
const MAX_MTU = 65_000;
