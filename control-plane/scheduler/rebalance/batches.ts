/** What of a move decides which others may be done with it. */
export interface BatchedMove {
  readonly ownerUid: string;
  readonly from: string;
  readonly to: string;
  readonly budget?: { readonly key: string; readonly allowed: number } | undefined;
}

/**
 * The number of the batch of each move, from 1, in the order given. In a batch no budget is exceeded, each
 * workload misses one pod at most, and none goes where another has yet to leave. Pure.
 */
export const batchesOf = (moves: readonly BatchedMove[]): readonly number[] => {
  let batch = 1;
  let open = new Batch();
  return moves.map((move) => {
    if (!open.takes(move)) {
      batch++;
      open = new Batch();
    }
    open.add(move);
    return batch;
  });
};

class Batch {
  private count = 0;
  private readonly owners = new Set<string>();
  private readonly left = new Set<string>();
  private readonly spent = new Map<string, number>();

  takes({ ownerUid, to, budget }: BatchedMove): boolean {
    if (this.count >= BATCH_MAX || this.owners.has(ownerUid) || this.left.has(to)) return false;
    return budget === undefined || (this.spent.get(budget.key) ?? 0) < budget.allowed;
  }

  add({ ownerUid, from, budget }: BatchedMove): void {
    this.count++;
    this.owners.add(ownerUid);
    this.left.add(from);
    if (budget !== undefined) this.spent.set(budget.key, (this.spent.get(budget.key) ?? 0) + 1);
  }
}

/** As many pods are missing at once at most. */
const BATCH_MAX = 10;
