import { randomBytes } from 'node:crypto';
import { closeSync, openSync, readSync } from 'node:fs';
import { chmod, mkdir, open, readFile, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';

/**
 * Replaces a file so that a reader, or a crash at any point, sees the old or the new content whole.
 * Only its owner may read it, under any umask and at every moment. The unfinished file's name begins
 * with a dot: who lists the folder passes over it.
 */
export const replaceFile = async (path: string, content: string): Promise<void> => {
  const folder = dirname(path);
  const temporary = join(folder, `.${basename(path)}.${randomBytes(6).toString('hex')}`);
  try {
    const file = await open(temporary, 'wx', 0o600);
    try {
      await file.chmod(0o600);
      await file.writeFile(content);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
  await syncFolder(folder);
};

/**
 * Writes where somebody named it, be it a pipe or a device: what is a file is for its owner alone before anything
 * is in it, also one that was there for everybody.
 */
export const writePrivate = async (path: string, content: Uint8Array): Promise<void> => {
  const file = await open(path, 'w', 0o600);
  try {
    if ((await file.stat()).isFile()) await file.chmod(0o600);
    await file.writeFile(content);
  } finally {
    await file.close();
  }
};

/** Makes what was created, renamed or deleted in a folder survive a power cut. */
export const syncFolder = async (path: string): Promise<void> => {
  const folder = await open(path, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
};

/** Undefined when the file does not exist. */
export const readFileIfPresent = async (path: string): Promise<string | undefined> => {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
};

/** A folder for secrets: 0700 whatever the umask, also when it existed before. */
export const ensurePrivateFolder = async (path: string): Promise<void> => {
  await mkdir(dirname(path), { recursive: true });
  await mkdir(path, { recursive: true, mode: 0o700 });
  await chmod(path, 0o700);
};

/** The file holds more than its reader will take. */
export class FileTooLargeError extends Error {
  override readonly name = 'FileTooLargeError';
}

/** All of a file that somebody named, be it a pipe or a device without end. @throws FileTooLargeError */
export const readWithin = (path: string, bytesMax: number): Buffer => {
  const file = openSync(path, 'r');
  try {
    const chunks: Buffer[] = [];
    for (let left = bytesMax; ;) {
      const chunk = Buffer.allocUnsafe(READ_BYTES);
      const bytes = readSync(file, chunk);
      if (bytes === 0) return Buffer.concat(chunks);
      left -= bytes;
      if (left < 0) throw new FileTooLargeError(`${path} is larger than ${bytesMax} bytes`);
      chunks.push(chunk.subarray(0, bytes));
    }
  } finally {
    closeSync(file);
  }
};

const READ_BYTES = 256 * 1024;
