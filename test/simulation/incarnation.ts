import { ApiError } from '../../api/errors';
import { onAbort } from '../../lib/async/on-abort';
import { TaskGroup } from '../../lib/async/task-group';

/** Where a process dies: after so many of its writes, the last of which may or may not take effect. */
export interface Death {
  readonly afterWrites: number;
  readonly takesEffect: boolean;
}

/** `view`: what is returned is a way to the same. */
type Kind = 'read' | 'write' | 'stream' | 'view';

/** A process and its way to what outlives it. Once it is dead, nothing that is left of it changes anything. */
export class Incarnation<T extends object> {
  /** What the process has in the place of what was given. */
  readonly client: T;
  readonly signal: AbortSignal;
  private readonly stop = new AbortController();
  private readonly group: TaskGroup;
  private death: Death | undefined;
  private writes = 0;

  /** @param parent The process in which this one lives, if any. */
  constructor(client: T, kindOf: (method: string) => Kind, parent?: AbortSignal) {
    this.signal = this.stop.signal;
    this.group = new TaskGroup(this.signal);
    onAbort(parent, () => this.kill());
    this.client = this.wayTo(client, kindOf);
  }

  get isDead(): boolean {
    return this.signal.aborted;
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

  private wayTo<U extends object>(given: U, kindOf: (method: string) => Kind): U {
    return new Proxy(given, {
      get: (target, key) => {
        const call = (Reflect.get(target, key) as Call).bind(target);
        const kind = kindOf(String(key));
        if (kind === 'stream') return call;
        if (kind === 'view')
          return (...args: unknown[]) => this.wayTo(call(...args) as object, kindOf);
        return (...args: unknown[]) => this.pass(kind, () => call(...args) as Promise<unknown>);
      },
    });
  }

  private async pass(kind: Kind, call: () => Promise<unknown>): Promise<unknown> {
    if (this.isDead) throw DEAD;
    const { death } = this;
    const isLast = kind === 'write' && death !== undefined && ++this.writes > death.afterWrites;
    if (!isLast) return call();
    this.kill();
    if (death.takesEffect) await call();
    throw DEAD;
  }
}

/** Of the API, as controllers use it. */
export const ofApi = (method: string): Kind =>
  method === 'watch' ? 'stream' : ['get', 'list'].includes(method) ? 'read' : 'write';

/** Of the store, as a server uses it. */
export const ofStore = (method: string): Kind =>
  method === 'watch'
    ? 'stream'
    : method === 'within'
      ? 'view'
      : ['create', 'update', 'delete'].includes(method)
        ? 'write'
        : 'read';

type Call = (...args: unknown[]) => unknown;

const DEAD = new ApiError('ServiceUnavailable', 'the process is dead');
