import { execFile } from 'node:child_process';
import { rm } from 'node:fs/promises';
import { promisify } from 'node:util';

/**
 * Deletes a file or a folder with all that is in it; nothing when it is not there. Folders nested
 * deeper than a path can say, which any process can make, are no obstacle: `rm` walks them by
 * descriptor.
 */
export const removeTree = async (path: string): Promise<void> => {
  try {
    await rm(path, { recursive: true, force: true });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENAMETOOLONG') throw error;
    await promisify(execFile)('rm', ['-rf', '--', path]);
  }
};
