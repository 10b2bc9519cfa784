import { setMaxListeners } from 'node:events';
import { linkedController, type LinkedController } from './linked-controller';

/**
 * Owns promises so that none is left unawaited. The first failure aborts `signal`; disposing aborts
 * it too, waits for all, and throws that failure unless `wait` has: one error must not hide in
 * another that says the same.
 */
export class TaskGroup implements AsyncDisposable {
  private readonly controller: LinkedController;
  private readonly running = new Set<Promise<void>>();
  private failure: { readonly error: unknown } | undefined;
  private hasThrown = false;
  readonly signal: AbortSignal;

  constructor(parent?: AbortSignal) {
    this.controller = parent === undefined ? linkedController() : linkedController(parent);
    this.signal = this.controller.signal;
    // Every task may listen: many listeners are no leak here.
    setMaxListeners(0, this.signal);
  }

  /** Starts `task` at once. It must end soon after `signal` aborts. */
  run(task: (signal: AbortSignal) => Promise<void>): void {
    const promise: Promise<void> = task(this.signal)
      .catch((error: unknown) => {
        if (this.signal.aborted) return;
        this.failure ??= { error };
        this.controller.abort(error);
      })
      .finally(() => this.running.delete(promise));
    this.running.add(promise);
  }

  /** Resolves when every task has ended; throws the first failure. */
  async wait(): Promise<void> {
    while (this.running.size > 0) await Promise.all(this.running);
    if (this.failure === undefined) return;
    this.hasThrown = true;
    throw this.failure.error;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.controller.abort();
    await this.wait().catch(this.hasThrown ? () => undefined : rethrow);
  }
}

const rethrow = (error: unknown): never => {
  throw error;
};
