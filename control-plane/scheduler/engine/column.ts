import type { NodeInfo } from '../node-info';

/** What one score plugin gives each node that fits, for the pods of one class. */
export interface Column {
  /** Of the plugin. */
  readonly name: string;
  /** Must a node be scored again when only its pods changed? */
  readonly isOfPods: boolean;
  /** True once nothing can be kept of what the plugin says. */
  readonly isLost: boolean;
  /** A node is not as it was, or its pods are not; before it enters or leaves. */
  update(slot: number, node: NodeInfo): void;
  /** Takes up what it goes by of the cluster; where that is another, `fitting` are scored again. True then. */
  prepare(fitting: () => Iterable<readonly [slot: number, node: NodeInfo]>): boolean;
  /** A node fits now. */
  enter(slot: number, node: NodeInfo): void;
  /** A node that fitted does not, or is to be scored again. */
  leave(slot: number, node: NodeInfo): void;
  /** Works out what raw scores are worth. True where that may be something else for any node. */
  settle(): boolean;
  /** Weighted, of a node that fits. */
  at(slot: number): number;
}
