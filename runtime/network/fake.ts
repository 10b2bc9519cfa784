import { type Clock, systemClock } from '../../lib/clock';
import { formatIp, rangeOf } from '../../lib/net/ip';
import {
  type AttachRequest,
  type Attachment,
  type HostPort,
  type NetworkPeer,
  type PodNetwork,
  type PeerWay,
  type RefusedPeer,
} from '../pod-network';
import type { PacketPolicies } from '../packet-policies';
import { AddressPool } from './address-pool';
import { NetworkError } from './errors';
import { interfaceNameOf } from './names';
import { FakeServiceNetwork } from './services/fake';

/** A pod network in memory: same addresses, errors and idempotence, no kernel. */
export class FakePodNetwork implements PodNetwork {
  private readonly pools: readonly AddressPool[];
  private readonly attached = new Map<string, Attachment>();
  private currentPeers: readonly NetworkPeer[] = [];
  mtu = 1500;
  /** What `linkChanges` tells. */
  linkChangeCount = 0;
  readonly services = new FakeServiceNetwork();
  refusedPeers: readonly RefusedPeer[] = [];
  peerWays: readonly PeerWay[] = [];
  /** What `foreignDrops` tells. */
  drops: readonly string[] = [];
  /** What `syncHostPorts` was last given. */
  hostPorts: readonly HostPort[] = [];
  /** What `syncPolicies` was last given. */
  policies: PacketPolicies | undefined;
  /** When set, the next `attach` fails with it. */
  nextAttachError: Error | undefined;
  /** When set, the next `syncHostPorts` fails with it. */
  nextHostPortsError: Error | undefined;

  constructor(podCidrs: readonly string[] = ['10.244.0.0/24'], clock: Clock = systemClock) {
    this.pools = podCidrs.map((text) => {
      const range = rangeOf(text);
      if (range === undefined) throw new NetworkError('address', `pod range ${text} is not a CIDR`);
      return new AddressPool(range, clock);
    });
  }

  async attach({ sandboxId }: AttachRequest, signal?: AbortSignal): Promise<Attachment> {
    signal?.throwIfAborted();
    const error = this.nextAttachError;
    this.nextAttachError = undefined;
    if (error !== undefined) throw error;

    const existing = this.attached.get(sandboxId);
    if (existing !== undefined) return existing;
    const ips = this.pools.map((pool) => formatIp(pool.allocate(sandboxId)));
    const hostInterface = interfaceNameOf('dh', sandboxId, ips.join());
    const attachment = { sandboxId, ips, hostInterface };
    this.attached.set(sandboxId, attachment);
    return attachment;
  }

  async release(): Promise<void> {
    // Nothing here needs the namespace.
  }

  async detach(sandboxId: string): Promise<void> {
    this.attached.delete(sandboxId);
    for (const pool of this.pools) pool.release(sandboxId);
  }

  async syncPeers(peers: readonly NetworkPeer[]): Promise<void> {
    this.currentPeers = [...peers];
  }

  async syncHostPorts(ports: readonly HostPort[]): Promise<void> {
    const error = this.nextHostPortsError;
    this.nextHostPortsError = undefined;
    if (error !== undefined) throw error;
    this.hostPorts = [...ports];
  }

  async syncPolicies(policies: PacketPolicies): Promise<void> {
    this.policies = policies;
  }

  linkChanges(): Promise<number | undefined> {
    return Promise.resolve(this.linkChangeCount);
  }

  foreignDrops(): Promise<readonly string[]> {
    return Promise.resolve(this.drops);
  }

  attachments(): readonly Attachment[] {
    return [...this.attached.values()];
  }

  /** What `syncPeers` was last given. */
  peers(): readonly NetworkPeer[] {
    return this.currentPeers;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // Nothing is held: like the real one, disposing leaves the sandboxes attached.
  }
}
