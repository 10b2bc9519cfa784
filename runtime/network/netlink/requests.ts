import { constants } from 'node:os';
import {
  formatIp,
  formatPrefix,
  ipBytes,
  widthOf,
  type IpAddress,
  type IpPrefix,
} from '../../../lib/net/ip';
import {
  addressAmong,
  afOf,
  AF_INET,
  AF_INET6,
  AF_UNSPEC,
  attribute,
  cString,
  decodeAttributes,
  familyOfAf,
  fromCString,
  NLM_F_CREATE,
  NLM_F_EXCL,
  NLM_F_REPLACE,
  u16be,
  u32,
  u8,
  type NetlinkMessage,
  type NetlinkRequest,
} from './wire';

const { EADDRNOTAVAIL, EEXIST, ENODEV, ESRCH, ENOENT } = constants.errno;

export interface Link {
  readonly index: number;
  readonly name: string;
  readonly alias: string;
  readonly mtu: number;
  /** Of the other end, in whichever namespace it is. */
  readonly peerIndex: number;
  /** How often it has lost or found its link. */
  readonly carrierChanges: number;
}

export interface VethSpec {
  readonly name: string;
  readonly mac: Uint8Array;
  readonly mtu: number;
  readonly peer: { readonly name: string; readonly mac: Uint8Array; readonly netnsFd: number };
}

/** Both ends at once, the peer born in its namespace. */
export const createVeth = ({ name, mac, mtu, peer }: VethSpec): NetlinkRequest => ({
  type: RTM_NEWLINK,
  flags: NLM_F_CREATE | NLM_F_EXCL,
  what: `create interface ${name}`,
  body: Buffer.concat([
    linkHeader(),
    attribute(IFLA_IFNAME, cString(name)),
    attribute(IFLA_ADDRESS, mac),
    attribute(IFLA_MTU, u32(mtu)),
    attribute(
      IFLA_LINKINFO,
      attribute(IFLA_INFO_KIND, cString('veth')),
      attribute(
        IFLA_INFO_DATA,
        attribute(
          VETH_INFO_PEER,
          linkHeader(),
          attribute(IFLA_IFNAME, cString(peer.name)),
          attribute(IFLA_ADDRESS, peer.mac),
          attribute(IFLA_MTU, u32(mtu)),
          attribute(IFLA_NET_NS_FD, u32(peer.netnsFd)),
        ),
      ),
    ),
  ]),
});

export const createBridge = (name: string): NetlinkRequest => ({
  type: RTM_NEWLINK,
  flags: NLM_F_CREATE | NLM_F_EXCL,
  what: `create interface ${name}`,
  accepts: [EEXIST],
  body: Buffer.concat([
    linkHeader(),
    attribute(IFLA_IFNAME, cString(name)),
    attribute(IFLA_LINKINFO, attribute(IFLA_INFO_KIND, cString('bridge'))),
  ]),
});

/** Whom it speaks to, and under which key, is said by netlink/wireguard.ts. */
export const createWireguard = (name: string): NetlinkRequest => ({
  type: RTM_NEWLINK,
  flags: NLM_F_CREATE | NLM_F_EXCL,
  what: `create interface ${name} (wireguard)`,
  accepts: [EEXIST],
  body: Buffer.concat([
    linkHeader(),
    attribute(IFLA_IFNAME, cString(name)),
    attribute(IFLA_LINKINFO, attribute(IFLA_INFO_KIND, cString('wireguard'))),
  ]),
});

export interface VxlanSpec {
  readonly name: string;
  readonly mac: Uint8Array;
  readonly mtu: number;
  readonly vni: number;
  readonly port: number;
  /** An end of the tunnel; those of its peers have the same family. */
  readonly local: IpAddress;
  readonly underlayIndex: number;
}

