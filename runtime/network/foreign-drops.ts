import { formatPrefix, type IpFamily, type IpPrefix } from '../../lib/net/ip';
import { suspectsOf, tellDrops } from './foreign-chains';
import { decodeChain, decodeCounter, listAllChains, listCounters } from './netlink/nft-watch';
import { nftOf } from './family';
import { nft, type RuleSet } from './rule-set';
import { withoutTableOf } from './without-table';

interface ForeignDropsDeps {
  readonly prefix: string;
  readonly families: readonly IpFamily[];
  readonly rules: RuleSet;
}

/**
 * Finds out whether others' rules (Docker's, firewalld's, an administrator's) drop what this node passes on from
 * pods and to them. Packets are counted behind our own rules and once more behind all others of the forward
 * hook: what is missing there was dropped between, by whatever means, also by those of iptables-legacy.
 */
export class ForeignDrops {
  private missing: ReadonlyMap<IpFamily, number> = new Map();

  constructor(private readonly deps: ForeignDropsDeps) {}

  /** What was dropped since the last call, by whom, and what to do: in words, for each family. */
  async look(podCidrs: readonly IpPrefix[]): Promise<readonly string[]> {
    const { prefix, families, rules } = this.deps;
    const table = tableNameOf(prefix);
    if (!(await rules.sync('foreign-drops', rulesOf(table, families, podCidrs)))) return [];
    const counters = new Map(
      (await rules.list(listCounters(table))).map(decodeCounter).filter((one) => one !== undefined),
    );
    const before = this.missing;
    this.missing = new Map(
      families.map((family) => {
        const [begun = 0, ended = 0] = names(family).map((name) => counters.get(name));
        return [family, begun - ended];
      }),
    );
    const dropping = families.filter(
      (family) => grownBy(before.get(family) ?? 0, this.missing.get(family) ?? 0) >= DROPS_MIN,
    );
    if (dropping.length === 0) return [];
    const chains = (await rules.list(listAllChains())).flatMap((one) => decodeChain(one) ?? []);
    return dropping.map((family) => {
      const cidrs = podCidrs.filter(({ address }) => address.family === family);
      return tellDrops(family, suspectsOf(chains, family), cidrs.map(formatPrefix));
    });
  }
}

/** Idempotent. */
export const removeForeignDrops = async (prefix: string): Promise<void> => {
  await nft(withoutTableOf('inet', tableNameOf(prefix)));
};

/** Counters begin anew whenever our tables are replaced. */
const grownBy = (before: number, now: number): number => (now >= before ? now - before : now);

const rulesOf = (
  table: string,
  families: readonly IpFamily[],
  podCidrs: readonly IpPrefix[],
): string => {
  const rules = (index: 0 | 1): string =>
    podCidrs
      .flatMap((cidr) => {
        const { family } = cidr.address;
        const { word } = nftOf(family);
        return ['saddr', 'daddr'].map(
          (field) =>
            `    ${word} ${field} ${formatPrefix(cidr)} counter name ${names(family)[index]} accept\n`,
        );
      })
      .join('');
  return `
${withoutTableOf('inet', table)}
table inet ${table} {
${families.flatMap((family) => names(family).map((name) => `  counter ${name} { }\n`)).join('')}
  chain begin {
    type filter hook forward priority filter - 9; policy accept;
${rules(0)}  }
  chain end {
    type filter hook forward priority 1000; policy accept;
${rules(1)}  }
}
`;
};

const tableNameOf = (prefix: string): string => `dhow-${prefix}-foreign`;

/** Read in this order: what is on its way meanwhile must not seem to be missing. */
const names = (family: IpFamily): readonly [string, string] => [`begun${family}`, `ended${family}`];

/** Fewer may still be on their way between the two, in a queue say. */
const DROPS_MIN = 3;
