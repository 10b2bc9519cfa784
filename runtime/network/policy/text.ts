import { formatPrefix, type IpFamily } from '../../../lib/net/ip';
import { FORWARD_PRIORITY, nftOf } from '../family';
import { withoutTableOf } from '../without-table';
import type { PlannedChain, PlannedPeer, PlannedPorts, PolicyPlan, SetKind } from './plan';

/** A set or map of the table, its elements by key; a map's have the chain that decides. */
export interface Container {
  readonly kind: SetKind | 'pair' | 'decider';
  readonly elements: ReadonlyMap<string, string>;
}

/** All sets and maps that a plan asks for, by name. */
export const containersOf = (plan: PolicyPlan): ReadonlyMap<string, Container> => {
  const isolated = [...new Set([...plan.ingress.keys(), ...plan.egress.keys()])];
  const containers = new Map<string, Container>([
    [INGRESS, { kind: 'decider', elements: plan.ingress }],
    [EGRESS, { kind: 'decider', elements: plan.egress }],
    [ISOLATED, { kind: 'address', elements: keysOnly(isolated) }],
    [ITSELF, { kind: 'pair', elements: keysOnly(isolated.map((ip) => `${ip} . ${ip}`)) }],
    [GUARDED, { kind: 'address', elements: keysOnly(plan.guarded) }],
  ]);
  for (const [name, { kind, elements }] of plan.sets) {
    const known = CONTAINERS.get(elements) ?? { kind, elements: keysOnly(elements) };
    CONTAINERS.set(elements, known);
    containers.set(name, known);
  }
  return containers;
};

/** The whole table as one transaction: whatever was there of its name goes. */
export const tableText = (table: string, plan: PolicyPlan): string => {
  const { family } = plan;
  const { word } = nftOf(family);
  const containers = [...containersOf(plan)].map(([name, container]) =>
    containerText(family, name, container),
  );
  const chains = [...plan.chains].map(([name, chain]) => chainText(family, name, chain));
  return `
${withoutTableOf(word, table)}
table ${word} ${table} {
${containers.join('')}${chains.join('')}${fixedChains(word)}
}
`;
};

export interface ElementChange {
  readonly container: string;
  readonly kind: Container['kind'];
  readonly added: ReadonlyMap<string, string>;
  readonly removed: readonly string[];
}

/** What is new in the structure, and changes of elements, as one transaction. */
export const changeText = (
  family: IpFamily,
  table: string,
  added: {
    readonly chains: ReadonlyMap<string, PlannedChain>;
    readonly containers: ReadonlyMap<string, Container>;
  },
  changes: readonly ElementChange[],
): string => {
  const { word } = nftOf(family);
  const containers = [...added.containers].map(([name, container]) =>
    containerText(family, name, container),
  );
  const chains = [...added.chains].map(([name, chain]) => chainText(family, name, chain));
  const structure =
    containers.length + chains.length === 0
      ? ''
      : `table ${word} ${table} {\n${containers.join('')}${chains.join('')}}\n`;
  const elements = changes.map(({ container, kind, added: more, removed }) => {
    const less = removed.length === 0 ? '' : `{ ${removed.join(', ')} }`;
    return [
      less === '' ? '' : `delete element ${word} ${table} ${container} ${less}\n`,
      more.size === 0 ? '' : `add element ${word} ${table} ${container} ${listOf(kind, more)}\n`,
    ].join('');
  });
  return structure + elements.join('');
};

export const INGRESS = 'ingress_of';
export const EGRESS = 'egress_of';
const ISOLATED = 'isolated';
const ITSELF = 'itself';
const GUARDED = 'guarded';
/** The more elements they have, the less passes; with all others it is the other way round. */
export const HOLD_BACK: ReadonlySet<string> = new Set([INGRESS, EGRESS, GUARDED]);
/** They only repeat which addresses have a decider. */
export const GO_WITH_DECIDERS: ReadonlySet<string> = new Set([ISOLATED, ITSELF]);
/** As many as are in `fixedChains`. */
export const FIXED_RULE_COUNT = 13;