/** No learning: every peer's hardware address follows from its pod range. */
export const createVxlan = (spec: VxlanSpec): NetlinkRequest => ({
  type: RTM_NEWLINK,
  flags: NLM_F_CREATE | NLM_F_EXCL,
  what: `create interface ${spec.name}`,
  accepts: [EEXIST],
  body: Buffer.concat([
    linkHeader(),
    attribute(IFLA_IFNAME, cString(spec.name)),
    attribute(IFLA_ADDRESS, spec.mac),
    attribute(IFLA_MTU, u32(spec.mtu)),
    attribute(
      IFLA_LINKINFO,
      attribute(IFLA_INFO_KIND, cString('vxlan')),
      attribute(
        IFLA_INFO_DATA,
        attribute(IFLA_VXLAN_ID, u32(spec.vni)),
        attribute(IFLA_VXLAN_LINK, u32(spec.underlayIndex)),
        attribute(
          spec.local.family === 4 ? IFLA_VXLAN_LOCAL : IFLA_VXLAN_LOCAL6,
          ipBytes(spec.local),
        ),
        attribute(IFLA_VXLAN_LEARNING, u8(0)),
        attribute(IFLA_VXLAN_PORT, u16be(spec.port)),
      ),
    ),
  ]),
});

export const setLink = (
  target: number | string,
  change: {
    readonly isUp?: true;
    readonly alias?: string;
    readonly mtu?: number;
    /** Drop what would not go back out on it: the strict reverse path filter of RFC 3704. */
    readonly checksSource?: true;
    /** Never gets an address of IPv6 by itself, and so never looks for whoever else has that. */
    readonly hasNoLinkLocal?: true;
  },
): NetlinkRequest => ({
  type: RTM_SETLINK,
  flags: 0,
  what: `set interface ${target}`,
  accepts: change.isUp === true ? [] : [ENODEV],
  body: Buffer.concat([
    linkHeader(typeof target === 'number' ? target : 0, change.isUp === true ? IFF_UP : 0),
    ...(typeof target === 'string' ? [attribute(IFLA_IFNAME, cString(target))] : []),
    ...(change.alias === undefined ? [] : [attribute(IFLA_IFALIAS, Buffer.from(change.alias))]),
    ...(change.mtu === undefined ? [] : [attribute(IFLA_MTU, u32(change.mtu))]),
    ...familySettings(change),
  ]),
});

const familySettings = (change: {
  readonly checksSource?: true;
  readonly hasNoLinkLocal?: true;
}): readonly Buffer[] => {
  const settings = [
    ...(change.checksSource === undefined ? [] : [strictSources()]),
    ...(change.hasNoLinkLocal === undefined ? [] : [noLinkLocal()]),
  ];
  return settings.length === 0 ? [] : [attribute(IFLA_AF_SPEC, ...settings)];
};

/** Slow: the kernel waits about 30 ms. Dropping the peer's namespace does the same for nothing. */
export const deleteLink = (name: string): NetlinkRequest => ({
  type: RTM_DELLINK,
  flags: 0,
  what: `delete interface ${name}`,
  accepts: [ENODEV],
  body: Buffer.concat([linkHeader(), attribute(IFLA_IFNAME, cString(name))]),
});

export const getLink = (name: string): NetlinkRequest => ({
  type: RTM_GETLINK,
  flags: 0,
  what: `interface ${name}`,
  body: Buffer.concat([linkHeader(), attribute(IFLA_IFNAME, cString(name))]),
});

export const getLinkByIndex = (index: number): NetlinkRequest => ({
  type: RTM_GETLINK,
  flags: 0,
  what: `interface ${index}`,
  body: linkHeader(index),
});

export const listLinks = (): NetlinkRequest => ({
  type: RTM_GETLINK,
  flags: 0,
  what: 'list interfaces',
  body: linkHeader(),
});

export const decodeLink = ({ payload }: NetlinkMessage): Link => {
  const attributes = decodeAttributes(payload.subarray(LINK_HEADER_BYTES));
  return {
    index: payload.readInt32LE(4),
    name: fromCString(attributes.get(IFLA_IFNAME) ?? Buffer.alloc(0)),
    alias: fromCString(attributes.get(IFLA_IFALIAS) ?? Buffer.alloc(0)),
    mtu: attributes.get(IFLA_MTU)?.readUInt32LE() ?? 0,
    peerIndex: attributes.get(IFLA_LINK)?.readUInt32LE() ?? 0,
    carrierChanges: attributes.get(IFLA_CARRIER_CHANGES)?.readUInt32LE() ?? 0,
  };
};

