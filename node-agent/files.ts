import {
  closeSync,
  fsyncSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { readdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';

let lastTemporary = 0;

/** Replaces a file as a whole: readers see the old content or the new. */
export const writeFileAtomic = (path: string, data: string | Uint8Array, mode = 0o600): void => {
  replaceFile(path, data, { mode });
};

/** The same, and once it returns the new content outlives a power cut. */
export const writeFileDurable = (path: string, data: string | Uint8Array): void => {
  replaceFile(path, data, { mode: 0o600, flush: true });
  const folder = openSync(dirname(path), 'r');
  try {
    fsyncSync(folder);
  } finally {
    closeSync(folder);
  }
};

const replaceFile = (
  path: string,
  data: string | Uint8Array,
  options: { readonly mode: number; readonly flush?: boolean },
): void => {
  const folder = dirname(path);
  const temporary = join(folder, `.${process.pid}-${++lastTemporary}.tmp`);
  try {
    inFolder(folder, () => writeFileSync(temporary, data, options));
    renameSync(temporary, path);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  }
};

/** The folder is made when it turns out to be missing: nearly always it is there. */
const inFolder = (folder: string, work: () => void): void => {
  try {
    work();
  } catch (error) {
    if (!hasErrorCode(error, 'ENOENT')) throw error;
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    work();
  }
};

/** The names in a folder; none when it is not there. */
export const listFolder = async (path: string): Promise<readonly string[]> => {
  try {
    return await readdir(path);
  } catch (error) {
    if (hasErrorCode(error, 'ENOENT')) return [];
    throw error;
  }
};

/** The same, at once. */
export const listFolderSync = (path: string): readonly string[] => {
  try {
    return readdirSync(path);
  } catch (error) {
    if (hasErrorCode(error, 'ENOENT')) return [];
    throw error;
  }
};

/** Is anything there? Also a link that leads nowhere. */
export const existsAtAll = (path: string): boolean => {
  try {
    lstatSync(path);
    return true;
  } catch (error) {
    if (hasErrorCode(error, 'ENOENT', 'ENOTDIR')) return false;
    throw error;
  }
};

/** True for `ENOENT` and the like. */
export const hasErrorCode = (error: unknown, ...codes: readonly string[]): boolean =>
  typeof error === 'object' &&
  error !== null &&
  'code' in error &&
  codes.includes(String(error.code));
