/** Wakes whoever waits for a container to end. */
export class ExitBell {
  private readonly listeners = new Map<string, Set<() => void>>();

  ring(containerId: string): void {
    for (const listener of this.listeners.get(containerId) ?? []) listener();
  }

  /** Returns the undo. */
  onRing(containerId: string, listener: () => void): () => void {
    const listeners = this.listeners.get(containerId) ?? new Set();
    this.listeners.set(containerId, listeners.add(listener));
    return () => {
      listeners.delete(listener);
      if (listeners.size === 0) this.listeners.delete(containerId);
    };
  }
}
