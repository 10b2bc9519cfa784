import { createHash } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import {
  formatIp,
  formatPrefix,
  hostPrefix,
  ipAt,
  ipOf,
  networkOf,
  prefixesOverlap,
  rangeOf,
  type IpPrefix,
} from '../../lib/net/ip';
import { NetworkError } from './errors';
import { ipJson, labCommand } from './lab-command';
import { shortHash } from './names';

export interface LabNetworkOptions {
  /** `[a-z0-9-]`, at most 32. */
  readonly name: string;
  /** How many nodes; at most `MAX_LAB_NODES`. */
  readonly nodes: number;
  /** A /24. Default: one that overlaps nothing on this machine, the same each time if it can be. */
  readonly subnet?: string;
  /** Whether nodes have IPv6, too: in a range of their own, made of the name. Default false. */
  readonly hasIpv6?: boolean;
  /** Nodes that know no way out: what is outside the lab is unreachable at once. Default false. */
  readonly isIsolated?: boolean;
}

export interface LabNetwork {
  readonly bridge: string;
  /** The bridge's address: this machine, as nodes see it. */
  readonly gateway: string;
  /** Likewise of IPv6, where the lab has that. */
  readonly gateway6?: string;
  readonly subnet: string;
  readonly nodes: readonly LabNode[];
}

export interface LabNode {
  /** `node-1`, `node-2`, ... */
  readonly name: string;
  /** Path of the network namespace, to enter it with. */
  readonly netns: string;
  readonly address: string;
  /** Of IPv6, where the lab has that. */
  readonly address6?: string;
  readonly gateway: string;
}

/**
 * Gives each node of a local cluster a network namespace of its own, joined by a bridge that also
 * holds an address of this machine. Touches no other interface, and no setting of the machine.
 * Idempotent; with a larger `nodes` it adds to what exists.
 */
export const createLabNetwork = async (options: LabNetworkOptions): Promise<LabNetwork> => {
  const { name, nodes: nodeCount } = options;
  checkName(name);
  if (!Number.isInteger(nodeCount) || nodeCount < 1 || nodeCount > MAX_LAB_NODES) {
    throw new NetworkError('lab', `nodes must be between 1 and ${MAX_LAB_NODES}, not ${nodeCount}`);
  }
  const bridge = bridgeNameOf(name);
  const subnet = (await subnetOf(bridge)) ?? (await chooseSubnet(options));
  const gateway = formatIp(ipAt(subnet, 1));
  await ensureBridge(name, bridge, `${gateway}/${subnet.length}`);
  const subnet6 = options.hasIpv6 === true ? subnet6Of(name) : undefined;
  const gateway6 = subnet6 === undefined ? undefined : formatIp(ipAt(subnet6, 1));
  if (gateway6 !== undefined) await giveIpv6(bridge, gateway6);
  const existing = new Set(await namesOf('link', 'show', 'type', 'veth'));
  const nodes: LabNode[] = [];
  for (let number = 1; number <= nodeCount; number++) {
    const address = formatIp(ipAt(subnet, FIRST_NODE_OFFSET + number - 1));
    const node = { name: `node-${number}`, netns: netnsPathOf(name, number), address, gateway };
    await ensureNode(name, number, node, subnet.length, existing);
    await setWayOut(node, options.isIsolated === true);
    if (subnet6 === undefined) nodes.push(node);
    else {
      const address6 = formatIp(ipAt(subnet6, FIRST_NODE_OFFSET + number - 1));
      await giveIpv6('eth0', address6, namespaceOf(node));
      nodes.push({ ...node, address6 });
    }
  }
  const ofIpv6 = gateway6 === undefined ? {} : { gateway6 };
  return { bridge, gateway, ...ofIpv6, subnet: formatPrefix(subnet), nodes };
};

/** Leaves nothing of the lab's namespaces and interfaces, whatever state they were in. Idempotent. */
export const destroyLabNetwork = async (name: string): Promise<void> => {
  checkName(name);
  // First the wires: a process still in a namespace would keep them alive.
  const wires = await namesOf('link', 'show', 'type', 'veth');
  for (const wire of wires.filter((other) => other.startsWith(wirePrefixOf(name)))) {
    await ip(['link', 'delete', wire], GONE);
  }
  for (const entry of await netnsEntries()) {
    const isOurs = entry.startsWith(`dhow-${name}-`) && NODE.test(entry.slice(name.length + 6));
    if (isOurs) await ip(['netns', 'delete', entry], GONE);
  }
  await ip(['link', 'delete', bridgeNameOf(name)], GONE);
};

