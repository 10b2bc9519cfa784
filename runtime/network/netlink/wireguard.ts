import { ipBytes, ipOfBytes, type IpAddress, type IpPrefix } from '../../../lib/net/ip';
import { GENERIC_HEADER_BYTES, genericHeader } from './generic';
import {
  afOf,
  AF_INET,
  AF_INET6,
  attribute,
  cString,
  decodeAttributes,
  listAttributes,
  nestedAttribute,
  u16,
  u16be,
  u32,
  u8,
  type NetlinkMessage,
  type NetlinkRequest,
} from './wire';

/** Keys are texts of base64, as `wg` prints them. */
export interface WireguardPeer {
  readonly publicKey: string;
  /** Where packets to it are sent; it is followed where it moves to. */
  readonly endpoint: IpAddress;
  readonly port: number;
  /** What may come from it, and what goes to it. */
  readonly allowedIps: readonly IpPrefix[];
}

/** A peer as it is in the kernel. */
export interface PresentPeer extends Omit<WireguardPeer, 'endpoint' | 'port'> {
  readonly endpoint?: IpAddress;
  readonly port?: number;
  /** A secret that both must know beside their keys. */
  readonly hasPresharedKey: boolean;
}

export interface WireguardDevice {
  readonly privateKey: string;
  readonly port: number;
  readonly firewallMark: number;
  readonly peers: readonly PresentPeer[];
}

/** @param family the number of the netlink family `wireguard` */
export const getDevice = (family: number, name: string): NetlinkRequest => ({
  type: family,
  flags: 0,
  what: `read interface ${name}`,
  body: Buffer.concat([
    genericHeader(WG_CMD_GET_DEVICE, WG_GENL_VERSION),
    attribute(WGDEVICE_A_IFNAME, cString(name)),
  ]),
});

/** Of the messages of one dump: a peer that does not fit one goes on in the next. */
export const decodeDevice = (messages: readonly NetlinkMessage[]): WireguardDevice => {
  const device = { privateKey: '', port: 0, firewallMark: 0 };
  const peers = new Map<string, PresentPeer>();
  for (const { payload } of messages) {
    const attributes = decodeAttributes(payload.subarray(GENERIC_HEADER_BYTES));
    const privateKey = attributes.get(WGDEVICE_A_PRIVATE_KEY);
    if (privateKey !== undefined) device.privateKey = privateKey.toString('base64');
    device.port = attributes.get(WGDEVICE_A_LISTEN_PORT)?.readUInt16LE() ?? device.port;
    device.firewallMark = attributes.get(WGDEVICE_A_FWMARK)?.readUInt32LE() ?? device.firewallMark;
    for (const [, bytes] of listAttributes(attributes.get(WGDEVICE_A_PEERS) ?? NOTHING)) {
      const peer = decodePeer(bytes);
      const begun = peers.get(peer.publicKey);
      const allowedIps = [...(begun?.allowedIps ?? []), ...peer.allowedIps];
      peers.set(peer.publicKey, { ...peer, ...begun, allowedIps });
    }
  }
  return { ...device, peers: [...peers.values()] };
};

const decodePeer = (bytes: Buffer): PresentPeer => {
  const attributes = decodeAttributes(bytes);
  const presharedKey = attributes.get(WGPEER_A_PRESHARED_KEY) ?? NOTHING;
  return {
    publicKey: (attributes.get(WGPEER_A_PUBLIC_KEY) ?? NOTHING).toString('base64'),
    hasPresharedKey: presharedKey.some((byte) => byte !== 0),
    ...decodeEndpoint(attributes.get(WGPEER_A_ENDPOINT) ?? NOTHING),
    allowedIps: listAttributes(attributes.get(WGPEER_A_ALLOWEDIPS) ?? NOTHING).flatMap(
      ([, allowed]) => decodeAllowed(allowed),
    ),
  };
};

/** `struct sockaddr_in`, or `struct sockaddr_in6` */
const decodeEndpoint = (bytes: Buffer): { endpoint?: IpAddress; port?: number } => {
  const length =
    bytes.length === SOCKADDR_IN_BYTES ? 4 : bytes.length === SOCKADDR_IN6_BYTES ? 16 : 0;
  const start = length === 4 ? 4 : 8;
  const endpoint = ipOfBytes(bytes.subarray(start, start + length));
  return endpoint === undefined ? {} : { endpoint, port: bytes.readUInt16BE(2) };
};

const decodeAllowed = (bytes: Buffer): readonly IpPrefix[] => {
  const attributes = decodeAttributes(bytes);
  const address = ipOfBytes(attributes.get(WGALLOWEDIP_A_IPADDR) ?? NOTHING);
  const length = attributes.get(WGALLOWEDIP_A_CIDR_MASK)?.readUInt8();
  return address === undefined || length === undefined ? [] : [{ address, length }];
};

