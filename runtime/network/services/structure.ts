import type { IpFamily } from '../../../lib/net/ip';
import { FORWARD_PRIORITY, nftOf } from '../family';
import { CONNECTION_MARK } from '../marks';
import { sandboxInterfaces } from '../names';
import { withoutTableOf } from '../without-table';
import { TABLE_NAMES, TABLES, type FieldType, type TableName, type TableSpec } from './elements';
import { MAX_PARTS, MAX_SLOTS, SIZE_MASK, STICKY } from './groups';
import { type Tables } from './service-tables';

/** What the chains follow from. They change with it alone, never with a service. */
export interface StructureFacts {
  readonly family: IpFamily;
  readonly table: string;
  readonly prefix: string;
  /** Hides clients; undefined: the address of the interface that packets leave by. */
  readonly nodeAddress: string | undefined;
  readonly serviceCidrs: readonly string[];
  readonly podCidrs: readonly string[];
  readonly nodePortAddresses: readonly string[];
  /** Two that nobody outside of the node knows, the same as long as the node is. */
  readonly hashSeeds: readonly number[];
}

/** Class → for how many seconds a client stays with its endpoint. */
export type KeepClasses = ReadonlyMap<number, number>;

/**
 * The whole table as one transaction, in place of the one that may be there: packets meet the old one or
 * the new one.
 *
 * A connection to a service is led by its first packet: `front` and its like find the group, `sizes` the
 * chain that chooses among so many endpoints, `endpoint` the one chosen. Who is not on this node's pods'
 * links is hidden behind the node, because answers must come back this way; what comes from outside and
 * is led to local endpoints only is not.
 */
export const fullTable = (
  facts: StructureFacts,
  keepClasses: KeepClasses,
  tables: Tables,
): string => `
${withoutTableOf(wordOf(facts), facts.table)}table ${wordOf(facts)} ${facts.table} {
${sets(facts)}
${choosingChains(facts)}
${leadingChains(facts)}
${hooks(facts)}
${refusingChains(facts)}
}
${[...keepClasses].map(([number, seconds]) => keepChain(facts, number, seconds)).join('')}
${elementLines(facts, tables)}`;

/** Adds what a new length of keeping needs. */
export const keepChain = (of: NftNames, number: number, seconds: number): string => {
  const [word, table] = [wordOf(of), of.table];
  const client = clientOf(of);
  return `
add chain ${word} ${table} ${keepChainName(seconds)}
add rule ${word} ${table} ${keepChainName(seconds)} update @kept { ${client} timeout ${seconds}s : meta mark }
add rule ${word} ${table} ${keepChainName(seconds)} meta mark set ${client} map @kept
add rule ${word} ${table} ${keepChainName(seconds)} meta l4proto { tcp, udp, sctp } dnat ${word} to meta mark map @chosen
add rule ${word} ${table} ${keepChainName(seconds)} delete @kept { ${client} : meta mark } drop
add element ${word} ${table} keeps { ${number} : goto ${keepChainName(seconds)} }
`;
};

export const keepChainName = (seconds: number): string => `keep${seconds}`;

/** A mark of our own in the table: of what it was made, and how the kernel shows that. */
export const sealText = (of: NftNames, seal: string, before?: string): string =>
  (before === undefined ? '' : `delete set ${wordOf(of)} ${of.table} ${before}\n`) +
  `add set ${wordOf(of)} ${of.table} ${seal} { type mark; }\n`;

type NftNames = Pick<StructureFacts, 'family' | 'table' | 'hashSeeds'>;

/**
 * Whose choice is kept. nft 1.0.6 dies of a key of more than 16 bytes here, which two addresses of IPv6 are by
 * themselves: 64 bits of hashes stand for them, of seeds that nobody can look for collisions with.
 */
const clientOf = (of: NftNames): string => {
  const word = wordOf(of);
  if (of.family === 4) return `${word} saddr . ${targetOf(of)}`;
  const hashes = of.hashSeeds.map(
    (seed) => `jhash ${word} saddr . ${word} daddr mod 0xffffffff seed ${seed}`,
  );
  return `${hashes.join(' . ')} . meta l4proto . th dport`;
};

const keptSpecOf = ({ family, hashSeeds }: NftNames): string =>
  family === 4
    ? `type ${nftOf(family).type} . ${nftOf(family).type} . inet_proto . inet_service : mark`
    : // Numbers, as hashes are.
      `typeof ${hashSeeds.map(() => 'numgen random mod 2').join(' . ')} . meta l4proto . th dport : meta mark`;

