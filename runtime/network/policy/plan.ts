import { shortHash } from '../names';
import { cidrContains, parseIpv4, type Ipv4Cidr } from '../ipv4';
import type {
  PacketPeer,
  PacketPolicies,
  PacketPolicy,
  PacketPorts,
  PacketRule,
  SandboxPolicies,
  TransportProtocol,
} from '../../packet-policies';

/** What the kernel is to have. Names stand for content: what has a name never becomes another thing. */
export interface PolicyPlan {
  readonly chains: ReadonlyMap<string, PlannedChain>;
  /** Elements by the name of their set, in nft's notation. */
  readonly sets: ReadonlyMap<string, PlannedSet>;
  /** By address: the chain that decides. */
  readonly ingress: ReadonlyMap<string, string>;
  readonly egress: ReadonlyMap<string, string>;
  readonly guarded: readonly string[];
}

export type Direction = 'ingress' | 'egress';
export type SetKind = 'address' | 'port';

export interface PlannedSet {
  readonly kind: SetKind;
  readonly elements: ReadonlySet<string>;
}

/** Tries other chains, and drops what none of them lets pass; or lets pass what one of its rules matches. */
export type PlannedChain =
  | { readonly direction: Direction; readonly tries: readonly string[] }
  | { readonly direction: Direction; readonly rules: readonly PlannedRule[] };

export interface PlannedRule {
  readonly peer?: PlannedPeer;
  readonly ports?: PlannedPorts;
}

export type PlannedPeer =
  { readonly set: string } | { readonly block: Ipv4Cidr; readonly except: readonly Ipv4Cidr[] };

export type PlannedPorts =
  | { readonly protocol: TransportProtocol; readonly ranges: readonly PortRange[] | 'all' }
  | { readonly set: string };

/** Both ends belong to it. */
export interface PortRange {
  readonly first: number;
  readonly last: number;
}

/**
 * Pure: what the kernel is to have so that exactly what the policies allow passes, for the sandboxes of
 * which the address is known. IPv6 blocks match nothing: sandboxes have no such addresses.
 */
export const planPolicies = (
  policies: PacketPolicies,
  addresses: ReadonlyMap<string, string>,
): PolicyPlan => {
  const chains = new Map<string, PlannedChain>();
  const add = ({ name, chain }: NamedChain): string => {
    chains.set(name, chain);
    return name;
  };
  const decider = onceByKey((key: string, direction: Direction, ids: readonly string[]) => {
    const own = ids.flatMap((id) => {
      const policy = policies.policies.get(id);
      return policy === undefined ? [] : chainsOf(policy)[direction];
    });
    return add(named({ direction, tries: [...new Set(own.map(add))].sort() }));
  });
  const decidersOf = (direction: Direction): ReadonlyMap<string, string> => {
    const deciders = new Map<string, string>();
    for (const [sandbox, address] of addresses) {
      const ids = (policies.sandboxes.get(sandbox) ?? NOTHING_PASSES)[direction];
      if (ids !== undefined)
        deciders.set(address, decider([direction, ...ids].join('\n'), direction, ids));
    }
    return deciders;
  };
  const [ingress, egress] = [decidersOf('ingress'), decidersOf('egress')];
  const guarded = [...new Set(policies.guardedAddresses)].filter(isIpv4).sort();
  return { chains, sets: setsOf(chains, policies), ingress, egress, guarded };
};

/** Whether the kernel would let a new flow pass here, by the plan. Pure. */
export const wouldPass = (plan: PolicyPlan, flow: Flow): boolean => {
  if (flow.source === flow.destination) return true;
  return (
    [
      ['egress', flow.source],
      ['ingress', flow.destination],
    ] as const
  ).every(([direction, address]) => {
    const decider = plan[direction].get(address);
    return decider === undefined || chainPasses(plan, decider, flow);
  });
};

export interface Flow {
  readonly source: string;
  readonly destination: string;
  /** As in `/proc/net/protocols`, in small letters; what has no ports has port 0. */
  readonly protocol: string;
  readonly port: number;
}

export const setName = (id: string): string => `s${id}`;

