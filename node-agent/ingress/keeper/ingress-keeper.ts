import { CompanionKeeper, type CompanionKeeperDeps } from '../../companion/companion-keeper';
import type { NetworkView } from '../../session/network-tables';
import type { IngressSettings } from '../serving/ingress-service';

type Shared = Pick<
  CompanionKeeperDeps<IngressSettings>,
  'directory' | 'program' | 'clock' | 'random' | 'log' | 'onProblem'
>;

export interface IngressKeeperDeps extends Shared {
  readonly network: NetworkView;
  readonly settings: IngressSettings;
}

/** Sees to it that a proxy runs on this node, which serves the cluster's ingresses. */
export class IngressKeeper extends CompanionKeeper<IngressSettings> {
  constructor({ network, settings, ...shared }: IngressKeeperDeps) {
    const { services, endpointSlices, ingresses, ingressSecrets } = network;
    super({
      ...shared,
      ...{ name: 'ingress', args: [], heapMaxMb: 512, network },
      feed: {
        tables: {
          ...{ services, endpointslices: endpointSlices },
          ...{ ingresses, ingresssecrets: ingressSecrets },
        },
        settings: () => settings,
        onSettings: () => () => undefined,
      },
    });
  }
}