const wordOf = ({ family }: Pick<StructureFacts, 'family'>): string => nftOf(family).word;

/** The key of what leads from an address. */
const targetOf = (facts: Pick<StructureFacts, 'family'>): string =>
  `${wordOf(facts)} daddr . meta l4proto . th dport`;

const sets = (facts: StructureFacts): string => `
${TABLE_NAMES.map((table) => declaration(table, facts.family)).join('')}
  map kept { ${keptSpecOf(facts)}; size 262144; flags dynamic, timeout; }
  map keeps { type mark : verdict; }
  map sizes { type mark : verdict; elements = { ${sizes().join(', ')}, ${partSizes().join(', ')} } }
  map part_sizes { type mark : verdict; elements = { ${sizes().join(', ')} } }`;

const declaration = (table: TableName, family: IpFamily): string => {
  const { key, data }: TableSpec = TABLES[table];
  const types = typesOf(family);
  const expressions = expressionsOf(family);
  // Only so does nft take what is chosen at random as part of a key.
  const spec = key.includes('slot')
    ? `typeof meta mark . numgen random mod 2 : ${data.map((type) => expressions[type]).join(' . ')}`
    : `type ${[key, data]
        .filter(({ length }) => length > 0)
        .map((fields) => fields.map((field) => types[field]).join(' . '))
        .join(' : ')}`;
  const flags = key.includes('range') ? ' flags interval;' : '';
  return `  ${data.length === 0 ? 'set' : 'map'} ${table} { ${spec};${flags} }\n`;
};

const typesOf = (family: IpFamily): Readonly<Record<FieldType, string>> => ({
  address: nftOf(family).type,
  range: nftOf(family).type,
  protocol: 'inet_proto',
  port: 'inet_service',
  mark: 'mark',
  slot: 'mark',
});
const expressionsOf = (family: IpFamily): Readonly<Partial<Record<FieldType, string>>> => ({
  address: `${nftOf(family).word} daddr`,
  port: 'th dport',
  mark: 'meta mark',
});

const SIZES = Array.from({ length: MAX_SLOTS }, (_none, i) => i + 1);
const PARTS = Array.from({ length: MAX_PARTS - 1 }, (_none, i) => i + 2);

const sizes = (): readonly string[] =>
  SIZES.flatMap((size) => [
    `${size} : goto one${size}`,
    `${(STICKY | size) >>> 0} : goto keep_one${size}`,
  ]);
const partSizes = (): readonly string[] =>
  PARTS.flatMap((count) => [
    `${MAX_SLOTS + count} : goto parts${count}`,
    `${(STICKY | (MAX_SLOTS + count)) >>> 0} : goto parts${count}`,
  ]);

/** One chain for each number to choose among. */
const choosingChains = (facts: StructureFacts): string => `
${SIZES.map(
  (size) => `
  chain one${size} {
    meta l4proto { tcp, udp, sctp } dnat ${wordOf(facts)} to meta mark . numgen random mod ${size} map @endpoint
  }
  chain keep_one${size} {
    meta mark set meta mark . numgen random mod ${size} map @choice
    meta mark and 0xff vmap @keeps
  }`,
).join('')}
${PARTS.map(
  (count) => `
  chain parts${count} {
    meta mark set meta mark . numgen random mod ${count} map @part
    meta mark and ${SIZE_MASK} vmap @part_sizes
  }`,
).join('')}`;

/** Those that find the group. Who opens no connection to a service passes through. */
const leadingChains = (facts: StructureFacts): string => {
  const target = targetOf(facts);
  // Balancers go on to a node that has endpoints; who is in the cluster has asked for this node, and is led.
  const fromStrangers = `${wordOf(facts)} saddr != @peers`;
  return `
  chain led {
    ct mark set ct mark or ${CONNECTION_MARK.scratch}
    meta mark and ${SIZE_MASK} vmap @sizes
  }
  chain hidden {
    iifname != "${sandboxInterfaces(facts.prefix)}" ct mark set ct mark or ${CONNECTION_MARK.hidden}
    goto led
  }
  chain inside_port {
    meta mark set meta l4proto . th dport map @node_port goto hidden
  }
  chain inside {
    meta mark set ${target} map @front goto hidden
${toOwnAddress(facts, 'goto inside_port')}
  }
  chain outside_port {
    meta l4proto . th dport @drops_port_out ${fromStrangers} drop
    meta mark set meta l4proto . th dport map @node_port_out goto led
    meta mark set meta l4proto . th dport map @node_port goto hidden
  }
  chain outside {
    ${target} @drops_out ${fromStrangers} drop
    meta mark set ${target} map @front_out goto led
    meta mark set ${target} map @front goto hidden
${toOwnAddress(facts, 'goto outside_port')}
  }`;
};

