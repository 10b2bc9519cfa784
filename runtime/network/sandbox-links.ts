import { type Clock } from '../../lib/clock';
import { type Log } from '../../lib/log';
import { type IpAddress, type IpPrefix } from '../../lib/net/ip';
import { type AttachRequest } from '../pod-network';
import { AddressPool } from './address-pool';
import { isSandboxInterface, shapedBy } from './names';
import { forgetFlowsTo } from './netlink/conntrack';
import { decodeLink, deleteLink, listLinks, type Link } from './netlink/requests';
import { type NetlinkSocket } from './netlink/socket';
import { type RuleSet } from './rule-set';
import {
  createSandboxLink,
  parseAlias,
  releaseSandboxLink,
  removeSandboxLink,
  repairSandboxLink,
  type LinkSettings,
  type SandboxLink,
} from './sandbox-link';

interface SandboxLinksDeps {
  readonly host: NetlinkSocket;
  readonly rules: RuleSet;
  readonly prefix: string;
  /** One of each family that pods have. */
  readonly podCidrs: readonly IpPrefix[];
  readonly clock: Clock;
  readonly log: Log;
  /** What must hold before the sandbox can send anything. */
  readonly guard: (sandbox: Omit<SandboxLink, 'hostInterface'>) => Promise<void>;
}

/** The links of all sandboxes on this node, and whose each address is. The caller takes turns. */
export class SandboxLinks {
  private readonly links = new Map<string, SandboxLink>();
  private readonly pools: readonly AddressPool[];

  constructor(private readonly deps: SandboxLinksDeps) {
    this.pools = deps.podCidrs.map((range) => new AddressPool(range, deps.clock));
  }

  list(): readonly SandboxLink[] {
    return [...this.links.values()];
  }

  /**
   * What lives is the truth. An interface without a label was being made, or has been let go; of two
   * that claim the same, one is kept, and the other's sandbox gets a new link when it is attached.
   */
  async recover(): Promise<void> {
    const { host, prefix, log } = this.deps;
    const links = (await host.dump(listLinks())).map(decodeLink);
    for (const link of links.filter(({ name }) => isSandboxInterface(prefix, name))) {
      const known = parseAlias(link);
      if (known !== undefined && this.isUnclaimed(known)) {
        for (const address of known.addresses)
          this.poolOf(address)?.claim(known.sandboxId, address);
        this.links.set(known.sandboxId, known);
      } else {
        log.info({ interface: link.name, alias: link.alias }, 'removing a stray interface');
        await removeSandboxLink(host, link.name);
      }
    }
    await this.removeStrayShapers(links);
  }

  /** A crash came before its link had a label, or after it had been let go. */
  private async removeStrayShapers(links: readonly Link[]): Promise<void> {
    const { host, prefix } = this.deps;
    const known = new Set(this.list().map(({ hostInterface }) => hostInterface));
    const strays = links.filter(({ name }) => {
      const shaped = shapedBy(prefix, name);
      return shaped !== undefined && !known.has(shaped);
    });
    await host.run(strays.map(({ name }) => deleteLink(name)));
  }

  /** The sandbox's link in its full state, made if need be. Leaves nothing when it fails. */
  async ensure(
    { sandboxId, netnsPath, limits }: AttachRequest,
    settings: LinkSettings,
  ): Promise<SandboxLink> {
    const { host, rules } = this.deps;
    const known = this.links.get(sandboxId);
    if (known !== undefined) {
      await this.deps.guard(known);
      if (await repairSandboxLink(host, known, netnsPath, settings)) return known;
      await removeSandboxLink(host, known.hostInterface);
    }
    try {
      const addresses = this.pools.map((pool) => pool.allocate(sandboxId));
      const own = { sandboxId, addresses };
      // Flows of whoever had them before, however that went, and what holds for who has them now.
      const forgotten = rules.forget(addresses.map(forgetFlowsTo));
      const guarded = Promise.all([forgotten, this.deps.guard(own)]);
      const link = await createSandboxLink(host, own, netnsPath, settings, { guarded, limits });
      this.links.set(sandboxId, link);
      return link;
    } catch (error) {
      this.links.delete(sandboxId);
      this.letGo(sandboxId);
      throw error;
    }
  }

  /** Idempotent. */
  async release(sandboxId: string): Promise<void> {
    const link = this.links.get(sandboxId);
    if (link === undefined) return;
    await releaseSandboxLink(this.deps.host, link);
    this.links.delete(sandboxId);
    this.letGo(sandboxId);
  }

  private letGo(sandboxId: string): void {
    for (const pool of this.pools) pool.release(sandboxId);
  }

  /** None for an address of a family that pods had once. */
  private poolOf({ family }: IpAddress): AddressPool | undefined {
    return this.pools.find(({ range }) => range.address.family === family);
  }

  private isUnclaimed({ sandboxId, addresses }: SandboxLink): boolean {
    const isFree = (address: IpAddress) =>
      this.poolOf(address)?.ownerOfAddress(address) === undefined;
    return !this.links.has(sandboxId) && addresses.every(isFree);
  }
}
