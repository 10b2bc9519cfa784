/** Where time comes from. Production uses `systemClock`; tests and the simulator advance their own. */
export interface Clock {
  /** Wall-clock time, milliseconds since the Unix epoch. It may jump. */
  now(): number;
  /** Monotonic time in milliseconds from an arbitrary origin. Use it to measure. */
  monotonicMs(): number;
  /** Resolves after `ms`, however long, or at once when `signal` aborts: callers check the signal. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonicMs: () => performance.now(),
  sleep: (ms, signal) =>
    new Promise((resolve) => {
      if (signal?.aborted === true) {
        resolve();
        return;
      }
      const done = () => {
        clearTimeout(timer);
        signal?.removeEventListener('abort', done);
        resolve();
      };
      const start = (restMs: number): NodeJS.Timeout =>
        restMs <= TIMER_MS_MAX
          ? setTimeout(done, restMs)
          : setTimeout(() => (timer = start(restMs - TIMER_MS_MAX)), TIMER_MS_MAX);
      let timer = start(ms);
      signal?.addEventListener('abort', done, { once: true });
    }),
};

/** Node's timers fire at once when asked for more: 24 days. */
const TIMER_MS_MAX = 2 ** 31 - 1;

/** As `AbortSignal.timeout`, which throws beyond 2^32 ms: such a signal never aborts in practice. */
export const timeoutSignal = (ms: number): AbortSignal =>
  AbortSignal.timeout(Math.min(Math.ceil(ms), TIMER_MS_MAX));

// RFC 3339 has four digits for the year.
const FIRST_MOMENT_MS = Date.parse('0000-01-01T00:00:00Z');
const LAST_MOMENT_MS = Date.parse('9999-12-31T23:59:59.999Z');

const isoOf = (ms: number): string =>
  new Date(Math.min(Math.max(ms, FIRST_MOMENT_MS), LAST_MOMENT_MS)).toISOString();

/** RFC 3339 with whole seconds, as Kubernetes writes `metav1.Time`. Years end at 9999. */
export const rfc3339 = (ms: number): string => isoOf(ms).slice(0, 19) + 'Z';

/** RFC 3339 with microseconds, as Kubernetes writes `metav1.MicroTime`. */
export const rfc3339Micro = (ms: number): string => isoOf(ms).slice(0, 23) + '000Z';

interface Sleeper {
  readonly dueMs: number;
  readonly wake: () => void;
}

/** A clock that stands still until `advance` is called. Sleepers wake in the order they are due. */
export class ManualClock implements Clock {
  private sleepers: Sleeper[] = [];

  constructor(private currentMs = 0) {}

  /** Whole milliseconds, as from `Date.now()`. */
  now(): number {
    return Math.floor(this.currentMs);
  }

  monotonicMs(): number {
    return this.currentMs;
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    if (signal?.aborted === true) return Promise.resolve();
    return new Promise((resolve) => {
      const leave = () => {
        this.sleepers = this.sleepers.filter((other) => other !== sleeper);
        resolve();
      };
      const wake = () => {
        signal?.removeEventListener('abort', leave);
        resolve();
      };
      const sleeper: Sleeper = { dueMs: this.currentMs + ms, wake };
      this.sleepers.push(sleeper);
      signal?.addEventListener('abort', leave, { once: true });
    });
  }

  /** Moves time forward by `ms`, letting each due sleeper run before time passes its due point. */
  async advance(ms: number): Promise<void> {
    const endMs = this.currentMs + ms;
    for (;;) {
      await flushMicrotasks();
      const next = this.sleepers
        .filter((sleeper) => sleeper.dueMs <= endMs)
        .sort((a, b) => a.dueMs - b.dueMs)[0];
      if (next === undefined) break;
      this.sleepers = this.sleepers.filter((other) => other !== next);
      this.currentMs = Math.max(this.currentMs, next.dueMs);
      next.wake();
    }
    this.currentMs = endMs;
  }
}

const flushMicrotasks = () => new Promise((resolve) => setImmediate(resolve));
