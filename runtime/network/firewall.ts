import { spawn } from 'node:child_process';
import { type Log } from '../../lib/log';
import { NetworkError } from './errors';
import { sandboxInterfaces } from './names';
import { decodeGeneration, getGeneration } from './netlink/nftables';
import { NetlinkError, NetlinkSocket, NETLINK_NETFILTER } from './netlink/socket';
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
 * sandbox's link and would not go back out on it is dropped, as is IPv6, which pods do not have, and
 * what would enter the tunnel between nodes from the side. One nftables table per family and prefix,
 * replaced as a whole. Each link checks sources by itself, too (`checksSource` in
 * netlink/requests.ts): that holds where there is no nft, this where somebody has loosened rp_filter.
 */
export class Firewall implements Disposable {
  private readonly firewall = NetlinkSocket.open(NETLINK_NETFILTER);
  private applied: string | undefined;
  /** Of the rule set just after ours were put in; undefined when others may have changed them since. */
  private generation: number | undefined;
  private isMissingReported = false;

  constructor(
    private readonly prefix: string,
    private readonly log: Log,
  ) {}

  /** Makes the rules be there, also after somebody has flushed them. */
  async sync(facts: FirewallFacts): Promise<void> {
    const rules = rulesOf(this.prefix, facts);
    const before = await this.currentGeneration();
    const isUntouched = before !== undefined && before === this.generation;
    if (rules === this.applied && isUntouched) return;
    if (await nft(rules)) {
      this.applied = rules;
      const after = await this.currentGeneration();
      // Two steps: another change came between, and nobody knows what it was.
      this.generation = before !== undefined && after === before + 1 ? after : undefined;
    } else if (!this.isMissingReported) {
      this.isMissingReported = true;
      this.log.warn({}, 'nft is not installed: pods cannot reach addresses outside the cluster');
    }
  }

  [Symbol.dispose](): void {
    this.firewall[Symbol.dispose]();
  }

  /** Undefined where the kernel does not say: then rules are put in at every turn. */
  private async currentGeneration(): Promise<number | undefined> {
    try {
      return decodeGeneration(await this.firewall.get(getGeneration()));
    } catch (error) {
      if (error instanceof NetlinkError) return undefined;
      throw error;
    }
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

const rulesOf = (
  prefix: string,
  { podCidr, clusterCidrs, nodeAddresses }: FirewallFacts,
): string => {
  const table = tableNameOf(prefix);
  const nodes = nodeAddresses.length === 0 ? '' : `elements = { ${sorted(nodeAddresses)} }`;
  return `
${withoutTables(table)}
table ip ${table} {
  set cluster {
    type ipv4_addr
    flags interval
    auto-merge
    elements = { ${sorted(clusterCidrs)} }
  }
  chain postrouting {
    type nat hook postrouting priority srcnat; policy accept;
    ip saddr ${podCidr} ip daddr != @cluster ip daddr != 224.0.0.0/4 masquerade
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
    fib saddr . iif oif 0 drop
    ip daddr @nodes udp dport ${VXLAN_PORT} drop
  }
}
`;
};

const sorted = (elements: readonly string[]): string => [...new Set(elements)].sort().join(', ');

/** One transaction; false when there is no nft. */
const nft = (input: string): Promise<boolean> =>
  new Promise((resolve, reject) => {
    const child = spawn('nft', ['-f', '-'], {
      stdio: ['pipe', 'ignore', 'pipe'],
      timeout: NFT_TIMEOUT_MS,
    });
    let errors = '';
    child.stderr.on(
      'data',
      (chunk: Buffer) => (errors = (errors + chunk.toString()).slice(0, 2048)),
    );
    child.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') resolve(false);
      else reject(new NetworkError('firewall', 'cannot run nft', { cause: error }));
    });
    child.on('close', (code) => {
      if (code === 0) resolve(true);
      else reject(new NetworkError('firewall', `nft failed: ${errors.trim()}`));
    });
    // nft may die before it has read all; its exit status tells.
    child.stdin.on('error', () => undefined);
    child.stdin.end(input);
  });

const NFT_TIMEOUT_MS = 10_000;