/** What a device has beside its peers. Sessions go on where the key stays the same. */
export const setDevice = (
  family: number,
  name: string,
  { privateKey, port }: { readonly privateKey: string; readonly port: number },
): NetlinkRequest =>
  setRequest(family, name, [
    attribute(WGDEVICE_A_PRIVATE_KEY, keyBytes(privateKey)),
    attribute(WGDEVICE_A_LISTEN_PORT, u16(port)),
    attribute(WGDEVICE_A_FWMARK, u32(0)),
  ]);

/** Adds peers, or makes those that are there be so. */
export const setPeers = (
  family: number,
  name: string,
  peers: readonly WireguardPeer[],
): readonly NetlinkRequest[] =>
  inParts(peers).map((part) =>
    setRequest(family, name, [
      nestedAttribute(WGDEVICE_A_PEERS, ...part.map((peer) => nestedAttribute(0, peerBody(peer)))),
    ]),
  );

export const removePeers = (
  family: number,
  name: string,
  publicKeys: readonly string[],
): readonly NetlinkRequest[] =>
  inParts(publicKeys).map((part) =>
    setRequest(family, name, [
      nestedAttribute(
        WGDEVICE_A_PEERS,
        ...part.map((key) =>
          nestedAttribute(
            0,
            attribute(WGPEER_A_PUBLIC_KEY, keyBytes(key)),
            attribute(WGPEER_A_FLAGS, u32(WGPEER_F_REMOVE_ME)),
          ),
        ),
      ),
    ]),
  );

const setRequest = (
  family: number,
  name: string,
  attributes: readonly Uint8Array[],
): NetlinkRequest => ({
  type: family,
  flags: 0,
  what: `set up interface ${name}`,
  body: Buffer.concat([
    genericHeader(WG_CMD_SET_DEVICE, WG_GENL_VERSION),
    attribute(WGDEVICE_A_IFNAME, cString(name)),
    ...attributes,
  ]),
});

const peerBody = ({ publicKey, endpoint, port, allowedIps }: WireguardPeer): Buffer =>
  Buffer.concat([
    attribute(WGPEER_A_PUBLIC_KEY, keyBytes(publicKey)),
    attribute(WGPEER_A_PRESHARED_KEY, Buffer.alloc(KEY_BYTES)),
    attribute(WGPEER_A_FLAGS, u32(WGPEER_F_REPLACE_ALLOWEDIPS)),
    attribute(WGPEER_A_ENDPOINT, encodeEndpoint(endpoint, port)),
    nestedAttribute(
      WGPEER_A_ALLOWEDIPS,
      ...allowedIps.map(({ address, length }) =>
        nestedAttribute(
          0,
          attribute(WGALLOWEDIP_A_FAMILY, u16(afOf(address))),
          attribute(WGALLOWEDIP_A_IPADDR, ipBytes(address)),
          attribute(WGALLOWEDIP_A_CIDR_MASK, u8(length)),
        ),
      ),
    ),
  ]);

const encodeEndpoint = (address: IpAddress, port: number): Buffer =>
  address.family === 4
    ? Buffer.concat([u16(AF_INET), u16be(port), ipBytes(address), Buffer.alloc(8)])
    : Buffer.concat([u16(AF_INET6), u16be(port), u32(0), ipBytes(address), u32(0)]);

const keyBytes = (key: string): Buffer => Buffer.from(key, 'base64');

const inParts = <T>(all: readonly T[]): readonly (readonly T[])[] =>
  Array.from({ length: Math.ceil(all.length / MAX_PEERS) }, (_, i) =>
    all.slice(i * MAX_PEERS, (i + 1) * MAX_PEERS),
  );

const NOTHING = Buffer.alloc(0);
const KEY_BYTES = 32;
const SOCKADDR_IN_BYTES = 16;
const SOCKADDR_IN6_BYTES = 28;
/** In one request: an attribute holds 64 KiB at most, a peer takes less than 300 bytes. */
const MAX_PEERS = 64;

/** @see linux/wireguard.h */
const WG_GENL_VERSION = 1;
const WG_CMD_GET_DEVICE = 0;
const WG_CMD_SET_DEVICE = 1;
const WGDEVICE_A_IFNAME = 2;
const WGDEVICE_A_PRIVATE_KEY = 3;
const WGDEVICE_A_LISTEN_PORT = 6;
const WGDEVICE_A_FWMARK = 7;
const WGDEVICE_A_PEERS = 8;
const WGPEER_A_PUBLIC_KEY = 1;
const WGPEER_A_PRESHARED_KEY = 2;
const WGPEER_A_FLAGS = 3;
const WGPEER_A_ENDPOINT = 4;
const WGPEER_A_ALLOWEDIPS = 9;
const WGPEER_F_REMOVE_ME = 1;
const WGPEER_F_REPLACE_ALLOWEDIPS = 2;
const WGALLOWEDIP_A_FAMILY = 1;
const WGALLOWEDIP_A_IPADDR = 2;
const WGALLOWEDIP_A_CIDR_MASK = 3;