/** @param label starts with the interface's name */
export const setAddress = (index: number, address: IpAddress, label?: string): NetlinkRequest => ({
  type: RTM_NEWADDR,
  flags: NLM_F_CREATE | NLM_F_REPLACE,
  what: `set address ${formatIp(address)}`,
  body: addressBody(index, address, label),
});

/** One that the kernel never chooses as the source of a packet by itself. */
export const setHostAddress = (index: number, address: IpAddress): NetlinkRequest => ({
  type: RTM_NEWADDR,
  flags: NLM_F_CREATE | NLM_F_REPLACE,
  what: `set address ${formatIp(address)}`,
  body: addressBody(index, address, undefined, RT_SCOPE_HOST),
});

export const deleteAddress = (index: number, address: IpAddress): NetlinkRequest => ({
  type: RTM_DELADDR,
  flags: 0,
  what: `delete address ${formatIp(address)}`,
  accepts: [EADDRNOTAVAIL, ENODEV],
  body: addressBody(index, address),
});

export const listAddresses = (): NetlinkRequest => ({
  type: RTM_GETADDR,
  flags: 0,
  what: 'list addresses',
  body: Buffer.concat([u8(AF_UNSPEC, 0, 0, 0), u32(0)]),
});

/** `address` is undefined for what is neither IPv4 nor IPv6. */
export const decodeAddress = ({ payload }: NetlinkMessage) => {
  const attributes = decodeAttributes(payload.subarray(ADDRESS_HEADER_BYTES));
  return {
    interfaceIndex: payload.readUInt32LE(4),
    address: addressAmong(attributes, IFA_LOCAL, IFA_ADDRESS),
    label: fromCString(attributes.get(IFA_LABEL) ?? Buffer.alloc(0)),
  };
};

export interface Route {
  readonly destination: IpPrefix;
  readonly type: 'unicast' | 'unreachable' | 'local';
  readonly gateway?: IpAddress;
  readonly interfaceIndex?: number;
  readonly source?: IpAddress;
  /** The gateway is a neighbour whatever the addresses say. */
  readonly isOnLink?: boolean;
  /** The largest packet that fits the way, where that is less than the interface takes. */
  readonly mtu?: number;
}

export const setRoute = (route: Route, protocol = ROUTE_PROTOCOL): NetlinkRequest => ({
  type: RTM_NEWROUTE,
  flags: NLM_F_CREATE | NLM_F_REPLACE,
  what: `set route to ${formatPrefix(route.destination)}`,
  body: routeBody(route, protocol),
});

/** Only one of that protocol: what somebody else has set is left. */
export const deleteRoute = (route: Route, protocol = ROUTE_PROTOCOL): NetlinkRequest => ({
  type: RTM_DELROUTE,
  flags: 0,
  what: `delete route to ${formatPrefix(route.destination)}`,
  accepts: [ESRCH, ENODEV],
  body: routeBody(route, protocol),
});

/** Which way a packet to `address` goes. */
export const lookUpRoute = (address: IpAddress): NetlinkRequest => ({
  type: RTM_GETROUTE,
  flags: 0,
  what: `look up route to ${formatIp(address)}`,
  body: Buffer.concat([
    u8(afOf(address), widthOf(address), 0, 0, 0, 0, 0, 0),
    u32(0),
    attribute(RTA_DST, ipBytes(address)),
  ]),
});

export const listRoutes = (): NetlinkRequest => ({
  type: RTM_GETROUTE,
  flags: 0,
  what: 'list routes',
  body: Buffer.concat([u8(AF_UNSPEC, 0, 0, 0, 0, 0, 0, 0), u32(0)]),
});

/** A route with where it came from; undefined for what this room has no use for. */
export const decodeRoute = ({
  payload,
}: NetlinkMessage): (Route & { readonly protocol: number }) | undefined => {
  const type = ROUTE_TYPES.find(([, number]) => number === payload.readUInt8(7))?.[0];
  const family = familyOfAf(payload.readUInt8(0));
  if (type === undefined || family === undefined) return undefined;
  const attributes = decodeAttributes(payload.subarray(ROUTE_HEADER_BYTES));
  const gateway = addressAmong(attributes, RTA_GATEWAY);
  const interfaceIndex = attributes.get(RTA_OIF)?.readUInt32LE();
  const source = addressAmong(attributes, RTA_PREFSRC);
  const address = addressAmong(attributes, RTA_DST) ?? { family, bits: 0n };
  return {
    destination: { address, length: payload.readUInt8(1) },
    type,
    protocol: payload.readUInt8(5),
    ...(gateway === undefined ? {} : { gateway }),
    ...(interfaceIndex === undefined ? {} : { interfaceIndex }),
    ...(source === undefined ? {} : { source }),
  };
};

