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
  const fields = await statOf(pid);
  return fields[0] === 'Z' || fields[0] === 'X' ? undefined : fields[19];
};

/** The kernel's letter for what a process does: `T` is stopped. Undefined when there is none. */
export const stateOfProcess = async (pid: number): Promise<string | undefined> =>
  (await statOf(pid))[0];

/** Of /proc/PID/stat, what follows the command. */
const statOf = async (pid: number): Promise<readonly string[]> => {
  try {
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
    // The command may hold spaces and parentheses; what follows the last one is fixed.
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  } catch {
    return [];
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

/** SIGKILL, and nothing before. Resolves when it is gone. */
export const killProcess = async (identity: ProcessIdentity, clock: Clock): Promise<void> => {
  while (await isRunning(identity)) {
    await signalProcess(identity, 'SIGKILL');
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
