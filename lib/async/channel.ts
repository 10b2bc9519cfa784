/** Raised into a reader when its channel had to drop items: the reader starts over. */
export class ChannelOverflowError extends Error {
  constructor(readonly capacity: number) {
    super(`reader is too slow: more than ${capacity} items are waiting`);
  }
}

/**
 * A bounded queue between one producer that must not block and one reader. When full, the channel
 * fails with `ChannelOverflowError` rather than growing or dropping silently.
 */
export class Channel<T> implements AsyncIterableIterator<T> {
  private items: T[] = [];
  private head = 0;
  private ended: { readonly error?: unknown } | undefined;
  private wake: (() => void) | undefined;

  constructor(private readonly capacity: number) {}

  get size(): number {
    return this.items.length - this.head;
  }

  /** Queues one item; returns false when the channel has ended or just overflowed. */
  push(item: T): boolean {
    if (this.ended !== undefined) return false;
    if (this.size >= this.capacity) {
      this.fail(new ChannelOverflowError(this.capacity));
      return false;
    }
    this.items.push(item);
    this.wakeReader();
    return true;
  }

  /** The reader gets what is queued, then the end. */
  end(): void {
    this.ended ??= {};
    this.wakeReader();
  }

  /** The reader gets what is queued, then `error`. */
  fail(error: unknown): void {
    this.ended ??= { error };
    this.wakeReader();
  }

  async next(): Promise<IteratorResult<T>> {
    for (;;) {
      if (this.head < this.items.length) return { value: this.take(), done: false };
      if (this.ended !== undefined) {
        if ('error' in this.ended) throw this.ended.error;
        return { value: undefined, done: true };
      }
      await new Promise<void>((resolve) => (this.wake = resolve));
    }
  }

  /** Everything queued now, without waiting. */
  drain(): T[] {
    const drained = this.items.slice(this.head);
    this.items = [];
    this.head = 0;
    return drained;
  }

  return(): Promise<IteratorResult<T>> {
    this.end();
    this.items = [];
    this.head = 0;
    return Promise.resolve({ value: undefined, done: true });
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  private take(): T {
    const item = this.items[this.head++] as T;
    if (this.head > 1024 && this.head * 2 > this.items.length) {
      this.items = this.items.slice(this.head);
      this.head = 0;
    }
    return item;
  }

  private wakeReader(): void {
    this.wake?.();
    this.wake = undefined;
  }
}
