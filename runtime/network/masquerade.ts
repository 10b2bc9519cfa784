import { spawn } from 'node:child_process';
import { type Log } from '../../lib/log';
import { NetworkError } from './errors';

/**
 * Hides pods that talk to the world behind their node's address; inside the cluster they keep their
 * own. One nftables table per prefix, replaced as a whole.
 */
export class Masquerade {
  private applied: string | undefined;
  private isMissingReported = false;

  constructor(
    private readonly prefix: string,
    private readonly log: Log,
  ) {}

  /** @param clusterCidrs what pods reach under their own address */
  async sync(podCidr: string, clusterCidrs: readonly string[]): Promise<void> {
    const rules = rulesOf(tableNameOf(this.prefix), podCidr, clusterCidrs);
    if (rules === this.applied) return;
    if (await nft(rules)) this.applied = rules;
    else if (!this.isMissingReported) {
      this.isMissingReported = true;
      this.log.warn({}, 'nft is not installed: pods cannot reach addresses outside the cluster');
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
