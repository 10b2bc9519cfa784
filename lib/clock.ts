import { onAbort } from './async/on-abort';

/** Where time comes from. Production uses `systemClock`; tests and the simulator advance their own. */
export interface Clock {
  /**
   * Wall-clock time, milliseconds since the Unix epoch. It jumps when somebody sets the clock: use it
   * for stamps that people and other machines read, never for "how long" or "when again".
   */
  now(): number;
  /**
   * Monotonic time in milliseconds from an arbitrary origin, which differs between processes. Every
   * duration, deadline and back-off is reckoned in it. What is only known by a stamp on the wall
   * clock is brought over once, by `Stopwatches` (lib/stopwatches.ts).
   */
  monotonicMs(): number;
  /** Calls `call` once, `ms` from now, however long; returns what calls it off. Cheaper than a sleep. */
  after(ms: number, call: () => void): () => void;
  /** Resolves after `ms`, however long, or at once when `signal` aborts: callers check the signal. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonicMs: () => performance.now(),
  after: (ms, call) => {
    const start = (restMs: number): NodeJS.Timeout =>
      restMs <= TIMER_MS_MAX
        ? setTimeout(call, restMs)
        : setTimeout(() => (timer = start(restMs - TIMER_MS_MAX)), TIMER_MS_MAX);
    let timer = start(ms);
    return () => clearTimeout(timer);
  },
  sleep: (ms, signal) => sleepOn(systemClock, ms, signal),
};

const sleepOn = (clock: Clock, ms: number, signal?: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    if (signal?.aborted === true) {
      resolve();
      return;
    }
    const callOff = clock.after(ms, () => {
      forget();
      resolve();
    });
    const forget = onAbort(signal, () => {
      callOff();
      resolve();
    });
  });

/** Node's timers fire at once when asked for more: 24 days. */
const TIMER_MS_MAX = 2 ** 31 - 1;

// RFC 3339 has four digits for the year.
const FIRST_MOMENT_MS = Date.parse('0000-01-01T00:00:00Z');
const LAST_MOMENT_MS = Date.parse('9999-12-31T23:59:59.999Z');

const isoOf = (ms: number): string =>
  new Date(Math.min(Math.max(ms, FIRST_MOMENT_MS), LAST_MOMENT_MS)).toISOString();

/** RFC 3339 with whole seconds, as Kubernetes writes `metav1.Time`. Years end at 9999. */
export const rfc3339 = (ms: number): string => {
  const second = Math.floor(ms / 1000);
  if (second !== lastSecond) {
    lastText = isoOf(ms).slice(0, 19) + 'Z';
    lastSecond = second;
  }
  return lastText;
};

// Thousands of objects a second are stamped with the same one.
let lastSecond = Number.NaN;
let lastText = '';

/** RFC 3339 with microseconds, as Kubernetes writes `metav1.MicroTime`. */
export const rfc3339Micro = (ms: number): string => isoOf(ms).slice(0, 23) + '000Z';

interface Sleeper {
  readonly dueMs: number;
  readonly wake: () => void;
}

/** A clock that stands still until `advance` is called. Sleepers wake in the order they are due. */
export class ManualClock implements Clock {
  private sleepers: Sleeper[] = [];
  /** Another origin than the wall's, so that a mix-up of the two shows. */
  private elapsedMs = 0;

  constructor(private wallStartMs = 0) {}

  /** Whole milliseconds, as from `Date.now()`. */
  now(): number {
    return Math.floor(this.wallStartMs + this.elapsedMs);
  }

  monotonicMs(): number {
    return this.elapsedMs;
  }

  /** Somebody sets the wall clock: by `ms`, which may be negative. No time passes. */
  setBy(ms: number): void {
    this.wallStartMs += ms;
  }

  after(ms: number, call: () => void): () => void {
    const sleeper: Sleeper = { dueMs: this.elapsedMs + ms, wake: call };
    this.sleepers.push(sleeper);
    return () => {
      this.sleepers = this.sleepers.filter((other) => other !== sleeper);
    };
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return sleepOn(this, ms, signal);
  }

  /** Moves time forward by `ms`, letting each due sleeper run before time passes its due point. */
  async advance(ms: number): Promise<void> {
    const endMs = this.elapsedMs + ms;
    for (;;) {
      await flushMicrotasks();
      const next = this.sleepers
        .filter((sleeper) => sleeper.dueMs <= endMs)
        .sort((a, b) => a.dueMs - b.dueMs)[0];
      if (next === undefined) break;
      this.sleepers = this.sleepers.filter((other) => other !== next);
      this.elapsedMs = Math.max(this.elapsedMs, next.dueMs);
      next.wake();
    }
    this.elapsedMs = endMs;
  }
}

const flushMicrotasks = () => new Promise((resolve) => setImmediate(resolve));
