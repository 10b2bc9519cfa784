import { spawn } from 'node:child_process';

import { NetworkError } from './errors';
import { NetlinkError, NetlinkSocket, NETLINK_NETFILTER } from './netlink/socket';
import { type NetlinkMessage, type NetlinkRequest } from './netlink/wire';
import { RuleGenerations } from './rule-generations';

/**
 * Our nftables tables, in parts that replace their tables as a whole: all parts go in as one
 * transaction, when one of them has changed or somebody else has changed any table.
 */
export class RuleSet implements Disposable {
  private readonly firewall = NetlinkSocket.open(NETLINK_NETFILTER);
  /** What the kernel has taken: what it refuses must not stand in the way of the other parts. */
  private parts: ReadonlyMap<string, string> = new Map();
  private applied: string | undefined;
  /** How many changes of others there had been when ours were put in. */
  private foreignChanges: number | undefined;
  /** For whoever else changes rules of tables of ours. */
  readonly generations = new RuleGenerations(this.firewall);

  /** Makes the rules of this part be there, and those of the others. False where there is no nft. */
  async sync(part: string, rules: string): Promise<boolean> {
    const parts = new Map(this.parts).set(part, rules);
    const text = [...parts.values()].join('');
    const foreign = await this.generations.foreignChanges();
    if (text === this.applied && foreign === this.foreignChanges) return true;
    return this.generations.change(async (foreignChanges) => {
      if (!(await nft(text))) return false;
      this.parts = parts;
      this.applied = text;
      this.foreignChanges = foreignChanges;
      return true;
    });
  }

  async list(request: NetlinkRequest): Promise<readonly NetlinkMessage[]> {
    return this.firewall.dump(request);
  }

  /**
   * Has the kernel forget ways that packets went. One that cannot forgets by itself, once the clients
   * pause.
   */
  async forget(requests: readonly NetlinkRequest[]): Promise<void> {
    try {
      await this.firewall.run(requests);
    } catch (error) {
      if (!(error instanceof NetlinkError)) throw error;
    }
  }

  [Symbol.dispose](): void {
    this.firewall[Symbol.dispose]();
  }
}

/** One transaction; false when there is no nft. */
export const nft = (input: string, timeoutMs = NFT_TIMEOUT_MS): Promise<boolean> =>
  new Promise((resolve, reject) => {
    const child = spawn('nft', ['-f', '-'], {
      stdio: ['pipe', 'ignore', 'pipe'],
      timeout: timeoutMs,
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
