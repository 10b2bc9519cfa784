import type { PacketPolicies } from '../../packet-policies';
import { type IpFamily } from '../../../lib/net/ip';
import { nft } from '../rule-set';
import { withoutTable } from '../without-table';
import { PolicyTable, policyTableOf, type PolicyTableDeps } from './policy-table';

/** The policies about all families that sandboxes have. The caller takes turns. */
export class PolicyTables implements Disposable {
  private readonly tables: readonly PolicyTable[];

  constructor(deps: Omit<PolicyTableDeps, 'family'> & { readonly families: readonly IpFamily[] }) {
    this.tables = deps.families.map((family) => new PolicyTable({ ...deps, family }));
  }

  /** @throws NetworkError where there is no nft and something is to be held back */
  async sync(
    policies: PacketPolicies,
    addresses: ReadonlyMap<string, readonly string[]>,
  ): Promise<void> {
    for (const table of this.tables) await table.sync(policies, addresses);
  }

  async update(addresses: ReadonlyMap<string, readonly string[]>): Promise<void> {
    for (const table of this.tables) await table.update(addresses);
  }

  /** @throws NetworkError when it is not known what holds for the sandbox */
  async admit(sandboxId: string, addresses: ReadonlyMap<string, readonly string[]>): Promise<void> {
    for (const table of this.tables) await table.admit(sandboxId, addresses);
  }

  [Symbol.dispose](): void {
    for (const table of this.tables) table[Symbol.dispose]();
  }
}

/** Idempotent. */
export const removePolicyTables = async (prefix: string): Promise<void> => {
  await nft(withoutTable(policyTableOf(prefix)));
};