/** Never asked for, by ARP or by neighbour discovery; never aged out. */
export const setNeighbour = (
  index: number,
  address: IpAddress,
  mac: Uint8Array,
): NetlinkRequest => ({
  type: RTM_NEWNEIGH,
  flags: NLM_F_CREATE | NLM_F_REPLACE,
  what: `set neighbour ${formatIp(address)}`,
  body: neighbourBody(afOf(address), index, 0, address, mac),
});

/** Which node the tunnel sends a hardware address to. */
export const setForwarding = (index: number, node: IpAddress, mac: Uint8Array): NetlinkRequest => ({
  type: RTM_NEWNEIGH,
  flags: NLM_F_CREATE | NLM_F_REPLACE,
  what: `set tunnel end ${formatIp(node)}`,
  body: neighbourBody(AF_BRIDGE, index, NTF_SELF, node, mac),
});

export const deleteForwarding = (
  index: number,
  node: IpAddress,
  mac: Uint8Array,
): NetlinkRequest => ({
  type: RTM_DELNEIGH,
  flags: 0,
  what: `delete tunnel end ${formatIp(node)}`,
  accepts: [ENOENT],
  body: neighbourBody(AF_BRIDGE, index, NTF_SELF, node, mac),
});

export const listForwarding = (index: number): NetlinkRequest => ({
  type: RTM_GETNEIGH,
  flags: 0,
  what: 'list tunnel ends',
  // The bridge family takes an interface header here.
  body: Buffer.concat([u8(AF_BRIDGE, 0, 0, 0), u32(index), u32(0), u32(0)]),
});

export const decodeForwarding = ({ payload }: NetlinkMessage) => {
  const attributes = decodeAttributes(payload.subarray(NEIGHBOUR_HEADER_BYTES));
  return {
    interfaceIndex: payload.readUInt32LE(4),
    node: addressAmong(attributes, NDA_DST),
    mac: attributes.get(NDA_LLADDR),
  };
};

const addressBody = (
  index: number,
  address: IpAddress,
  label?: string,
  scope = RT_SCOPE_UNIVERSE,
): Buffer =>
  Buffer.concat([
    // An address of IPv6 may be used at once: nobody else can have it, so nobody is asked.
    u8(afOf(address), widthOf(address), address.family === 6 ? IFA_F_NODAD : 0, scope),
    u32(index),
    attribute(IFA_LOCAL, ipBytes(address)),
    attribute(IFA_ADDRESS, ipBytes(address)),
    // Addresses of IPv6 have no labels.
    ...(label === undefined || address.family === 6 ? [] : [attribute(IFA_LABEL, cString(label))]),
  ]);

const neighbourBody = (
  family: number,
  index: number,
  flags: number,
  address: IpAddress,
  mac: Uint8Array,
): Buffer =>
  Buffer.concat([
    u8(family, 0, 0, 0),
    u32(index),
    u8(NUD_PERMANENT, 0, flags, 0),
    attribute(NDA_DST, ipBytes(address)),
    attribute(NDA_LLADDR, mac),
  ]);

/** Interface settings as under /proc/sys/net/ipv4/conf, without a file for each. */
const strictSources = (): Buffer =>
  attribute(
    AF_INET,
    attribute(IFLA_INET_CONF, attribute(IPV4_DEVCONF_RP_FILTER, u32(RP_FILTER_STRICT))),
  );

const noLinkLocal = (): Buffer =>
  attribute(AF_INET6, attribute(IFLA_INET6_ADDR_GEN_MODE, u8(IN6_ADDR_GEN_MODE_NONE)));

const linkHeader = (index = 0, up = 0): Buffer =>
  Buffer.concat([u8(0, 0, 0, 0), u32(index), u32(up), u32(up)]);

