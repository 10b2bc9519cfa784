import { spawn } from 'node:child_process';

import { NetworkError } from './errors';
import { decodeGeneration, getGeneration } from './netlink/nftables';
import { NetlinkError, NetlinkSocket, NETLINK_NETFILTER } from './netlink/socket';
import { type NetlinkRequest } from './netlink/wire';

/**
 * Our nftables tables, in parts that replace their tables as a whole: all parts go in as one
 * transaction, when one of them has changed or somebody else has changed any table.
 */
export class RuleSet implements Disposable {
  private readonly firewall = NetlinkSocket.open(NETLINK_NETFILTER);
  /** What the kernel has taken: what it refuses must not stand in the way of the other parts. */
  private parts: ReadonlyMap<string, string> = new Map();
  private applied: string | undefined;
  /** Of the rule set just after ours were put in; undefined when others may have changed them since. */
  private generation: number | undefined;

  /** Makes the rules of this part be there, and those of the others. False where there is no nft. */
  async sync(part: string, rules: string): Promise<boolean> {
    const parts = new Map(this.parts).set(part, rules);
    const text = [...parts.values()].join('');
    const before = await this.currentGeneration();
    const isUntouched = before !== undefined && before === this.generation;
    if (text === this.applied && isUntouched) return true;
    if (!(await nft(text))) return false;
    this.parts = parts;
    this.applied = text;
    const after = await this.currentGeneration();
    // Two steps: another change came between, and nobody knows what it was.
    this.generation = before !== undefined && after === before + 1 ? after : undefined;
    return true;
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

/** One transaction; false when there is no nft. */
export const nft = (input: string): Promise<boolean> =>
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
