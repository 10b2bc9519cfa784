import { type IpFamily } from '../../lib/net/ip';
import { suspectsOf, tellDrops, type Suspect } from './foreign-chains';
import { NetlinkSocket, NETLINK_NETFILTER } from './netlink/socket';
import { decodeChain, listAllChains, type NftChain } from './netlink/nft-watch';

/** Rules of others that are there before any of ours. */
export interface ForeignRules {
  /** Who would drop packets of pods, and what lets them pass: in words, a family each. */
  readonly drops: readonly string[];
  /** Names of the chains that kube-proxy makes, and leaves. */
  readonly kubeChains: readonly string[];
}

/** Looks at the tables of this network namespace, without a change. @throws Error where there are no nftables */
export const foreignRules = async (podCidrs: readonly string[]): Promise<ForeignRules> => {
  using firewall = NetlinkSocket.open(NETLINK_NETFILTER);
  const chains = (await firewall.dump(listAllChains())).flatMap((one) => decodeChain(one) ?? []);
  return foreignRulesOf(chains, podCidrs);
};

/** Pure: of these chains. One that only might drop is not told of. */
export const foreignRulesOf = (
  chains: readonly NftChain[],
  podCidrs: readonly string[],
): ForeignRules => {
  const told = (family: IpFamily): readonly string[] => {
    const cidrs = podCidrs.filter((cidr) => cidr.includes(':') === (family === 6));
    const suspects = suspectsOf(chains, family).filter(isDropping);
    return cidrs.length === 0 || suspects.length === 0 ? [] : [tellDrops(family, suspects, cidrs)];
  };
  return {
    drops: [...told(4), ...told(6)],
    kubeChains: [...new Set(chains.map(({ name }) => name).filter((name) => KUBE.test(name)))],
  };
};

const isDropping = ({ drops, table }: Suspect): boolean => drops || table === 'firewalld';
const KUBE = /^KUBE-(SERVICES|NODEPORTS|FORWARD|POSTROUTING)$/;
