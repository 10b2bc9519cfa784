/** Who wants to hear of what, by key. A key that nobody listens to takes no room. */
export class KeyedListeners<Args extends readonly unknown[] = []> {
  private readonly byKey = new Map<string, Set<(...args: Args) => void>>();

  /** Calls `listener` whenever the key is told of; returns the undo. */
  add(key: string, listener: (...args: Args) => void): () => void {
    const listeners = this.byKey.get(key) ?? new Set();
    this.byKey.set(key, listeners.add(listener));
    return () => {
      listeners.delete(listener);
      if (listeners.size === 0 && this.byKey.get(key) === listeners) this.byKey.delete(key);
    };
  }

  tell(key: string, ...args: Args): void {
    for (const listener of this.byKey.get(key) ?? []) listener(...args);
  }
}
