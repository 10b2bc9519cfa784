import { NORMALIZE, normalized } from '../decide';
import type { NodeInfo } from '../node-info';
import type { ProfileMeter } from '../plugin-metrics';
import type { FollowingScore, ScorePart } from '../plugins/plugin';
import type { Column } from './column';
import type { NodeRing } from './node-ring';

export interface FollowedColumnDeps {
  readonly name: string;
  readonly weight: number;
  readonly term: FollowingScore;
  readonly ring: NodeRing;
  readonly meter?: ProfileMeter | undefined;
}

/**
 * What a plugin gives each node by the domains it is in. When any number changed, all nodes that fit are
 * scored again, by arrays: mostly it is the whole domain that changed.
 */
export class FollowedColumn implements Column {
  readonly name: string;
  readonly isOfPods = false;
  readonly isLost = false;
  private readonly doesFit: Uint8Array;
  private readonly points: Float64Array;
  /** By slot, 1 where the node is scored at all: labels stay while a class is kept. */
  private readonly isScored: Uint8Array;
  /** By slot, of parts whose amounts are the node's own. */
  private readonly own: ReadonlyMap<ScorePart, Float64Array>;
  private isStale = true;

  constructor(private readonly deps: FollowedColumnDeps) {
    this.name = deps.name;
    this.doesFit = new Uint8Array(deps.ring.length);
    this.points = new Float64Array(deps.ring.length);
    this.isScored = Uint8Array.from(deps.ring.nodes, (node) => Number(deps.term.isScored(node)));
    const own = deps.term.parts.filter(({ isOfNode }) => isOfNode);
    this.own = new Map(own.map((part) => [part, new Float64Array(deps.ring.length)]));
  }

  update(slot: number, node: NodeInfo): void {
    if (!this.deps.term.update(node)) return;
    this.isStale = true;
    for (const [part, amounts] of this.own) amounts[slot] = part.amountAt(node);
  }

  prepare(): boolean {
    return false;
  }

  enter(slot: number, node: NodeInfo): void {
    this.deps.term.enter(node);
    this.doesFit[slot] = 1;
    this.isStale = true;
  }

  leave(slot: number, node: NodeInfo): void {
    this.deps.term.leave(node);
    this.doesFit[slot] = 0;
    this.isStale = true;
  }

  settle(): boolean {
    if (!this.isStale) return false;
    this.isStale = false;
    const { term, weight, meter } = this.deps;
    const slots: number[] = [];
    for (let slot = 0; slot < this.doesFit.length; slot++)
      if (this.doesFit[slot] === 1) slots.push(slot);
    // One call, for all nodes at once.
    const call = meter?.of(this.name, 'Score');
    const startMs = call?.begin() ?? 0;
    const raw = this.rawOf(slots);
    call?.end(startMs, 'Success');
    const shares = normalized(term.normalize, raw, meter?.of(this.name, NORMALIZE));
    for (let i = 0; i < slots.length; i++) this.points[slots[i] ?? 0] = (shares[i] ?? 0) * weight;
    return true;
  }

  at(slot: number): number {
    return this.points[slot] ?? 0;
  }

  /** As `scoreByParts` does, each domain looked up once. */
  private rawOf(slots: readonly number[]): readonly (number | undefined)[] {
    const { term, ring } = this.deps;
    const sums = new Float64Array(ring.length);
    for (const part of term.parts) {
      const { numberAt, sample } = ring.domainsOf(part.key);
      const { weight, more } = part;
      const own = this.own.get(part);
      const amounts = own ?? Float64Array.from(sample, (node) => part.amountAt(node));
      for (const slot of slots) {
        const number = numberAt[slot] ?? -1;
        if (number < 0) continue;
        const amount = amounts[own === undefined ? number : slot] ?? 0;
        sums[slot] = (sums[slot] ?? 0) + (amount * weight + more);
      }
    }
    return slots.map((slot) =>
      this.isScored[slot] === 1 ? Math.round(sums[slot] ?? 0) : undefined,
    );
  }
}
