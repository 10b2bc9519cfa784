import { isDeepStrictEqual } from 'node:util';

import type { Peer } from '../../api/assignment-rows';
import { networkMtuOf } from '../../api/network-mtu';
import { wireguardEndOf } from '../../api/node-encryption';
import { isOutOfService } from '../../api/nodes';
import type { Node } from '../../api/types';
import type { ObjectView } from './deps';
import { KeyedListeners } from '../../lib/keyed-listeners';

/** What nodes must know of each other and of themselves, kept from the informer's changes. */
export class PeerView implements Disposable {
  private readonly peers = new Map<string, Peer>();
  private readonly peerListeners = new Set<(nodeName: string) => void>();
  private readonly nodeListeners = new KeyedListeners();
  private readonly undo: () => void;

  constructor(nodes: ObjectView<Node>) {
    this.undo = nodes.subscribe({
      onAdd: (node) => this.note(node.metadata.name, node),
      onUpdate: (node) => this.note(node.metadata.name, node),
      onDelete: (node) => this.note(node.metadata.name, undefined),
    });
  }

  [Symbol.dispose](): void {
    this.undo();
  }

  /** Undefined while there are no routes to the node's pods to be had. */
  peer(nodeName: string): Peer | undefined {
    return this.peers.get(nodeName);
  }

  /** All others. */
  peersOf(nodeName: string): readonly Peer[] {
    return [...this.peers.values()].filter((peer) => peer.nodeName !== nodeName);
  }

  /** Calls `listener` with the name of each node that changes in a way that its peers must know. */
  onPeerChange(listener: (nodeName: string) => void): () => void {
    this.peerListeners.add(listener);
    return () => this.peerListeners.delete(listener);
  }

  /** Calls `listener` whenever the one node changes. */
  onNodeChange(nodeName: string, listener: () => void): () => void {
    return this.nodeListeners.add(nodeName, listener);
  }

  private note(name: string, node: Node | undefined): void {
    this.nodeListeners.tell(name);
    const next = node === undefined ? undefined : peerOf(node);
    if (isDeepStrictEqual(next, this.peers.get(name))) return;
    if (next === undefined) this.peers.delete(name);
    else this.peers.set(name, next);
    for (const listener of this.peerListeners) listener(name);
  }
}

/** Pure: undefined while it has no address or no range. */
export const peerOf = (node: Node): Peer | undefined => {
  const addresses = internalIpsIn(node.status);
  const podCidrs = podCidrsOf(node);
  if (addresses.length === 0 || podCidrs.length === 0) return undefined;
  const { name: nodeName } = node.metadata;
  const wireguard = wireguardEndOf(node);
  return {
    nodeName,
    addresses,
    podCidrs,
    // Whom the server has lost may well be there for its peers: what they exchange goes on without it.
    unreachable: isOutOfService(node),
    mtu: networkMtuOf(node),
    ...(wireguard === undefined ? {} : { wireguard }),
  };
};

export const internalIpsIn = ({ addresses = [] }: Node['status']): readonly string[] =>
  addresses.flatMap(({ type, address }) => (type === 'InternalIP' ? [address] : []));

/** Of each family that its pods have. */
export const podCidrsOf = ({ spec }: Node): readonly string[] => {
  const { podCIDR, podCIDRs = [] } = spec;
  return podCIDRs.length > 0 || podCIDR === undefined ? podCIDRs : [podCIDR];
};
