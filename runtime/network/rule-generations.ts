import { Semaphore } from '../../lib/async/semaphore';
import { decodeGeneration, getGeneration } from './netlink/nftables';
import { NetlinkError, type NetlinkSocket } from './netlink/socket';

/**
 * Tells our own changes of the firewall rules from those of others: the kernel counts all of them, and
 * each of ours is one. All who change rules in this process go through here, one at a time.
 */
export class RuleGenerations {
  private readonly turn = new Semaphore(1);
  /** After our last change, or when last asked; undefined where the kernel does not say. */
  private known: number | undefined;
  private foreign = 0;

  constructor(private readonly firewall: NetlinkSocket) {}

  /** Grows whenever somebody else may have changed a rule of any table. */
  async foreignChanges(): Promise<number> {
    return this.turn.use(() => this.look());
  }

  /** Makes at most one change of the rules. `work` is told how many foreign ones were before it. */
  async change<T>(work: (foreignChanges: number) => Promise<T>): Promise<T> {
    return this.turn.use(async () => {
      const foreign = await this.look();
      const before = this.known;
      try {
        return await work(foreign);
      } finally {
        // Two steps: another change came between, and nobody knows what it was.
        this.known = await this.current();
        if (before === undefined || (this.known !== before && this.known !== before + 1))
          this.foreign++;
      }
    });
  }

  private async look(): Promise<number> {
    const current = await this.current();
    if (current === undefined || current !== this.known) this.foreign++;
    this.known = current;
    return this.foreign;
  }

  private async current(): Promise<number | undefined> {
    try {
      return decodeGeneration(await this.firewall.get(getGeneration()));
    } catch (error) {
      if (error instanceof NetlinkError) return undefined;
      throw error;
    }
  }
}
