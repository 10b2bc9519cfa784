import { stat, type FileHandle } from 'node:fs/promises';

import { hasErrorCode } from '../files';
import { openShapedFile } from '../shaped-files';

const MAX_ROTATED_FILES = 100;

/** One file of a log, held open: rotation renames it but does not take it away. */
export interface LogFile {
  readonly handle: FileHandle;
  readonly inode: number;
}

/**
 * The files of a log that are still there, oldest first: `PATH.2`, `PATH.1`, `PATH`. The caller
 * closes them. A rotation in between is noticed and the files are opened again.
 */
export const openLogFiles = async (path: string): Promise<readonly LogFile[]> => {
  for (let attempt = 0; ; attempt++) {
    const files: LogFile[] = [];
    for (let index = 0; index <= MAX_ROTATED_FILES; index++) {
      const file = await openIfPresent(index === 0 ? path : `${path}.${index}`);
      if (file === undefined && index > 0) break;
      if (file !== undefined) files.unshift(file);
    }
    const inodes = new Set(files.map(({ inode }) => inode));
    const isSettled = inodes.size === files.length && (await inodeOf(path)) === files.at(-1)?.inode;
    if (isSettled || attempt >= 10) return files;
    await closeAll(files);
  }
};

export const closeAll = async (files: readonly LogFile[]): Promise<void> => {
  await Promise.allSettled(files.map(({ handle }) => handle.close()));
};

export const inodeOf = async (path: string): Promise<number | undefined> => {
  try {
    return (await stat(path)).ino;
  } catch (error) {
    if (hasErrorCode(error, 'ENOENT')) return undefined;
    throw error;
  }
};

const openIfPresent = async (path: string): Promise<LogFile | undefined> => {
  try {
    const handle = await openShapedFile(path);
    return { handle, inode: (await handle.stat()).ino };
  } catch (error) {
    if (hasErrorCode(error, 'ENOENT')) return undefined;
    throw error;
  }
};