const routeBody = (route: Route, protocol: number): Buffer => {
  const { destination, gateway, interfaceIndex, source, isOnLink, mtu } = route;
  const isDirect = route.type === 'unicast' && gateway === undefined;
  const type = ROUTE_TYPES.find(([name]) => name === route.type)?.[1] ?? 0;
  const scope = isDirect ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE;
  return Buffer.concat([
    u8(afOf(destination.address), destination.length, 0, 0, RT_TABLE_MAIN, protocol, scope, type),
    u32(isOnLink === true ? RTNH_F_ONLINK : 0),
    attribute(RTA_DST, ipBytes(destination.address)),
    ...(gateway === undefined ? [] : [attribute(RTA_GATEWAY, ipBytes(gateway))]),
    ...(interfaceIndex === undefined ? [] : [attribute(RTA_OIF, u32(interfaceIndex))]),
    ...(source === undefined ? [] : [attribute(RTA_PREFSRC, ipBytes(source))]),
    ...(mtu === undefined ? [] : [attribute(RTA_METRICS, attribute(RTAX_MTU, u32(mtu)))]),
  ]);
};

/** Marks our routes among others', so that stale ones are found. */
export const ROUTE_PROTOCOL = 99;
/** Of the route to the range of services, which goes with its link. */
export const SERVICE_ROUTE_PROTOCOL = 98;
/** What an administrator's `ip route add` uses; right inside a pod, where nobody looks for ours. */
export const STATIC_ROUTE_PROTOCOL = 4;

const ROUTE_TYPES = [
  ['unicast', 1],
  ['local', 2],
  ['unreachable', 7],
] as const;

const LINK_HEADER_BYTES = 16;
const ADDRESS_HEADER_BYTES = 8;
const ROUTE_HEADER_BYTES = 12;
const AF_BRIDGE = 7;
const IFF_UP = 1;

const RTM_NEWLINK = 16;
const RTM_DELLINK = 17;
const RTM_GETLINK = 18;
const RTM_SETLINK = 19;
const RTM_NEWADDR = 20;
const RTM_DELADDR = 21;
const RTM_GETADDR = 22;
const RTM_NEWROUTE = 24;
const RTM_DELROUTE = 25;
const RTM_GETROUTE = 26;
const RTM_NEWNEIGH = 28;
const RTM_DELNEIGH = 29;
const RTM_GETNEIGH = 30;

const IFLA_ADDRESS = 1;
const IFLA_IFNAME = 3;
const IFLA_MTU = 4;
const IFLA_LINK = 5;
const IFLA_LINKINFO = 18;
const IFLA_IFALIAS = 20;
const IFLA_AF_SPEC = 26;
const IFLA_NET_NS_FD = 28;
const IFLA_CARRIER_CHANGES = 35;
const IFLA_INET_CONF = 1;
const IPV4_DEVCONF_RP_FILTER = 8;
const RP_FILTER_STRICT = 1;
const IFLA_INET6_ADDR_GEN_MODE = 8;
const IN6_ADDR_GEN_MODE_NONE = 1;
const IFLA_INFO_KIND = 1;
const IFLA_INFO_DATA = 2;
const VETH_INFO_PEER = 1;
const IFLA_VXLAN_ID = 1;
const IFLA_VXLAN_LINK = 3;
const IFLA_VXLAN_LOCAL = 4;
const IFLA_VXLAN_LEARNING = 7;
const IFLA_VXLAN_PORT = 15;
const IFLA_VXLAN_LOCAL6 = 17;

const IFA_F_NODAD = 2;
const IFA_ADDRESS = 1;
const IFA_LOCAL = 2;
const IFA_LABEL = 3;

const RTA_DST = 1;
const RTA_OIF = 4;
const RTA_GATEWAY = 5;
const RTA_PREFSRC = 7;
const RTA_METRICS = 8;
const RTAX_MTU = 2;
const RTNH_F_ONLINK = 4;
const RT_TABLE_MAIN = 254;
const RT_SCOPE_UNIVERSE = 0;
const RT_SCOPE_LINK = 253;
const RT_SCOPE_HOST = 254;

const NEIGHBOUR_HEADER_BYTES = 12;
const NDA_DST = 1;
const NDA_LLADDR = 2;
const NUD_PERMANENT = 0x80;
const NTF_SELF = 0x02;
