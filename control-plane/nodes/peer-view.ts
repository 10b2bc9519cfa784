import { isDeepStrictEqual } from 'node:util';

import type { Node } from '../../api/types';
import type { Peer } from '../../proto/gen/dhow/agent/v1/agent';
import { peersOf } from './assignments';
import type { ObjectView } from './deps';

/** What nodes must know of each other, recomputed only when a node changes in a way that matters. */
export class PeerView {
  private readonly peers = new Map<string, Peer>();
  private readonly listeners = new Set<() => void>();
  readonly dispose: () => void;

  constructor(nodes: ObjectView<Node>) {
    this.dispose = nodes.subscribe({
      onAdd: (node) => this.note(node.metadata.name, node),
      onUpdate: (node) => this.note(node.metadata.name, node),
      onDelete: (node) => this.note(node.metadata.name, undefined),
    });
  }

  peersOf(nodeName: string): readonly Peer[] {
    return [...this.peers.values()]
      .filter((peer) => peer.nodeName !== nodeName)
      .sort((a, b) => (a.nodeName < b.nodeName ? -1 : 1));
  }

  onChange(listener: () => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  private note(name: string, node: Node | undefined): void {
    const next = node === undefined ? undefined : peersOf([node])[0];
    if (isDeepStrictEqual(next, this.peers.get(name))) return;
    if (next === undefined) this.peers.delete(name);
    else this.peers.set(name, next);
    for (const listener of this.listeners) listener();
  }
}
