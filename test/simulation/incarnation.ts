import { ApiError } from '../../api/errors';
import type { ApiClient } from '../../client/api-client';
import { TaskGroup } from '../../lib/async/task-group';

/** Where a process dies: after so many of its writes, the last of which may or may not take effect. */
export interface Death {
  readonly afterWrites: number;
  readonly takesEffect: boolean;
}

/** A process of controllers. Once it is dead, nothing that is left of it changes anything. */
export class Incarnation {
  readonly client: ApiClient;
  private readonly stop = new AbortController();
  private readonly group = new TaskGroup(this.stop.signal);
  private death: Death | undefined;
  private writes = 0;

  constructor(client: ApiClient) {
    this.client = new Proxy(client, {
      get: (target, key: keyof ApiClient) => {
        if (key === 'watch') return target.watch.bind(target);
        const call = target[key].bind(target) as (...args: unknown[]) => Promise<unknown>;
        const isWrite = key !== 'get' && key !== 'list';
        return (...args: unknown[]) => this.pass(isWrite, () => call(...args));
      },
    });
  }

  get isDead(): boolean {
    return this.stop.signal.aborted;
  }

  run(task: (signal: AbortSignal) => Promise<void>): void {
    this.group.run(task);
  }

  dieAt(death: Death): void {
    this.writes = 0;
    this.death = death;
  }

  kill(): void {
    this.stop.abort();
  }

  /** Resolves when nothing of it runs any more. */
  async ended(): Promise<void> {
    this.kill();
    await this.group[Symbol.asyncDispose]();
  }

  private async pass(isWrite: boolean, call: () => Promise<unknown>): Promise<unknown> {
    if (this.isDead) throw DEAD;
    const isLast = isWrite && this.death !== undefined && ++this.writes > this.death.afterWrites;
    if (!isLast) return call();
    this.kill();
    if (this.death?.takesEffect === true) await call();
    throw DEAD;
  }
}

const DEAD = new ApiError('ServiceUnavailable', 'the process is dead');