/** Names of the labs whose bridge exists, also those of which no other trace is left. */
export const labNetworkNames = async (): Promise<string[]> => {
  const bridges = await ipJson('link', 'show', 'type', 'bridge');
  return bridges.flatMap(({ ifname, ifalias }) => {
    const name = typeof ifalias === 'string' ? /^dhow lab=(\S+)$/.exec(ifalias)?.[1] : undefined;
    return name !== undefined && ifname === bridgeNameOf(name) ? [name] : [];
  });
};

const ensureBridge = async (name: string, bridge: string, address: string): Promise<void> => {
  // With an address of its own, it does not change when the first port joins.
  const mac = macOf(name, 0);
  await ip(['link', 'add', bridge, 'address', mac, 'type', 'bridge', 'forward_delay', '0'], EXISTS);
  await ip(['link', 'set', bridge, 'alias', `dhow lab=${name}`, 'up']);
  await ip(['address', 'replace', address, 'dev', bridge]);
};

const ensureNode = async (
  name: string,
  number: number,
  { netns, address }: LabNode,
  prefixLength: number,
  existingLinks: ReadonlySet<string>,
): Promise<void> => {
  const namespace = namespaceOf({ netns });
  const isNew = await ip(['netns', 'add', namespace], EXISTS);
  const wire = `${wirePrefixOf(name)}${number}`;
  // A wire whose namespace is new leads to one that is gone.
  if (isNew && existingLinks.has(wire)) await ip(['link', 'delete', wire], GONE);
  if (isNew || !existingLinks.has(wire)) {
    const peer = ['peer', 'name', 'eth0', 'address', macOf(name, number), 'netns', namespace];
    await ip(['link', 'add', wire, 'type', 'veth', ...peer]);
  }
  await ip(['link', 'set', wire, 'master', bridgeNameOf(name), 'up']);
  const inside = (...args: string[]) => ip(['-n', namespace, ...args]);
  await inside('link', 'set', 'lo', 'up');
  await inside('address', 'replace', `${address}/${prefixLength}`, 'dev', 'eth0');
  await inside('link', 'set', 'eth0', 'up');
};

const namespaceOf = ({ netns }: Pick<LabNode, 'netns'>): string =>
  netns.slice(NETNS_DIR.length + 1);

/** At once: nobody else is on the wire who might have the address. */
const giveIpv6 = async (link: string, address: string, namespace?: string): Promise<void> => {
  const where = namespace === undefined ? [] : ['-n', namespace];
  const prefixed = `${address}/${SUBNET6_LENGTH}`;
  await ip([...where, '-6', 'address', 'replace', prefixed, 'dev', link, 'nodad']);
};

/** Of the unique local ranges (RFC 4193), which are for everybody: one by the name. */
const subnet6Of = (name: string): IpPrefix => {
  const id = shortHash(`ipv6 ${name}`, 14);
  const groups = [`fd${id.slice(0, 2)}`, id.slice(2, 6), id.slice(6, 10), id.slice(10)];
  const range = networkOf(`${groups.join(':')}::/${SUBNET6_LENGTH}`);
  if (range === undefined) throw new NetworkError('lab', `no range of IPv6 for ${name}`);
  return range;
};

const setWayOut = async (node: LabNode, isIsolated: boolean): Promise<void> => {
  const { gateway } = node;
  const inside = ['-n', namespaceOf(node), 'route'];
  if (isIsolated) await ip([...inside, 'delete', 'default'], NO_ROUTE);
  else await ip([...inside, 'replace', 'default', 'via', gateway]);
};

/** Where the pods of one node are. */
export interface PodRoute {
  readonly podCidr: string;
  readonly nodeAddress: string;
}

/** Lets this machine reach the pods of a lab. The routes go with the lab's bridge. Idempotent. */
export const routeToPods = async (name: string, routes: readonly PodRoute[]): Promise<void> => {
  for (const { podCidr, nodeAddress } of routes) {
    await ip(['route', 'replace', podCidr, 'via', nodeAddress, 'dev', bridgeNameOf(name)]);
  }
};

/** A /16 for pods that overlaps neither `others` nor what this machine has a route to. */
export const freePodRange = async (others: readonly string[]): Promise<string> => {
  const taken = [...(await takenRanges()), ...others.flatMap((text) => rangeOf(text) ?? [])];
  for (const second of POD_RANGES) {
    const text = `10.${second}.0.0/16`;
    const range = rangeOf(text);
    if (range !== undefined && !taken.some((other) => prefixesOverlap(other, range))) return text;
  }
  throw new NetworkError('lab', 'no free /16 for pods between 10.42.0.0 and 10.95.0.0');
};

/** Of a bridge that exists. */
const subnetOf = async (bridge: string): Promise<IpPrefix | undefined> => {
  for (const { ifname, addr_info: addresses } of await ipJson('-4', 'address', 'show')) {
    if (ifname !== bridge || !Array.isArray(addresses)) continue;
    for (const { local } of addresses as { local?: string }[]) {
      const subnet = networkOf(`${local ?? ''}/${SUBNET_LENGTH}`);
      if (subnet !== undefined) return subnet;
    }
  }
  return undefined;
};

