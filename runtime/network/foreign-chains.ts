import { type IpFamily } from '../../lib/net/ip';
import { type NftChain } from './netlink/nft-watch';

export interface Suspect extends NftChain {
  /** All of its table. */
  readonly siblings: ReadonlySet<string>;
}

/**
 * Which chains may drop what is passed on: those that drop what they do not know, and firewalld's, which
 * does so by a rule; all of the hook where there is none of these.
 */
export const suspectsOf = (chains: readonly NftChain[], family: IpFamily): readonly Suspect[] => {
  const words = family === 4 ? ['ip', 'inet'] : ['ip6', 'inet'];
  const all = chains
    .filter((chain) => chain.hook === 'forward' && words.includes(chain.family))
    .filter(({ table }) => !table.startsWith(OWN_TABLES))
    .map((chain) => ({
      ...chain,
      siblings: new Set(
        chains
          .filter((other) => other.table === chain.table && other.family === chain.family)
          .map(({ name }) => name),
      ),
    }));
  const likely = all.filter(({ drops, table }) => drops || table === 'firewalld');
  return likely.length > 0 ? likely : all;
};

/** One sentence on who drops, one on the command that lets the ranges of pods pass. */
export const tellDrops = (
  family: IpFamily,
  suspects: readonly Suspect[],
  cidrs: readonly string[],
): string => {
  const tool = family === 4 ? 'iptables' : 'ip6tables';
  const shown = suspects.slice(0, MAX_SUSPECTS);
  const who =
    shown.length === 0
      ? `rules that nft does not show (${tool}-legacy -S FORWARD lists them)`
      : shown
          .map(
            ({ family: word, table, name }) =>
              `chain ${named(name)} of table ${word} ${named(table)}`,
          )
          .join(' or ');
  const commands =
    shown.length === 0
      ? inFront(`${tool}-legacy`, 'FORWARD', cidrs)
      : shown.flatMap((suspect) => commandsFor(suspect, tool, cidrs));
  return (
    `Packets from pods or to them that this node should pass on are dropped by ${who}. ` +
    `To let them pass: ${[...new Set(commands)].join(' && ')}`
  );
};

const commandsFor = (
  { family, table, name, siblings }: Suspect,
  tool: string,
  cidrs: readonly string[],
): readonly string[] => {
  if (table === 'firewalld')
    return [
      ...cidrs.map((cidr) => `firewall-cmd --permanent --zone=trusted --add-source=${cidr}`),
      'firewall-cmd --reload',
    ];
  if (table === 'filter' && name === 'FORWARD') {
    if (siblings.has('DOCKER-USER')) return inFront(tool, 'DOCKER-USER', cidrs);
    if (siblings.has('ufw-user-forward') || siblings.has('ufw6-user-forward'))
      return cidrs.flatMap((cidr) =>
        ['from', 'to'].map((direction) => `ufw route allow ${direction} ${cidr}`),
      );
    return inFront(tool, 'FORWARD', cidrs);
  }
  const word = tool === 'iptables' ? 'ip' : 'ip6';
  return cidrs.flatMap((cidr) =>
    ['saddr', 'daddr'].map(
      (field) =>
        `nft insert rule ${family} ${named(table)} ${named(name)} ${word} ${field} ${cidr} accept`,
    ),
  );
};

const inFront = (tool: string, chain: string, cidrs: readonly string[]): readonly string[] =>
  cidrs.flatMap((cidr) =>
    ['-s', '-d'].map((flag) => `${tool} -I ${chain} ${flag} ${cidr} -j ACCEPT`),
  );

/** Whoever names tables writes no commands with it. */
const named = (name: string): string => name.replace(/[^\w./-]/g, '?').slice(0, 64);

const OWN_TABLES = 'dhow-';
const MAX_SUSPECTS = 4;
