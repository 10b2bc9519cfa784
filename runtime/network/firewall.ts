import { type Log } from '../../lib/log';
import { sandboxInterfaces } from './names';
import { nft, type RuleSet } from './rule-set';
import { VXLAN_PORT } from './vxlan';

/** What the rules follow from. */
export interface FirewallFacts {
  readonly podCidr: string;
  /** What pods reach under their own address. */
  readonly clusterCidrs: readonly string[];
  /** Addresses of this node and its peers. */
  readonly nodeAddresses: readonly string[];
}

/**
 * Hides pods that talk to the world behind their node's address (inside the cluster they keep their
 * own), and believes no pod that speaks under an address other than its own: what comes in on a
 * sandbox's link and would not go back out on it is dropped, as is IPv6, which pods do not have, what
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
    if ((await rules.sync('firewall', rulesOf(prefix, facts))) || this.isMissingReported) return;
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
  ['ip', 'inet']
    .map((family) => `add table ${family} ${table}\ndelete table ${family} ${table}\n`)
    .join('');

/**
 * Ranges are rules and no set: for a moment after a table has been replaced the kernel finds nothing in
 * its sets of ranges (their commit comes after that of the rules), and would hide pods from each other.
 */
const rulesOf = (
  prefix: string,
  { podCidr, clusterCidrs, nodeAddresses }: FirewallFacts,
): string => {
  const table = tableNameOf(prefix);
  const nodes = nodeAddresses.length === 0 ? '' : `elements = { ${sorted(nodeAddresses)} }`;
  return `
${withoutTables(table)}
table ip ${table} {
  chain postrouting {
    type nat hook postrouting priority srcnat; policy accept;
    ip saddr != ${podCidr} accept
${unique(clusterCidrs)
  .map((cidr) => `    ip daddr ${cidr} accept\n`)
  .join('')}    ip daddr 224.0.0.0/4 accept
    masquerade
  }
}
table inet ${table} {
  set nodes {
    type ipv4_addr
    ${nodes}
  }
  chain sources {
    type filter hook prerouting priority raw; policy accept;
    iifname != "${sandboxInterfaces(prefix)}" accept
    meta nfproto ipv6 drop
    ip saddr 0.0.0.0/8 drop
    ip daddr 127.0.0.0/8 drop
    fib saddr . iif oif 0 drop
    ip daddr @nodes udp dport ${VXLAN_PORT} drop
  }
}
`;
};

const sorted = (elements: readonly string[]): string => unique(elements).join(', ');
const unique = (elements: readonly string[]): readonly string[] => [...new Set(elements)].sort();