const chainPasses = (plan: PolicyPlan, name: string, flow: Flow): boolean => {
  const chain = plan.chains.get(name);
  if (chain === undefined) return false;
  if ('tries' in chain) return chain.tries.some((each) => chainPasses(plan, each, flow));
  const peer = chain.direction === 'ingress' ? flow.source : flow.destination;
  return chain.rules.some(
    (rule) => peerPasses(plan, rule.peer, peer) && portsPass(plan, rule.ports, flow),
  );
};

const peerPasses = (plan: PolicyPlan, peer: PlannedPeer | undefined, address: string): boolean => {
  if (peer === undefined) return true;
  if ('set' in peer) return plan.sets.get(peer.set)?.elements.has(address) === true;
  const number = parseIpv4(address);
  if (number === undefined || !cidrContains(peer.block, number)) return false;
  return !peer.except.some((hole) => cidrContains(hole, number));
};

const portsPass = (plan: PolicyPlan, ports: PlannedPorts | undefined, flow: Flow): boolean => {
  if (ports === undefined) return true;
  if ('set' in ports) {
    const element = portElement({ ...flow, address: flow.destination });
    return plan.sets.get(ports.set)?.elements.has(element) === true;
  }
  if (ports.protocol !== flow.protocol) return false;
  if (ports.ranges === 'all') return true;
  return ports.ranges.some(({ first, last }) => flow.port >= first && flow.port <= last);
};

interface NamedChain {
  readonly name: string;
  readonly chain: PlannedChain;
}

/** What a policy asks for, in chains that are made once as long as it is the same. */
const chainsOf = (policy: PacketPolicy): PolicyChains => {
  const known = POLICY_CHAINS.get(policy) ?? {
    ingress: ruleChain('ingress', policy),
    egress: ruleChain('egress', policy),
  };
  POLICY_CHAINS.set(policy, known);
  return known;
};

type PolicyChains = Readonly<Record<Direction, readonly NamedChain[]>>;

const POLICY_CHAINS = new WeakMap<PacketPolicy, PolicyChains>();

/** None where there are no rules: nothing passes by it. */
const ruleChain = (direction: Direction, policy: PacketPolicy): readonly NamedChain[] => {
  const rules = plannedRules(policy[direction]);
  return rules.length === 0 ? [] : [named({ direction, rules })];
};

const named = (chain: PlannedChain): NamedChain => ({
  name: `${chain.direction === 'ingress' ? 'i' : 'e'}${contentHash(chain)}`,
  chain,
});

const onceByKey = <A extends readonly unknown[], T>(make: (key: string, ...args: A) => T) => {
  const made = new Map<string, T>();
  return (key: string, ...args: A): T => {
    const known = made.get(key);
    if (known !== undefined) return known;
    const value = make(key, ...args);
    made.set(key, value);
    return value;
  };
};

/** One for each peer with each kind of ports: a packet has one of each. */
const plannedRules = (rules: readonly PacketRule[]): readonly PlannedRule[] =>
  rules.flatMap(({ peers, ports }) => {
    const allPeers = peers === undefined ? [undefined] : peers.flatMap(plannedPeer);
    const allPorts = ports === undefined ? [undefined] : plannedPorts(ports);
    return allPeers.flatMap((peer) =>
      allPorts.map((each) => ({
        ...(peer === undefined ? {} : { peer }),
        ...(each === undefined ? {} : { ports: each }),
      })),
    );
  });

const plannedPeer = (peer: PacketPeer): readonly PlannedPeer[] => {
  if ('set' in peer) return [{ set: setName(peer.set) }];
  const block = networkOf(peer.cidr);
  if (block === undefined) return [];
  return [{ block, except: outermost(peer.except.flatMap((cidr) => networkOf(cidr) ?? [])) }];
};

const plannedPorts = (ports: readonly PacketPorts[]): readonly PlannedPorts[] => {
  const sets = ports.flatMap((each) => ('portSet' in each ? [{ set: setName(each.portSet) }] : []));
  const numbered = PROTOCOLS.flatMap((protocol): readonly PlannedPorts[] => {
    const own = ports.flatMap((each) =>
      'protocol' in each && each.protocol === protocol ? [each] : [],
    );
    if (own.length === 0) return [];
    if (own.some(({ first }) => first === undefined)) return [{ protocol, ranges: 'all' }];
    const ranges = own.map(({ first = 0, last = first }) => ({ first, last }));
    return [{ protocol, ranges: joined(ranges) }];
  });
  return [...numbered, ...sets];
};

