import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { isRunning, startTimeOf, type ProcessIdentity } from '../../lib/process-identity';
import { UsageError } from '../usage-error';
import { removeIfEmpty } from './remove-tree';
import { parseJson, stringifyJson } from '../../lib/json';

/**
 * Keeps a second `up` or `down` away from a cluster that one is at work on. The lock of a process
 * that was killed does not hold. @throws UsageError when another process has it.
 */
export const lockCluster = async (file: string): Promise<Disposable> => {
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  const startTime = (await startTimeOf(process.pid)) ?? '';
  const identity = stringifyJson({ pid: process.pid, startTime });
  for (;;) {
    try {
      writeFileSync(file, identity, { flag: 'wx', mode: 0o600 });
      return { [Symbol.dispose]: () => release(file) };
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
    const holder = readHolder(file);
    if (holder !== undefined && (await isRunning(holder))) {
      throw new UsageError(
        `process ${holder.pid} is starting or removing this cluster: wait until it is done`,
      );
    }
    rmSync(file, { force: true });
  }
};

const release = (file: string): void => {
  rmSync(file, { force: true });
  removeIfEmpty(dirname(file));
};

const readHolder = (file: string): ProcessIdentity | undefined => {
  try {
    return parseJson(readFileSync(file, 'utf8')) as ProcessIdentity;
  } catch {
    // Given up meanwhile, or cut short by a crash.
    return undefined;
  }
};
