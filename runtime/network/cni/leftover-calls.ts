import { readdir, readFile } from 'node:fs/promises';

import type { Clock } from '../../../lib/clock';
import { CONTAINER_ID_VARIABLE } from './chain';

/**
 * Ends the plugins that an earlier process has called for these sandboxes: what they still did would come
 * after it has been undone. Resolves when none is left. @throws Error when one cannot be ended
 */
export const endLeftoverCalls = async (
  sandboxIds: readonly string[],
  clock: Clock,
): Promise<void> => {
  const variables = new Set(sandboxIds.map((id) => `${CONTAINER_ID_VARIABLE}=${id}`));
  for (let tries = 0; variables.size > 0; tries++) {
    const running = await processesWith(variables);
    if (running.length === 0) return;
    if (tries === MAX_TRIES)
      throw new Error(`CNI plugins cannot be ended: processes ${running.join(', ')}`);
    for (const pid of running) kill(pid);
    await clock.sleep(LOOK_MS);
  }
};

/** A plugin's environment is that of what it has started, too. */
const processesWith = async (variables: ReadonlySet<string>): Promise<readonly number[]> => {
  const found: number[] = [];
  for (const name of await readdir('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    try {
      const environment = await readFile(`/proc/${name}/environ`, 'utf8');
      if (environment.split('\0').some((one) => variables.has(one))) found.push(Number(name));
    } catch {
      // It has just ended.
    }
  }
  return found;
};

const kill = (pid: number): void => {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It has just ended.
  }
};

const LOOK_MS = 20;
const MAX_TRIES = 250;
