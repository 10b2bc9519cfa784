import { domainOf } from '../domains';
import type { NodeInfo } from '../node-info';
import { ringPlaceOf } from '../tie-break';

/** The domains of one topology key, numbered. */
export interface RingDomains {
  /** By slot; -1 where the node is in none. */
  readonly numberAt: Int32Array;
  /** By number: one of its nodes. */
  readonly sample: readonly NodeInfo[];
}

/** The nodes in the order in which ties are broken, each in a slot of its own. */
export class NodeRing {
  readonly nodes: readonly NodeInfo[];
  /** Slots in the order of the cluster's nodes. */
  readonly inOrder: Int32Array;
  private readonly places: Float64Array;
  private readonly slots = new Map<NodeInfo, number>();
  private readonly domains = new Map<string, RingDomains>();

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

  /** As the labels were when this was first asked: they must not change while the ring is used. */
  domainsOf(key: string): RingDomains {
    const known = this.domains.get(key);
    if (known !== undefined) return known;
    const numbers = new Map<string, number>();
    const sample: NodeInfo[] = [];
    const numberAt = new Int32Array(this.length).fill(-1);
    this.nodes.forEach((node, slot) => {
      const value = domainOf(node, key);
      if (value === undefined) return;
      const number = numbers.get(value) ?? numbers.size;
      if (number === numbers.size) {
        numbers.set(value, number);
        sample.push(node);
      }
      numberAt[slot] = number;
    });
    const found = { numberAt, sample };
    this.domains.set(key, found);
    return found;
  }
}
