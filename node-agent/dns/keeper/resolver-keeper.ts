import { CLUSTER_KEY } from '../../../api/assignment-rows';
import { CompanionKeeper, type CompanionKeeperDeps } from '../../companion/companion-keeper';
import type { NetworkView } from '../../session/network-tables';
import type { ResolverSettings } from '../control/resolver';

type Shared = Pick<
  CompanionKeeperDeps<ResolverSettings>,
  'directory' | 'program' | 'clock' | 'random' | 'log'
>;

export interface ResolverKeeperDeps extends Shared {
  /** Default: 53. */
  readonly port?: number;
  readonly network: NetworkView;
  readonly resolvConf: string;
}

/** Sees to it that a resolver runs on this node, which knows the cluster's names. */
export class ResolverKeeper extends CompanionKeeper<ResolverSettings> {
  constructor({ port = DNS_PORT, network, resolvConf, ...shared }: ResolverKeeperDeps) {
    super({
      ...shared,
      name: 'resolver',
      args: [String(port)],
      heapMaxMb: 256,
      network,
      feed: {
        tables: { services: network.services, endpointslices: network.endpointSlices },
        settings: () => settingsOf(network, resolvConf),
        onSettings: (listener) => network.clusterNetwork.onChange(listener),
      },
    });
  }
}

const settingsOf = (network: NetworkView, resolvConf: string): ResolverSettings | undefined => {
  const cluster = network.clusterNetwork.get(CLUSTER_KEY);
  if (cluster === undefined) return undefined;
  const { clusterDns: addresses, clusterDomain, podCidrs, serviceCidrs } = cluster;
  const domain = clusterDomain.toLowerCase().replace(/\.$/, '');
  return { domain, addresses, ranges: [...podCidrs, ...serviceCidrs], resolvConf };
};

const DNS_PORT = 53;
