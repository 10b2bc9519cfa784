import { existsSync, mkdirSync, realpathSync } from 'node:fs';
import { open, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { toYaml } from '../../api/yaml';
import { kubeconfigPath, readKubeconfigFields, type Fields } from '../../client/kubeconfig';
import { systemClock } from '../../lib/clock';
import { readWithin, replaceFile } from '../../lib/files';
import { stringifyJson } from '../../lib/json';
import { namedConfigPath } from '../context';
import { UsageError } from '../usage-error';

export interface FileOptions {
  readonly kubeconfig?: string;
}

/** The kubeconfig that is shown and changed: the one that other commands use. */
export const filePath = ({ kubeconfig }: FileOptions): string =>
  namedConfigPath(kubeconfig === undefined ? {} : { kubeconfig }, '--kubeconfig FILE') ??
  kubeconfigPath(undefined);

/** An empty one where there is none. @throws KubeconfigError */
export const readConfig = async (path: string): Promise<Fields> =>
  existsSync(path) ? readKubeconfigFields(path) : EMPTY;

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
    const before = await readConfig(target);
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
