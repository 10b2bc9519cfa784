import type { Clock } from '../clock';
import { describeError } from '../describe-error';
import type { Log } from '../log';
import type { Random } from '../random';
import { backoffMs } from './backoff';

export interface KeepRunningDeps {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

/**
 * Runs `task` until `signal` aborts. One that ends by an error, or too early, is begun again after a
 * backoff: a defect in one loop neither ends the process nor spins. Each run gets what it needs from
 * its own scope, for it may be the second.
 */
export const keepRunning = async (
  name: string,
  task: (signal: AbortSignal) => Promise<void>,
  { clock, random, log }: KeepRunningDeps,
  signal: AbortSignal,
): Promise<void> => {
  for (let failures = 0; !signal.aborted;) {
    const startMs = clock.monotonicMs();
    try {
      await task(signal);
      if (isAborted(signal)) return;
      log.error({ task: name }, 'loop ended early, begun again');
    } catch (error) {
      if (isAborted(signal)) return;
      log.error({ task: name, err: describeError(error) }, 'loop failed, begun again');
    }
    if (clock.monotonicMs() - startMs > STEADY_MS) failures = 0;
    await clock.sleep(backoffMs(failures++, BACKOFF, random), signal);
  }
};

// Behind a call, so that the compiler does not take an earlier look for the present one.
const isAborted = (signal: AbortSignal): boolean => signal.aborted;

const BACKOFF = { initialMs: 1000, maxMs: 60_000 };
/** A run of this length shows that the fault is not met at each start. */
const STEADY_MS = 5 * 60_000;
