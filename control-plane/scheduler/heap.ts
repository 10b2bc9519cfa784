/** A binary heap: the least item by `isBefore` comes first. */
export class Heap<T> {
  private readonly items: T[] = [];

  constructor(private readonly isBefore: (a: T, b: T) => boolean) {}

  get size(): number {
    return this.items.length;
  }

  peek(): T | undefined {
    return this.items[0];
  }

  push(item: T): void {
    let index = this.items.length;
    this.items.push(item);
    while (index > 0) {
      const parent = (index - 1) >> 1;
      if (!this.swapIfBefore(index, parent)) break;
      index = parent;
    }
  }

  pop(): T | undefined {
    const [first] = this.items;
    const last = this.items.pop();
    if (last === undefined || this.items.length === 0) return first;
    this.items[0] = last;
    this.sink();
    return first;
  }

  private sink(): void {
    for (let index = 0; ;) {
      const left = index * 2 + 1;
      const right = left + 1;
      const child = this.precedes(right, left) ? right : left;
      if (!this.swapIfBefore(child, index)) return;
      index = child;
    }
  }

  private precedes(a: number, b: number): boolean {
    const first = this.items[a];
    const second = this.items[b];
    return first !== undefined && second !== undefined && this.isBefore(first, second);
  }

  private swapIfBefore(a: number, b: number): boolean {
    if (!this.precedes(a, b)) return false;
    const held = this.items[a] as T;
    this.items[a] = this.items[b] as T;
    this.items[b] = held;
    return true;
  }
}