const chooseSubnet = async ({ name, subnet: text }: LabNetworkOptions): Promise<IpPrefix> => {
  const taken = await takenRanges();
  const isFree = (subnet: IpPrefix) => !taken.some((other) => prefixesOverlap(other, subnet));
  if (text !== undefined) {
    const subnet = rangeOf(text);
    if (subnet?.length !== SUBNET_LENGTH || subnet.address.family !== 4)
      throw new NetworkError('lab', `subnet ${text} is not a /24`);
    if (!isFree(subnet)) throw new NetworkError('lab', `subnet ${text} is in use on this machine`);
    return subnet;
  }
  const first = createHash('sha256').update(name).digest().readUInt32BE(0);
  for (let tried = 0; tried < SUBNET_COUNT; tried++) {
    const offset = ((first + tried) % SUBNET_COUNT) * 256;
    const subnet = { address: ipAt(SUBNETS, offset), length: SUBNET_LENGTH };
    if (isFree(subnet)) return subnet;
  }
  throw new NetworkError('lab', 'no free /24 in 10.128.0.0/10');
};

/** Every destination this machine has a route to, but the default one. */
const takenRanges = async (): Promise<IpPrefix[]> =>
  (await ipJson('-4', 'route', 'show', 'table', 'all')).flatMap(({ dst }) => {
    if (typeof dst !== 'string') return [];
    const alone = ipOf(dst);
    const range = alone === undefined ? rangeOf(dst) : hostPrefix(alone);
    return range === undefined || range.length === 0 ? [] : [range];
  });

const netnsEntries = async (): Promise<string[]> => {
  try {
    return await readdir(NETNS_DIR);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
};

const namesOf = async (...args: string[]): Promise<string[]> =>
  (await ipJson(...args)).flatMap(({ ifname }) => (typeof ifname === 'string' ? [ifname] : []));

/** False when it failed in a way that `tolerated` describes. */
const ip = async (args: readonly string[], tolerated?: RegExp): Promise<boolean> => {
  try {
    await labCommand(['ip', ...args]);
    return true;
  } catch (error) {
    if (error instanceof Error && tolerated?.test(error.message) === true) return false;
    throw error;
  }
};

const checkName = (name: string): void => {
  if (!NAME.test(name)) {
    throw new NetworkError(
      'lab',
      `name ${JSON.stringify(name)} must be 1 to 32 of [a-z0-9-], a letter or digit at both ends`,
    );
  }
};

/** Where a node of a lab is connected. */
export interface LabPlace {
  /** Path of its network namespace, in which its end is `eth0`. */
  readonly netns: string;
  /** The end of this machine, in the bridge. */
  readonly wire: string;
}

/** Pure: whether there is such a node is another question. @throws NetworkError when it cannot be one's name */
export const labPlaceOf = (name: string, node: string): LabPlace => {
  checkName(name);
  if (!NODE.test(node)) throw new NetworkError('lab', `${node} is no node of a lab`);
  const number = Number(node.slice('node-'.length));
  return { netns: netnsPathOf(name, number), wire: `${wirePrefixOf(name)}${number}` };
};

/** The bridge of a lab; the links of its nodes bear the same hash. */
export const bridgeNameOf = (name: string): string => `dhow-${shortHash(name, 8)}`;
const wirePrefixOf = (name: string): string => `dhn${shortHash(name, 8)}n`;
const netnsPathOf = (name: string, number: number): string =>
  `${NETNS_DIR}/dhow-${name}-node-${number}`;

const macOf = (name: string, number: number): string =>
  ['02', ...(shortHash(`${name}\0${number}`, 10).match(/../g) ?? [])].join(':');

/** Keeps the last part of an interface name at three digits. */
export const MAX_LAB_NODES = 200;

const NAME = /^[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?$/;
const NODE = /^node-\d{1,3}$/;
const NETNS_DIR = '/run/netns';
/** The bridge has .1. */
const FIRST_NODE_OFFSET = 11;
/** 10.128.0.0/10: clear of the usual pod (10.244.0.0/16) and service (10.96.0.0/12) ranges. */
const SUBNETS = { address: ipOf('10.128.0.0') ?? { family: 4, bits: 0n }, length: 10 } as const;
const SUBNET_LENGTH = 24;
const SUBNET6_LENGTH = 64;
const SUBNET_COUNT = 64 * 256;
/** 10.42.0.0/16 first; 10.43.0.0/16 is where services usually are. */
const POD_RANGES = Array.from({ length: 54 }, (_none, i) => 42 + i).filter((i) => i !== 43);
const EXISTS = /File exists/;
const NO_ROUTE = /No such process/;
const GONE = /Cannot find device|No such file or directory/;
