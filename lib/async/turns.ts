import { Semaphore } from './semaphore';

interface Line {
  readonly turn: Semaphore;
  length: number;
}

/** Work for one key is done one at a time, in the order in which it was asked for. */
export class Turns {
  private readonly lines = new Map<string, Line>();

  /** @throws what the work throws, or the reason of `signal` when it aborts before the turn has come */
  async take<T>(key: string, work: () => Promise<T>, signal: AbortSignal): Promise<T> {
    const line = this.lines.get(key) ?? { turn: new Semaphore(1), length: 0 };
    this.lines.set(key, line);
    line.length++;
    try {
      return await line.turn.use(work, signal);
    } finally {
      line.length--;
      if (line.length === 0) this.lines.delete(key);
    }
  }
}
