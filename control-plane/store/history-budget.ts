/** A log that can be asked to forget. */
export interface BudgetedLog {
  /** When its oldest entry was made, that it can do without; undefined when there is none. */
  readonly oldestMs: number | undefined;
  dropOldest(): void;
}

/**
 * What the histories of all resources may take up together. Whoever has the oldest entry gives it up
 * first, so that a busy resource does not shorten what the quiet ones remember of the same minutes, and
 * twenty resources take no more than one.
 */
export class HistoryBudget {
  private readonly logs = new Set<BudgetedLog>();
  private usedBytes = 0;

  constructor(private readonly bytesMax: number) {}

  get bytes(): number {
    return this.usedBytes;
  }

  join(log: BudgetedLog): void {
    this.logs.add(log);
  }

  /** Of a log that has given up all it took. */
  leave(log: BudgetedLog): void {
    this.logs.delete(log);
  }

  /** Negative for what was forgotten. */
  add(bytes: number): void {
    this.usedBytes += bytes;
    if (bytes <= 0) return;
    while (this.usedBytes > this.bytesMax) {
      const oldest = this.oldestLog();
      if (oldest === undefined) return;
      oldest.dropOldest();
    }
  }

  private oldestLog(): BudgetedLog | undefined {
    let found: BudgetedLog | undefined;
    for (const log of this.logs)
      if ((log.oldestMs ?? Infinity) < (found?.oldestMs ?? Infinity)) found = log;
    return found;
  }
}
