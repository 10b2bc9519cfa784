import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';

import { systemClock } from '../../lib/clock';
import { describeError } from '../../lib/log';
import { RuntimeError } from '../container-runtime';

/** Writes one control file. @throws RuntimeError */
export const writeControl = (dir: string, file: string, value: string): void => {
  try {
    writeFileSync(join(dir, file), value);
  } catch (error) {
    throw new RuntimeError('cgroup', `write "${value}" to ${file}: ${describeError(error)}`, {
      cause: error,
    });
  }
};

/** Writes several values to one control file, opened once. @throws RuntimeError */
export const writeControls = (dir: string, file: string, values: readonly string[]): void => {
  let current = '';
  try {
    const fd = openSync(join(dir, file), 'w');
    try {
      for (current of values) writeSync(fd, current);
    } finally {
      closeSync(fd);
    }
  } catch (error) {
    throw new RuntimeError('cgroup', `write "${current}" to ${file}: ${describeError(error)}`, {
      cause: error,
    });
  }
};

/** Undefined when it cannot be read. */
export const readControl = (dir: string, file: string): string | undefined => {
  try {
    return readFileSync(join(dir, file), 'utf8');
  } catch {
    return undefined;
  }
};

/** The number after `key ` in a flat keyed file, or 0. */
export const keyedNumber = (text: string | undefined, key: string): number => {
  const line = text?.split('\n').find((candidate) => candidate.startsWith(`${key} `));
  return line === undefined ? 0 : Number.parseInt(line.slice(key.length + 1), 10);
};

export const makeDir = (dir: string): void => {
  mkdirSync(dir, { recursive: true, mode: 0o755 });
};

/** Folders of the subtree, deepest first. */
export const subtree = (dir: string): string[] => {
  if (!existsSync(dir)) return [];
  const children = readdirSync(dir, { withFileTypes: true }).filter((entry) => entry.isDirectory());
  return [...children.flatMap((child) => subtree(join(dir, child.name))), dir];
};

export const processesIn = (dir: string): number[] =>
  subtree(dir)
    .flatMap((folder) => (readControl(folder, 'cgroup.procs') ?? '').split('\n'))
    .filter((line) => line !== '')
    .map(Number);

/** False when something is in it or below; true also when it was not there. */
export const removeEmpty = (dir: string): boolean => {
  try {
    rmdirSync(dir);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ENOENT';
  }
};

/**
 * Removes a subtree of cgroups, and kills what joins it meanwhile. A cgroup is busy for a moment after
 * its last process has ended, so it tries for some seconds.
 */
export const removeTree = async (dir: string): Promise<void> => {
  for (let attempt = 0; ; attempt++) {
    try {
      for (const folder of subtree(dir)) rmdirSync(folder);
      return;
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code;
      // Someone else removes there too: look again.
      if ((code !== 'EBUSY' && code !== 'ENOENT') || attempt >= MAX_ATTEMPTS) {
        throw new RuntimeError('cgroup', `remove ${dir}: ${describeError(error)}`, {
          cause: error,
        });
      }
    }
    for (const pid of processesIn(dir)) killProcess(pid);
    await pause(Math.min(2 + attempt, 50));
  }
};

/** Sends SIGKILL; a process that is gone already is fine. */
export const killProcess = (pid: number): void => {
  try {
    if (pid > 1) process.kill(pid, 'SIGKILL');
  } catch {
    // Ended meanwhile.
  }
};

export const pause = (ms: number): Promise<void> => systemClock.sleep(ms);

const MAX_ATTEMPTS = 200;
