import { readFile } from 'node:fs/promises';
import type { Clock } from './clock';

/** A process for certain: pids are reused, start times of one pid differ. */
export interface ProcessIdentity {
  readonly pid: number;
  /** Clock ticks since boot, as in /proc/PID/stat. */
  readonly startTime: string;
}

/** Undefined when no such process runs; a zombie does not. */
export const startTimeOf = async (pid: number): Promise<string | undefined> => {
  try {
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
    // The command may hold spaces and parentheses; what follows the last one is fixed.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return fields[0] === 'Z' || fields[0] === 'X' ? undefined : fields[19];
  } catch {
    return undefined;
  }
};

export const isRunning = async ({ pid, startTime }: ProcessIdentity): Promise<boolean> =>
  (await startTimeOf(pid)) === startTime;

/** SIGTERM, and SIGKILL when that was not enough after `graceMs`. Resolves when it is gone. */
export const stopProcess = async (
  identity: ProcessIdentity,
  clock: Clock,
  graceMs: number,
): Promise<void> => {
  const startMs = clock.monotonicMs();
  await signalProcess(identity, 'SIGTERM');
  while (await isRunning(identity)) {
    if (clock.monotonicMs() - startMs > graceMs) await signalProcess(identity, 'SIGKILL');
    await clock.sleep(POLL_MS);
  }
};

const signalProcess = async (identity: ProcessIdentity, name: NodeJS.Signals): Promise<void> => {
  if (!(await isRunning(identity))) return;
  try {
    process.kill(identity.pid, name);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
};

const POLL_MS = 20;