/**
 * What has been let pass goes on. What goes between a sandbox and its own host is not forwarded, and
 * meets no rule but at guarded addresses. A flow that is taken up in its middle is no new connection:
 * one that was cut must not come back from its other end. Neighbours are found
 * on the link: that is not forwarded either.
 */
const fixedChains = (word: string): string => `
  chain decide_ingress {
    ${word} daddr vmap @${INGRESS}
    accept
  }
  chain middle {
    ${word} saddr @${ISOLATED} drop
    ${word} daddr @${ISOLATED} drop
  }
  chain decide {
    ${word} saddr . ${word} daddr @${ITSELF} accept
    ct state new tcp flags & (fin | syn | rst | ack) != syn jump middle
    ${word} saddr vmap @${EGRESS}
    goto decide_ingress
  }
  chain forwarded {
    type filter hook forward priority ${FORWARD_PRIORITY}; policy accept;
    ct state established,related accept
    jump decide
  }
  chain received {
    type filter hook input priority filter; policy accept;
    ${word} daddr != @${GUARDED} accept
    ct state established,related accept
    jump decide
  }`;

const containerText = (family: IpFamily, name: string, container: Container): string => {
  const { kind, elements } = container;
  const list = elements.size > 0 ? `\n    elements = ${listOf(kind, elements)}` : '';
  const keyword = kind === 'decider' ? 'map' : 'set';
  return `  ${keyword} ${name} {\n    type ${typesOf(family)[kind]}${list}\n  }\n`;
};

const typesOf = (family: IpFamily): Readonly<Record<Container['kind'], string>> => {
  const { type } = nftOf(family);
  return {
    address: type,
    port: `${type} . inet_proto . inet_service`,
    pair: `${type} . ${type}`,
    decider: `${type} : verdict`,
  };
};

const listOf = (kind: Container['kind'], elements: ReadonlyMap<string, string>): string => {
  const items = [...elements].map(([key, chain]) =>
    kind === 'decider' ? `${key} : goto ${chain}` : key,
  );
  return `{ ${items.join(', ')} }`;
};

const chainText = (family: IpFamily, name: string, chain: PlannedChain): string => {
  const lines = linesOf(family, chain).map((line) => `    ${line}\n`);
  return `  chain ${name} {\n${lines.join('')}  }\n`;
};

/** What passes on its way out is still to be let in. */
const linesOf = (family: IpFamily, chain: PlannedChain): readonly string[] => {
  const { word } = nftOf(family);
  if ('tries' in chain) return [...chain.tries.map((name) => `jump ${name}`), 'drop'];
  const verdict = chain.direction === 'ingress' ? 'accept' : 'goto decide_ingress';
  const side = `${word} ${chain.direction === 'ingress' ? 'saddr' : 'daddr'}`;
  return chain.rules.map(({ peer, ports }) =>
    [peerText(peer, side), portsText(word, ports), verdict].filter((part) => part !== '').join(' '),
  );
};

const peerText = (peer: PlannedPeer | undefined, side: string): string => {
  if (peer === undefined) return '';
  if ('set' in peer) return `${side} @${peer.set}`;
  const inside = peer.block.length === 0 ? '' : `${side} ${formatPrefix(peer.block)}`;
  if (peer.except.length === 0) return inside;
  return `${inside} ${side} != { ${peer.except.map(formatPrefix).join(', ')} }`.trim();
};

const portsText = (word: string, ports: PlannedPorts | undefined): string => {
  if (ports === undefined) return '';
  if ('set' in ports) return `${word} daddr . meta l4proto . th dport @${ports.set}`;
  const { protocol, ranges } = ports;
  if (ranges === 'all') return `meta l4proto ${protocol}`;
  const texts = ranges.map(({ first, last }) => (first === last ? `${first}` : `${first}-${last}`));
  return `${protocol} dport { ${texts.join(', ')} }`;
};

export const ruleCountOf = (chain: PlannedChain): number =>
  'tries' in chain ? chain.tries.length + 1 : chain.rules.length;

const keysOnly = (keys: Iterable<string>): ReadonlyMap<string, string> =>
  new Map([...keys].map((key) => [key, '']));

/** The same container for the same elements: comparing it is then comparing one reference. */
const CONTAINERS = new WeakMap<object, Container>();