/** In order, without overlap: nft takes no interval twice. */
const joined = (ranges: readonly PortRange[]): readonly PortRange[] => {
  const sorted = [...ranges].sort((a, b) => a.first - b.first);
  const result: PortRange[] = [];
  for (const range of sorted) {
    const last = result.at(-1);
    if (last === undefined || range.first > last.last + 1) result.push(range);
    else result[result.length - 1] = { ...last, last: Math.max(last.last, range.last) };
  }
  return result;
};

/** Without those that lie in others. */
const outermost = (cidrs: readonly Ipv4Cidr[]): readonly Ipv4Cidr[] => {
  const sorted = [...cidrs].sort((a, b) => a.prefixLength - b.prefixLength || a.base - b.base);
  const result: Ipv4Cidr[] = [];
  for (const cidr of sorted)
    if (!result.some((each) => cidrContains(each, cidr.base))) result.push(cidr);
  return result;
};

/** Bits beyond the prefix may be set. */
const networkOf = (text: string): Ipv4Cidr | undefined => {
  const [addressText = '', lengthText = ''] = text.split('/');
  const address = parseIpv4(addressText);
  if (address === undefined || !/^\d{1,2}$/.test(lengthText)) return undefined;
  const prefixLength = Number(lengthText);
  if (prefixLength > 32) return undefined;
  const size = 2 ** (32 - prefixLength);
  return { base: address - (address % size), prefixLength };
};

/** All that the rules speak of, also those that have no members. */
const setsOf = (
  chains: ReadonlyMap<string, PlannedChain>,
  { addressSets, portSets }: PacketPolicies,
): ReadonlyMap<string, PlannedSet> => {
  const sets = new Map<string, PlannedSet>();
  for (const chain of chains.values())
    for (const { peer, ports } of 'rules' in chain ? chain.rules : []) {
      if (peer !== undefined && 'set' in peer && !sets.has(peer.set))
        sets.set(peer.set, addressSet(addressSets.get(peer.set.slice(1)) ?? EMPTY));
      if (ports !== undefined && 'set' in ports && !sets.has(ports.set))
        sets.set(ports.set, portSet(portSets.get(ports.set.slice(1)) ?? EMPTY));
    }
  return sets;
};

/** The same set for the same list: most lists are as they were. */
const addressSet = (list: readonly string[]): PlannedSet => {
  const known = ADDRESS_SETS.get(list);
  if (known !== undefined) return known;
  const set = { kind: 'address' as const, elements: new Set(list.filter(isIpv4)) };
  ADDRESS_SETS.set(list, set);
  return set;
};

const portSet = (list: readonly Parameters<typeof portElement>[0][]): PlannedSet => {
  const known = PORT_SETS.get(list);
  if (known !== undefined) return known;
  const elements = list.filter(({ address }) => isIpv4(address)).map(portElement);
  const set = { kind: 'port' as const, elements: new Set(elements) };
  PORT_SETS.set(list, set);
  return set;
};

const ADDRESS_SETS = new WeakMap<object, PlannedSet>();
const PORT_SETS = new WeakMap<object, PlannedSet>();
const EMPTY: readonly never[] = [];

export const portElement = ({
  address,
  protocol,
  port,
}: {
  readonly address: string;
  readonly protocol: string;
  readonly port: number;
}): string => `${address} . ${protocol} . ${port}`;

const NOTHING_PASSES: SandboxPolicies = { ingress: [], egress: [] };

const isIpv4 = (text: string): boolean => parseIpv4(text) !== undefined;

const contentHash = (chain: PlannedChain): string => shortHash(JSON.stringify(chain), HASH_DIGITS);

export const PROTOCOLS = ['tcp', 'udp', 'sctp'] as const;
/** Nobody finds two policies of one name: that would let the wrong packets pass. */
const HASH_DIGITS = 32;
