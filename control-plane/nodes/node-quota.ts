/** Counts what each node has of something, so that none takes the others' share. */
export class NodeQuota {
  private readonly counts = new Map<string, number>();

  constructor(private readonly max: number) {}

  /** Undefined when the node has as many as it may; else dispose of it when it is over. */
  take(nodeName: string): Disposable | undefined {
    const count = this.counts.get(nodeName) ?? 0;
    if (count >= this.max) return undefined;
    this.counts.set(nodeName, count + 1);
    let isTaken = true;
    const giveBack = () => {
      if (!isTaken) return;
      isTaken = false;
      const left = (this.counts.get(nodeName) ?? 0) - 1;
      if (left > 0) this.counts.set(nodeName, left);
      else this.counts.delete(nodeName);
    };
    return { [Symbol.dispose]: giveBack };
  }
}
