/** What is in use right now by work in this process: counted, never on disk. */
export class Leases {
  private readonly counts = new Map<string, number>();

  holds(id: string): boolean {
    return this.counts.has(id);
  }

  /** Until the returned lease is disposed. */
  take(ids: readonly string[]): Disposable {
    for (const id of ids) this.counts.set(id, (this.counts.get(id) ?? 0) + 1);
    let isHeld = true;
    return {
      [Symbol.dispose]: () => {
        if (!isHeld) return;
        isHeld = false;
        for (const id of ids) this.giveBack(id);
      },
    };
  }

  private giveBack(id: string): void {
    const count = (this.counts.get(id) ?? 0) - 1;
    if (count > 0) this.counts.set(id, count);
    else this.counts.delete(id);
  }
}