/** Where packets enter. Host ports have the next place: a service goes before them. */
const hooks = (facts: StructureFacts): string => {
  const { nodeAddress, podCidrs } = facts;
  const [word, target] = [wordOf(facts), targetOf(facts)];
  const hide = nodeAddress === undefined ? 'masquerade' : `snat to ${nodeAddress}`;
  return `
  chain guard {
    type filter hook prerouting priority dstnat - 5; policy accept;
    ct state new ${target} @guarded ${target} . ${word} saddr != @allowed drop
  }
  chain prerouting {
    type nat hook prerouting priority dstnat - 1; policy accept;
${lines(podCidrs, (cidr) => `${word} saddr ${cidr} goto inside`)}
    goto outside
  }
  chain output {
    type nat hook output priority -101; policy accept;
    goto inside
  }
  chain wipe {
    ct mark and ${CONNECTION_MARK.scratch} == 0 accept
    meta mark set 0
    ct mark set ct mark and ${~CONNECTION_MARK.scratch >>> 0}
  }
  chain wipe_prerouting {
    type filter hook prerouting priority dstnat + 1; policy accept;
    ct state new goto wipe
  }
  chain wipe_output {
    type filter hook output priority -99; policy accept;
    ct state new goto wipe
  }
  chain postrouting {
    type nat hook postrouting priority srcnat - 2; policy accept;
    ct status dnat ct mark and ${CONNECTION_MARK.hidden} != 0 ${hide}
    ct status dnat ${word} saddr . ${word} daddr @own ${hide}
  }`;
};

/** What was led has another target by now: these meet those that lead nowhere. */
const refusingChains = (facts: StructureFacts): string => {
  const [word, target] = [wordOf(facts), targetOf(facts)];
  return `
  chain refuse {
    meta l4proto tcp reject with tcp reset
    reject with ${nftOf(facts.family).icmp} port-unreachable
  }
  chain unled {
    ${target} @rejects goto refuse
${toOwnAddress(facts, 'meta l4proto . th dport @rejects_port goto refuse')}
${lines(facts.serviceCidrs, (cidr) => `${word} daddr ${cidr} fib daddr type != local goto refuse`)}
  }
  ${['input', 'forward', 'output']
    .map(
      (hook) => `
  chain filter_${hook} {
    type filter hook ${hook} priority ${hook === 'forward' ? FORWARD_PRIORITY : 'filter'}; policy accept;
    ct state new goto unled
  }`,
    )
    .join('')}`;
};

/** For the addresses that have node ports. Never the resolver's, which is local, too. */
const toOwnAddress = (
  { family, nodePortAddresses, serviceCidrs }: StructureFacts,
  statement: string,
): string => {
  const { word, loopback } = nftOf(family);
  const others = [loopback, ...serviceCidrs].map((cidr) => `${word} daddr != ${cidr}`).join(' ');
  const own = `${others} fib daddr type local ${statement}`;
  if (nodePortAddresses.length === 0) return `    ${own}`;
  return lines(nodePortAddresses, (range) => `${word} daddr ${range} ${own}`);
};

/**
 * One rule for each range, and no set of them: for a moment after a table has been replaced the kernel
 * finds nothing in such sets.
 */
const lines = (cidrs: readonly string[], rule: (cidr: string) => string): string =>
  cidrs.map((cidr) => `    ${rule(cidr)}`).join('\n');

const elementLines = (of: NftNames, tables: Tables): string =>
  [...tables]
    .filter(([, elements]) => elements.size > 0)
    .map(([table, elements]) => {
      const list = [...elements].map(([key, data]) => (data === '' ? key : `${key} : ${data}`));
      return `add element ${wordOf(of)} ${of.table} ${table} { ${list.join(', ')} }\n`;
    })
    .join('');
