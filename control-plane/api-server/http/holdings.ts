/** What each of many holds of something that all share. */
export class Holdings {
  private readonly held = new Map<string, number>();
  private sum = 0;

  /** Of all together. */
  get total(): number {
    return this.sum;
  }

  of(sharer: string): number {
    return this.held.get(sharer) ?? 0;
  }

  add(sharer: string, count: number): void {
    this.sum += count;
    const left = this.of(sharer) + count;
    if (left > 0) this.held.set(sharer, left);
    else this.held.delete(sharer);
  }
}
