import type { NodeInfo } from '../node-info';
import { ringPlaceOf } from '../tie-break';

/** The nodes in the order in which ties are broken, each in a slot of its own. */
export class NodeRing {
  readonly nodes: readonly NodeInfo[];
  /** Slots in the order of the cluster's nodes. */
  readonly inOrder: Int32Array;
  private readonly places: Float64Array;
  private readonly slots = new Map<NodeInfo, number>();

  constructor(nodes: readonly NodeInfo[]) {
    const placed = nodes.map((node) => ({ node, place: ringPlaceOf(node.hash) }));
    placed.sort((a, b) => a.place - b.place || (a.node.name < b.node.name ? -1 : 1));
    this.nodes = placed.map(({ node }) => node);
    this.places = Float64Array.from(placed, ({ place }) => place);
    this.nodes.forEach((node, slot) => this.slots.set(node, slot));
    this.inOrder = Int32Array.from(nodes, (node) => this.slots.get(node) ?? 0);
  }

  get length(): number {
    return this.nodes.length;
  }

  slotOf(node: NodeInfo): number | undefined {
    return this.slots.get(node);
  }

  /** The first slot at the start or behind it; the length where there is none. */
  slotFrom(start: number): number {
    let low = 0;
    let high = this.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.places[middle] ?? 0) < start) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
