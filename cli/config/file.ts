import { existsSync, mkdirSync, realpathSync } from 'node:fs';
import { open, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { toYaml } from '../../api/yaml';
import {
  kubeconfigPaths,
  mergedKubeconfig,
  readKubeconfigFields,
  type Fields,
  type ListName,
} from '../../client/kubeconfig/files';
import { systemClock } from '../../lib/clock';
import { readWithin, replaceFile } from '../../lib/files';
import { stringifyJson } from '../../lib/json';
import { namedConfigPaths } from '../context';
import { UsageError } from '../usage-error';
import { entryOf } from './entries';

export interface FileOptions {
  readonly kubeconfig?: string;
}

type Paths = readonly [string, ...string[]];

/** The kubeconfig that is shown and changed: the one that other commands use. */
export const filePaths = ({ kubeconfig }: FileOptions): Paths =>
  namedConfigPaths(kubeconfig === undefined ? {} : { kubeconfig }, '--kubeconfig FILE') ??
  kubeconfigPaths(undefined);

/** Several files are read as one; an empty one where there is none. @throws KubeconfigError */
export const readConfig = async (paths: readonly string[]): Promise<Fields> => {
  const files = await Promise.all(
    paths
      .filter((path) => existsSync(path))
      .map(async (path) => ({ path, fields: await readKubeconfigFields(path) })),
  );
  const [first, second] = files;
  if (first === undefined) return EMPTY;
  return second === undefined ? first.fields : mergedKubeconfig(files);
};

/** The file of several to change: the first in which `has` finds what is changed, or the first that is there. */
export const fileWith = async (paths: Paths, has: (file: Fields) => boolean): Promise<string> => {
  const there = paths.filter((path) => existsSync(path));
  for (const path of there) {
    if (has(await readKubeconfigFields(path))) return path;
  }
  // Of several that are not there, kubectl makes the last.
  return there[0] ?? paths.at(-1) ?? paths[0];
};

/** The file that has an entry, or gets it. */
export const fileOf = (options: FileOptions, list: ListName, name: string): Promise<string> =>
  fileWith(filePaths(options), (file) => entryOf(file, list, name) !== undefined);

/**
 * Writes what `change` makes of the file: whole or not at all, readable by its owner only, one writer
 * at a time, kubectl included. A link stays one. @throws UsageError
 */
export const changeConfig = async (
  path: string,
  change: (file: Fields) => Fields,
): Promise<void> => {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  const target = existsSync(path) ? realpathSync(path) : path;
  await usingLock(`${target}.lock`, async () => {
    const before = await readConfig([target]);
    const after = change(before);
    if (after === before) return;
    const isJson = existsSync(target) && /^\s*\{/.test(readWithin(target, BYTES_MAX).toString());
    await replaceFile(target, isJson ? `${stringifyJson(after, 2)}\n` : toYaml(after));
  });
};

/** The lock that kubectl takes too. */
const usingLock = async (lock: string, work: () => Promise<void>): Promise<void> => {
  for (let attempt = 0; ; attempt++) {
    try {
      await (await open(lock, 'wx', 0o600)).close();
      break;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
      if (attempt === LOCK_ATTEMPTS) {
        throw new UsageError(`somebody writes this file; if nobody does: rm ${lock}`, {
          cause: error,
        });
      }
      await systemClock.sleep(LOCK_WAIT_MS);
    }
  }
  try {
    await work();
  } finally {
    await rm(lock, { force: true });
  }
};

const EMPTY: Fields = {
  apiVersion: 'v1',
  kind: 'Config',
  clusters: [],
  contexts: [],
  'current-context': '',
  users: [],
};
const BYTES_MAX = 16 * 1024 * 1024;
const LOCK_ATTEMPTS = 50;
const LOCK_WAIT_MS = 100;
