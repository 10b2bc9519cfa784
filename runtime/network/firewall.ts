import { type Log } from '../../lib/log';
import { familyOf, networkOf, type IpFamily } from '../../lib/net/ip';
import { IP_FAMILIES, nftOf } from './family';
import { sandboxInterfaces } from './names';
import { nft, type RuleSet } from './rule-set';
import { VXLAN_PORT } from './vxlan';
import { withoutTable, withoutTableOf } from './without-table';

/** What the rules follow from. */
export interface FirewallFacts {
  /** One of each family that pods have. */
  readonly podCidrs: readonly string[];
  /** What pods reach under their own address. */
  readonly clusterCidrs: readonly string[];
  /** Addresses of this node and its peers. */
  readonly nodeAddresses: readonly string[];
  /** The interface that encrypts: pods of other nodes are reached, and heard, through it alone. */
  readonly sealedBy?: string;
}

/**
 * Hides pods that talk to the world behind their node's address (inside the cluster they keep their
 * own), and believes no pod that speaks under an address other than its own: what comes in on a
 * sandbox's link and would not go back out on it is dropped, as is a family that pods do not have, what
 * would enter the tunnel between nodes from the side, and what is for the node's own loopback. Each link
 * checks sources by itself, too (`checksSource` in netlink/requests.ts): that holds where there is no
 * nft, this where somebody has loosened rp_filter.
 */
export class Firewall {
  private isMissingReported = false;

  constructor(
    private readonly deps: {
      readonly prefix: string;
      readonly rules: RuleSet;
      readonly log: Log;
    },
  ) {}

  /** Makes the rules be there, also after somebody has flushed them. */
  async sync(facts: FirewallFacts): Promise<void> {
    const { prefix, rules, log } = this.deps;
    if (await rules.sync('firewall', rulesOf(prefix, facts))) return;
    if (facts.sealedBy !== undefined)
      throw new Error('nft is not installed, without which nodes cannot be kept to encryption');
    if (this.isMissingReported) return;
    this.isMissingReported = true;
    log.warn({}, 'nft is not installed: pods cannot reach addresses outside the cluster');
  }
}

/** Idempotent. */
export const removeFirewall = async (prefix: string): Promise<void> => {
  await nft(withoutTables(tableNameOf(prefix)));
};

const tableNameOf = (prefix: string): string => `dhow-${prefix}`;

const withoutTables = (table: string): string =>
  withoutTable(table) + withoutTableOf('inet', table);

/**
 * Ranges are rules and no set: for a moment after a table has been replaced the kernel finds nothing in
 * its sets of ranges (their commit comes after that of the rules), and would hide pods from each other.
 */
const rulesOf = (prefix: string, facts: FirewallFacts): string => {
  const table = tableNameOf(prefix);
  const families = IP_FAMILIES.filter((family) => inFamily(facts.podCidrs, family).length > 0);
  return `
${withoutTables(table)}
${families.map((family) => hidingTable(table, family, facts)).join('')}
table inet ${table} {
${facts.sealedBy === undefined ? '' : sealedChains(facts.sealedBy, families, facts)}
${IP_FAMILIES.map((family) => nodeSet(family, facts)).join('')}
  chain sources {
    type filter hook prerouting priority raw; policy accept;
    iifname != "${sandboxInterfaces(prefix)}" accept
${IP_FAMILIES.filter((family) => !families.includes(family))
  .map((family) => `    meta nfproto ipv${family} drop\n`)
  .join('')}    ip saddr 0.0.0.0/8 drop
    ip daddr ${nftOf(4).loopback} drop
    fib saddr . iif oif 0 drop
${IP_FAMILIES.map(
  (family) => `    ${nftOf(family).word} daddr @${nodesOf(family)} udp dport ${VXLAN_PORT} drop\n`,
).join('')}
  }
}
`;
};

const hidingTable = (table: string, family: IpFamily, facts: FirewallFacts): string => {
  const { podCidrs, clusterCidrs } = facts;
  const { word, multicast } = nftOf(family);
  const kept = [...unique(inFamily(clusterCidrs, family)), multicast];
  return `
table ${word} ${table} {
  chain postrouting {
    type nat hook postrouting priority srcnat; policy accept;
    ${word} saddr != ${inFamily(podCidrs, family)[0] ?? ''} accept
${kept.map((cidr) => `    ${word} daddr ${cidr} accept\n`).join('')}    masquerade
  }${facts.sealedBy === undefined ? '' : hiddenInTunnel(facts.sealedBy, family, facts)}
}`;
};

/**
 * Peers take nothing from this node but what has an address of its range: what is passed on for others is
 * hidden behind the interface's, before services hide it behind the node's.
 */
const hiddenInTunnel = (
  sealedBy: string,
  family: IpFamily,
  { podCidrs, clusterCidrs }: FirewallFacts,
): string => {
  const { word } = nftOf(family);
  const [own = ''] = inFamily(podCidrs, family);
  const pods = unique(inFamily(clusterCidrs, family));
  return `
  chain tunnel {
    type nat hook postrouting priority srcnat - 3; policy accept;
    oifname != "${sealedBy}" accept
    ${word} saddr ${own.replace(/\/.*/, '')} masquerade
${pods.map((cidr) => `    ${word} saddr ${cidr} accept\n`).join('')}    masquerade
  }`;
};

/** What a route that somebody has changed would lead past the encryption is dropped, both ways. */
const sealedChains = (
  sealedBy: string,
  families: readonly IpFamily[],
  { podCidrs, clusterCidrs }: FirewallFacts,
): string => {
  const rules = (field: 'saddr' | 'daddr'): string =>
    families
      .flatMap((family) => {
        const { word } = nftOf(family);
        const own = inFamily(podCidrs, family);
        const others = unique(inFamily(clusterCidrs, family)).filter((cidr) => !own.includes(cidr));
        return [
          ...own.map((cidr) => `    ${word} ${field} ${cidr} accept\n`),
          ...others.map((cidr) => `    ${word} ${field} ${cidr} drop\n`),
        ];
      })
      .join('');
  return `
  chain sealed_in {
    type filter hook prerouting priority raw - 1; policy accept;
    iifname "${sealedBy}" accept
${rules('saddr')}  }
  chain sealed_out {
    type filter hook postrouting priority filter; policy accept;
    oifname { "${sealedBy}", "lo" } accept
${rules('daddr')}  }`;
};

const nodeSet = (family: IpFamily, { nodeAddresses }: FirewallFacts): string => {
  const nodes = nodeAddresses.filter((address) => familyOf(address) === family);
  return `  set ${nodesOf(family)} {
    type ${nftOf(family).type}
    ${nodes.length === 0 ? '' : `elements = { ${sorted(nodes)} }`}
  }
`;
};

const nodesOf = (family: IpFamily): string => (family === 4 ? 'nodes' : 'nodes6');

const inFamily = (cidrs: readonly string[], family: IpFamily): readonly string[] =>
  cidrs.filter((cidr) => networkOf(cidr)?.address.family === family);

const sorted = (elements: readonly string[]): string => unique(elements).join(', ');
const unique = (elements: readonly string[]): readonly string[] => [...new Set(elements)].sort();
