import { spawn } from 'node:child_process';
import { type Log } from '../../lib/log';
import { NetworkError } from './errors';
import { decodeGeneration, getGeneration } from './netlink/nftables';
import { NetlinkError, NetlinkSocket, NETLINK_NETFILTER } from './netlink/socket';

/**
 * Hides pods that talk to the world behind their node's address; inside the cluster they keep their
 * own. One nftables table per prefix, replaced as a whole.
 */
export class Masquerade implements Disposable {
  private readonly firewall = NetlinkSocket.open(NETLINK_NETFILTER);
  private applied: string | undefined;
  /** Of the rule set just after ours were put in; undefined when others may have changed them since. */
  private generation: number | undefined;
  private isMissingReported = false;

  constructor(
    private readonly prefix: string,
    private readonly log: Log,
  ) {}

  /**
   * Makes the rules be there, also after somebody has flushed them.
   * @param clusterCidrs what pods reach under their own address
   */
  async sync(podCidr: string, clusterCidrs: readonly string[]): Promise<void> {
    const rules = rulesOf(tableNameOf(this.prefix), podCidr, clusterCidrs);
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
export const removeMasquerade = async (prefix: string): Promise<void> => {
  const table = tableNameOf(prefix);
  await nft(`add table ip ${table}\ndelete table ip ${table}\n`);
};

const tableNameOf = (prefix: string): string => `dhow-${prefix}`;

const rulesOf = (table: string, podCidr: string, clusterCidrs: readonly string[]): string => `
add table ip ${table}
delete table ip ${table}
table ip ${table} {
  set cluster {
    type ipv4_addr
    flags interval
    auto-merge
    elements = { ${[...clusterCidrs].sort().join(', ')} }
  }
  chain postrouting {
    type nat hook postrouting priority srcnat; policy accept;
    ip saddr ${podCidr} ip daddr != @cluster ip daddr != 224.0.0.0/4 masquerade
  }
}
`;

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
      else reject(new NetworkError('masquerade', 'cannot run nft', { cause: error }));
    });
    child.on('close', (code) => {
      if (code === 0) resolve(true);
      else reject(new NetworkError('masquerade', `nft failed: ${errors.trim()}`));
    });
    // nft may die before it has read all; its exit status tells.
    child.stdin.on('error', () => undefined);
    child.stdin.end(input);
  });

const NFT_TIMEOUT_MS = 10_000;
