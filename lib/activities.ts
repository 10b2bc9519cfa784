/**
 * What a process is at, by name: requests being served, messages being handled. When the event loop
 * was late these are who may have held it.
 */
export class Activities {
  private readonly current = new Map<symbol, string>();
  private ended: string[] = [];
  /** Called whenever something begins. */
  onBegin: () => void = () => undefined;

  /** Until the result is disposed of. */
  begin(name: string): Disposable {
    const id = Symbol(name);
    this.current.set(id, name);
    this.onBegin();
    return {
      [Symbol.dispose]: () => {
        this.current.delete(id);
        if (this.ended.length < ENDED_MAX) this.ended.push(name);
      },
    };
  }

  /** What has ended since `forgetEnded`, then what goes on, the newest first; at most `max`. */
  names(max: number): readonly string[] {
    return [...this.ended, ...[...this.current.values()].slice(-max).reverse()].slice(0, max);
  }

  forgetEnded(): void {
    if (this.ended.length > 0) this.ended = [];
  }

  get size(): number {
    return this.current.size;
  }
}

const ENDED_MAX = 8;
