import { setMaxListeners } from 'node:events';

/**
 * Calls `listener` once when `signal` aborts; returns the undo. Signals are shared: a program's own has
 * a listener for everything that is under way, so that Node's warning of more than ten, meant for
 * leaks, says nothing here. Who listens for less than the signal's life must undo it.
 */
export const onAbort = (signal: AbortSignal | undefined, listener: () => void): (() => void) => {
  if (signal === undefined) return () => undefined;
  if (!unbounded.has(signal)) {
    setMaxListeners(0, signal);
    unbounded.add(signal);
  }
  signal.addEventListener('abort', listener, { once: true });
  return () => signal.removeEventListener('abort', listener);
};

/** Signals that have been told: to tell one again costs more than all else here. */
const unbounded = new WeakSet<AbortSignal>();
