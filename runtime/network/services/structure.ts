import { CONNECTION_MARK } from '../marks';
import { sandboxInterfaces } from '../names';
import { withoutTable } from '../without-table';
import { TABLE_NAMES, TABLES, type FieldType, type TableName, type TableSpec } from './elements';
import { MAX_PARTS, MAX_SLOTS, SIZE_MASK, STICKY } from './groups';
import { type Tables } from './service-tables';

/** What the chains follow from. They change with it alone, never with a service. */
export interface StructureFacts {
  readonly table: string;
  readonly prefix: string;
  /** Hides clients; undefined: the address of the interface that packets leave by. */
  readonly nodeAddress: string | undefined;
  readonly serviceCidrs: readonly string[];
  readonly podCidrs: readonly string[];
  readonly nodePortAddresses: readonly string[];
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
${withoutTable(facts.table)}
table ip ${facts.table} {
${sets()}
${choosingChains()}
${leadingChains(facts)}
${hooks(facts)}
${refusingChains(facts)}
}
${[...keepClasses].map(([number, seconds]) => keepChain(facts.table, number, seconds)).join('')}
${elementLines(facts.table, tables)}`;

/** Adds what a new length of keeping needs. */
export const keepChain = (table: string, number: number, seconds: number): string => `
add chain ip ${table} ${keepChainName(seconds)}
add rule ip ${table} ${keepChainName(seconds)} update @kept { ip saddr . ${TARGET} timeout ${seconds}s : meta mark }
add rule ip ${table} ${keepChainName(seconds)} meta mark set ip saddr . ${TARGET} map @kept
add rule ip ${table} ${keepChainName(seconds)} meta l4proto { tcp, udp, sctp } dnat ip to meta mark map @chosen
add rule ip ${table} ${keepChainName(seconds)} delete @kept { ip saddr . ${TARGET} : meta mark } drop
add element ip ${table} keeps { ${number} : goto ${keepChainName(seconds)} }
`;

export const keepChainName = (seconds: number): string => `keep${seconds}`;

/** A mark of our own in the table: of what it was made, and how the kernel shows that. */
export const sealText = (table: string, seal: string, before?: string): string =>
  (before === undefined ? '' : `delete set ip ${table} ${before}\n`) +
  `add set ip ${table} ${seal} { type mark; }\n`;

const sets = (): string => `
${TABLE_NAMES.map(declaration).join('')}
  map kept { type ipv4_addr . ipv4_addr . inet_proto . inet_service : mark; size 262144; flags dynamic, timeout; }
  map keeps { type mark : verdict; }
  map sizes { type mark : verdict; elements = { ${sizes().join(', ')}, ${partSizes().join(', ')} } }
  map part_sizes { type mark : verdict; elements = { ${sizes().join(', ')} } }`;

const declaration = (table: TableName): string => {
  const { key, data }: TableSpec = TABLES[table];
  // Only so does nft take what is chosen at random as part of a key.
  const spec = key.includes('slot')
    ? `typeof meta mark . numgen random mod 2 : ${data.map((type) => EXPRESSIONS[type]).join(' . ')}`
    : `type ${[key, data]
        .filter(({ length }) => length > 0)
        .map((types) => types.map((type) => TYPES[type]).join(' . '))
        .join(' : ')}`;
  const flags = key.includes('range') ? ' flags interval;' : '';
  return `  ${data.length === 0 ? 'set' : 'map'} ${table} { ${spec};${flags} }\n`;
};

const TYPES: Readonly<Record<FieldType, string>> = {
  address: 'ipv4_addr',
  range: 'ipv4_addr',
  protocol: 'inet_proto',
  port: 'inet_service',
  mark: 'mark',
  slot: 'mark',
};
const EXPRESSIONS: Readonly<Partial<Record<FieldType, string>>> = {
  address: 'ip daddr',
  port: 'th dport',
  mark: 'meta mark',
};

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
const choosingChains = (): string => `
${SIZES.map(
  (size) => `
  chain one${size} {
    meta l4proto { tcp, udp, sctp } dnat ip to meta mark . numgen random mod ${size} map @endpoint
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
const leadingChains = (facts: StructureFacts): string => `
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
    meta mark set ${TARGET} map @front goto hidden
${toOwnAddress(facts, 'goto inside_port')}
  }
  chain outside_port {
    meta l4proto . th dport @drops_port_out drop
    meta mark set meta l4proto . th dport map @node_port_out goto led
    meta mark set meta l4proto . th dport map @node_port goto hidden
  }
  chain outside {
    ${TARGET} @drops_out drop
    meta mark set ${TARGET} map @front_out goto led
    meta mark set ${TARGET} map @front goto hidden
${toOwnAddress(facts, 'goto outside_port')}
  }`;

/** Where packets enter. Host ports have the next place: a service goes before them. */
const hooks = ({ nodeAddress, podCidrs }: StructureFacts): string => {
  const hide = nodeAddress === undefined ? 'masquerade' : `snat to ${nodeAddress}`;
  return `
  chain guard {
    type filter hook prerouting priority dstnat - 5; policy accept;
    ct state new ${TARGET} @guarded ${TARGET} . ip saddr != @allowed drop
  }
  chain prerouting {
    type nat hook prerouting priority dstnat - 1; policy accept;
${lines(podCidrs, (cidr) => `ip saddr ${cidr} goto inside`)}
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
    ct status dnat ip saddr . ip daddr @own ${hide}
  }`;
};

/** What was led has another target by now: these meet those that lead nowhere. */
const refusingChains = (facts: StructureFacts): string => `
  chain refuse {
    meta l4proto tcp reject with tcp reset
    reject with icmp port-unreachable
  }
  chain unled {
    ${TARGET} @drops drop
    ${TARGET} @rejects goto refuse
${toOwnAddress(facts, 'meta l4proto . th dport @rejects_port goto refuse')}
${lines(facts.serviceCidrs, (cidr) => `ip daddr ${cidr} fib daddr type != local goto refuse`)}
  }
  ${['input', 'forward', 'output']
    .map(
      (hook) => `
  chain filter_${hook} {
    type filter hook ${hook} priority filter; policy accept;
    ct state new goto unled
  }`,
    )
    .join('')}`;

/** For the addresses that have node ports. Never the resolver's, which is local, too. */
const toOwnAddress = (
  { nodePortAddresses, serviceCidrs }: StructureFacts,
  statement: string,
): string => {
  const others = ['127.0.0.0/8', ...serviceCidrs].map((cidr) => `ip daddr != ${cidr}`).join(' ');
  const own = `${others} fib daddr type local ${statement}`;
  if (nodePortAddresses.length === 0) return `    ${own}`;
  return lines(nodePortAddresses, (range) => `ip daddr ${range} ${own}`);
};

/**
 * One rule for each range, and no set of them: for a moment after a table has been replaced the kernel
 * finds nothing in such sets.
 */
const lines = (cidrs: readonly string[], rule: (cidr: string) => string): string =>
  cidrs.map((cidr) => `    ${rule(cidr)}`).join('\n');

const elementLines = (name: string, tables: Tables): string =>
  [...tables]
    .filter(([, elements]) => elements.size > 0)
    .map(([table, elements]) => {
      const list = [...elements].map(([key, data]) => (data === '' ? key : `${key} : ${data}`));
      return `add element ip ${name} ${table} { ${list.join(', ')} }\n`;
    })
    .join('');

/** The key of what leads from an address. */
const TARGET = 'ip daddr . meta l4proto . th dport';
