import { shortHash } from '../names';
import {
  ipOf,
  networkOf,
  prefixContains,
  textIn,
  type IpFamily,
  type IpPrefix,
} from '../../../lib/net/ip';
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
  readonly family: IpFamily;
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
  { readonly set: string } | { readonly block: IpPrefix; readonly except: readonly IpPrefix[] };

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
 * which the addresses are known, among packets of one family.
 */
export const planPolicies = (
  policies: PacketPolicies,
  addresses: ReadonlyMap<string, readonly string[]>,
  family: IpFamily,
): PolicyPlan => {
  const chains = new Map<string, PlannedChain>();
  const add = ({ name, chain }: NamedChain): string => {
    chains.set(name, chain);
    return name;
  };
  const decider = onceByKey((key: string, direction: Direction, ids: readonly string[]) => {
    const own = ids.flatMap((id) => {
      const policy = policies.policies.get(id);
      return policy === undefined ? [] : chainsOf(policy, family)[direction];
    });
    return add(named({ direction, tries: [...new Set(own.map(add))].sort() }));
  });
  const decidersOf = (direction: Direction): ReadonlyMap<string, string> => {
    const deciders = new Map<string, string>();
    for (const [sandbox, all] of addresses) {
      const address = all.flatMap((each) => textIn(family, each) ?? [])[0];
      const ids = (policies.sandboxes.get(sandbox) ?? NOTHING_PASSES)[direction];
      if (ids !== undefined && address !== undefined)
        deciders.set(address, decider([direction, ...ids].join('\n'), direction, ids));
    }
    return deciders;
  };
  const [ingress, egress] = [decidersOf('ingress'), decidersOf('egress')];
  const guarded = [...new Set(policies.guardedAddresses)]
    .flatMap((text) => textIn(family, text) ?? [])
    .sort();
  return { family, chains, sets: setsOf(chains, policies, family), ingress, egress, guarded };
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
  const ip = ipOf(address);
  if (ip === undefined || !prefixContains(peer.block, ip)) return false;
  return !peer.except.some((hole) => prefixContains(hole, ip));
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
const chainsOf = (policy: PacketPolicy, family: IpFamily): PolicyChains => {
  const known = POLICY_CHAINS[family].get(policy) ?? {
    ingress: ruleChain('ingress', policy, family),
    egress: ruleChain('egress', policy, family),
  };
  POLICY_CHAINS[family].set(policy, known);
  return known;
};

type PolicyChains = Readonly<Record<Direction, readonly NamedChain[]>>;

const perFamily = <K extends WeakKey, V>(): Readonly<Record<IpFamily, WeakMap<K, V>>> => ({
  4: new WeakMap<K, V>(),
  6: new WeakMap<K, V>(),
});

const POLICY_CHAINS = perFamily<PacketPolicy, PolicyChains>();

/** None where there are no rules: nothing passes by it. */
const ruleChain = (
  direction: Direction,
  policy: PacketPolicy,
  family: IpFamily,
): readonly NamedChain[] => {
  const rules = plannedRules(policy[direction], family);
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
const plannedRules = (rules: readonly PacketRule[], family: IpFamily): readonly PlannedRule[] =>
  rules.flatMap(({ peers, ports }) => {
    const allPeers =
      peers === undefined ? [undefined] : peers.flatMap((peer) => plannedPeer(peer, family));
    const allPorts = ports === undefined ? [undefined] : plannedPorts(ports);
    return allPeers.flatMap((peer) =>
      allPorts.map((each) => ({
        ...(peer === undefined ? {} : { peer }),
        ...(each === undefined ? {} : { ports: each }),
      })),
    );
  });

/** Blocks of the other family match nothing. */
const plannedPeer = (peer: PacketPeer, family: IpFamily): readonly PlannedPeer[] => {
  if ('set' in peer) return [{ set: setName(peer.set) }];
  const block = networkOf(peer.cidr);
  if (block?.address.family !== family) return [];
  const holes = peer.except.flatMap((cidr) => networkOf(cidr) ?? []);
  return [{ block, except: outermost(holes.filter(({ address }) => address.family === family)) }];
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
const outermost = (cidrs: readonly IpPrefix[]): readonly IpPrefix[] => {
  const sorted = [...cidrs].sort(
    (a, b) => a.length - b.length || (a.address.bits < b.address.bits ? -1 : 1),
  );
  const result: IpPrefix[] = [];
  for (const cidr of sorted)
    if (!result.some((each) => prefixContains(each, cidr.address))) result.push(cidr);
  return result;
};

/** All that the rules speak of, also those that have no members. */
const setsOf = (
  chains: ReadonlyMap<string, PlannedChain>,
  { addressSets, portSets }: PacketPolicies,
  family: IpFamily,
): ReadonlyMap<string, PlannedSet> => {
  const sets = new Map<string, PlannedSet>();
  for (const chain of chains.values())
    for (const { peer, ports } of 'rules' in chain ? chain.rules : []) {
      if (peer !== undefined && 'set' in peer && !sets.has(peer.set))
        sets.set(peer.set, addressSet(addressSets.get(peer.set.slice(1)) ?? EMPTY, family));
      if (ports !== undefined && 'set' in ports && !sets.has(ports.set))
        sets.set(ports.set, portSet(portSets.get(ports.set.slice(1)) ?? EMPTY, family));
    }
  return sets;
};

/** The same set for the same list: most lists are as they were. */
const addressSet = (list: readonly string[], family: IpFamily): PlannedSet => {
  const known = ADDRESS_SETS[family].get(list);
  if (known !== undefined) return known;
  const set = {
    kind: 'address' as const,
    elements: new Set(list.flatMap((text) => textIn(family, text) ?? [])),
  };
  ADDRESS_SETS[family].set(list, set);
  return set;
};

const portSet = (
  list: readonly Parameters<typeof portElement>[0][],
  family: IpFamily,
): PlannedSet => {
  const known = PORT_SETS[family].get(list);
  if (known !== undefined) return known;
  const elements = list.flatMap((each) => {
    const address = textIn(family, each.address);
    return address === undefined ? [] : [portElement({ ...each, address })];
  });
  const set = { kind: 'port' as const, elements: new Set(elements) };
  PORT_SETS[family].set(list, set);
  return set;
};

const ADDRESS_SETS = perFamily<object, PlannedSet>();
const PORT_SETS = perFamily<object, PlannedSet>();
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

const contentHash = (chain: PlannedChain): string =>
  shortHash(
    JSON.stringify(chain, (_key, value: unknown) =>
      typeof value === 'bigint' ? value.toString(16) : value,
    ),
    HASH_DIGITS,
  );

export const PROTOCOLS = ['tcp', 'udp', 'sctp'] as const;
/** Nobody finds two policies of one name: that would let the wrong packets pass. */
const HASH_DIGITS = 32;
