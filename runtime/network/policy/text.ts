import { formatCidr } from '../ipv4';
import { withoutTable } from '../without-table';
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
  const containers = [...containersOf(plan)].map(([name, container]) =>
    containerText(name, container),
  );
  const chains = [...plan.chains].map(([name, chain]) => chainText(name, chain));
  return `
${withoutTable(table)}
table ip ${table} {
${containers.join('')}${chains.join('')}${FIXED_CHAINS}
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
  table: string,
  added: {
    readonly chains: ReadonlyMap<string, PlannedChain>;
    readonly containers: ReadonlyMap<string, Container>;
  },
  changes: readonly ElementChange[],
): string => {
  const containers = [...added.containers].map(([name, container]) =>
    containerText(name, container),
  );
  const chains = [...added.chains].map(([name, chain]) => chainText(name, chain));
  const structure =
    containers.length + chains.length === 0
      ? ''
      : `table ip ${table} {\n${containers.join('')}${chains.join('')}}\n`;
  const elements = changes.map(({ container, kind, added: more, removed }) => {
    const less = removed.length === 0 ? '' : `{ ${removed.join(', ')} }`;
    return [
      less === '' ? '' : `delete element ip ${table} ${container} ${less}\n`,
      more.size === 0 ? '' : `add element ip ${table} ${container} ${listOf(kind, more)}\n`,
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
/** As many as are in `FIXED_CHAINS`. */
export const FIXED_RULE_COUNT = 13;

/**
 * What has been let pass goes on. What goes between a sandbox and its own host is not forwarded, and
 * meets no rule but at guarded addresses. A flow that is taken up in its middle is no new connection:
 * one that was cut must not come back from its other end.
 */
const FIXED_CHAINS = `
  chain decide_ingress {
    ip daddr vmap @${INGRESS}
    accept
  }
  chain middle {
    ip saddr @${ISOLATED} drop
    ip daddr @${ISOLATED} drop
  }
  chain decide {
    ip saddr . ip daddr @${ITSELF} accept
    ct state new tcp flags & (fin | syn | rst | ack) != syn jump middle
    ip saddr vmap @${EGRESS}
    goto decide_ingress
  }
  chain forwarded {
    type filter hook forward priority filter; policy accept;
    ct state established,related accept
    jump decide
  }
  chain received {
    type filter hook input priority filter; policy accept;
    ip daddr != @${GUARDED} accept
    ct state established,related accept
    jump decide
  }`;

const containerText = (name: string, container: Container): string => {
  const { kind, elements } = container;
  const list = elements.size > 0 ? `\n    elements = ${listOf(kind, elements)}` : '';
  const keyword = kind === 'decider' ? 'map' : 'set';
  return `  ${keyword} ${name} {\n    type ${TYPES[kind]}${list}\n  }\n`;
};

const TYPES: Readonly<Record<Container['kind'], string>> = {
  address: 'ipv4_addr',
  port: 'ipv4_addr . inet_proto . inet_service',
  pair: 'ipv4_addr . ipv4_addr',
  decider: 'ipv4_addr : verdict',
};

const listOf = (kind: Container['kind'], elements: ReadonlyMap<string, string>): string => {
  const items = [...elements].map(([key, chain]) =>
    kind === 'decider' ? `${key} : goto ${chain}` : key,
  );
  return `{ ${items.join(', ')} }`;
};

const chainText = (name: string, chain: PlannedChain): string => {
  const lines = linesOf(chain).map((line) => `    ${line}\n`);
  return `  chain ${name} {\n${lines.join('')}  }\n`;
};

/** What passes on its way out is still to be let in. */
const linesOf = (chain: PlannedChain): readonly string[] => {
  if ('tries' in chain) return [...chain.tries.map((name) => `jump ${name}`), 'drop'];
  const verdict = chain.direction === 'ingress' ? 'accept' : 'goto decide_ingress';
  const side = chain.direction === 'ingress' ? 'saddr' : 'daddr';
  return chain.rules.map(({ peer, ports }) =>
    [peerText(peer, side), portsText(ports), verdict].filter((part) => part !== '').join(' '),
  );
};

const peerText = (peer: PlannedPeer | undefined, side: string): string => {
  if (peer === undefined) return '';
  if ('set' in peer) return `ip ${side} @${peer.set}`;
  const inside = peer.block.prefixLength === 0 ? '' : `ip ${side} ${formatCidr(peer.block)}`;
  if (peer.except.length === 0) return inside;
  return `${inside} ip ${side} != { ${peer.except.map(formatCidr).join(', ')} }`.trim();
};

const portsText = (ports: PlannedPorts | undefined): string => {
  if (ports === undefined) return '';
  if ('set' in ports) return `ip daddr . meta l4proto . th dport @${ports.set}`;
  const { protocol, ranges } = ports;
  if (ranges === 'all') return `meta l4proto ${protocol}`;
  const texts = ranges.map(({ first, last }) => (first === last ? `${first}` : `${first}-${last}`));
  return `${protocol} dport { ${texts.join(', ')} }`;
};

export const ruleCountOf = (chain: PlannedChain): number => linesOf(chain).length;

const keysOnly = (keys: Iterable<string>): ReadonlyMap<string, string> =>
  new Map([...keys].map((key) => [key, '']));

/** The same container for the same elements: comparing it is then comparing one reference. */
const CONTAINERS = new WeakMap<object, Container>();
