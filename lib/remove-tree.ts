import { randomUUID } from 'node:crypto';
import {
  lstatSync,
  opendirSync,
  readdirSync,
  renameSync,
  rmdirSync,
  unlinkSync,
  type Dirent,
} from 'node:fs';
import { rmdir, unlink } from 'node:fs/promises';
import { setImmediate } from 'node:timers/promises';

/**
 * Deletes a file or a folder with all that is in it; nothing when it is not there. Any process may have
 * made it: names need not be text, folders may lie deeper than a path can say and hold any number of
 * files of any size. Symlinks are deleted, not followed. What another file system has in there is not
 * ours: it stays, and the removal fails. Other work gets its turn in between; whoever writes there makes
 * it fail.
 */
export const removeTree = async (root: string): Promise<void> => {
  try {
    await new Removal(Buffer.from(root)).run();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
};

class Removal {
  private count = 0;
  private readonly device: number;
  private readonly isFolder: boolean;

  constructor(private readonly root: Buffer) {
    const stats = lstatSync(root);
    this.device = stats.dev;
    this.isFolder = stats.isDirectory();
  }

  async run(): Promise<void> {
    const { root } = this;
    if (!this.isFolder) {
      await this.removeFile(root);
      return;
    }
    // Again, as long as it moves deep folders up here.
    while ((await this.empty(root)) > 0);
    await this.removeFolder(root);
  }

  /** How many names it took away: fewer than `NAMES_AT_ONCE` means all of them. */
  private async empty(folder: Buffer): Promise<number> {
    const { dev, size } = lstatSync(folder);
    if (dev !== this.device)
      throw new Error(`another file system is mounted at ${folder.toString()}`);
    const names = firstNames(folder, size);
    for (const { name, isFolder } of names) {
      const path = Buffer.concat([folder, SLASH, Buffer.from(name, 'latin1')]);
      if (!isFolder) {
        await this.removeFile(path);
      } else if (path.length > MAX_PATH_BYTES) {
        renameSync(path, Buffer.concat([this.root, SLASH, Buffer.from(randomUUID())]));
      } else {
        while ((await this.empty(path)) >= NAMES_AT_ONCE);
        await this.removeFolder(path);
      }
      if (++this.count % REMOVALS_AT_ONCE === 0) await setImmediate();
    }
    return names.length;
  }

  private async removeFile(path: Buffer): Promise<void> {
    if (isLarge(path)) await unlink(path);
    else unlinkSync(path);
  }

  private async removeFolder(path: Buffer): Promise<void> {
    if (isLarge(path)) await rmdir(path);
    else rmdirSync(path);
  }
}

/** The kernel takes its time to free what is: not in this thread. */
const isLarge = (path: Buffer): boolean => lstatSync(path).blocks > LARGE_BLOCKS;

/** Not all of them: a folder with a million would stop everything else while it is read. */
const firstNames = (path: Buffer, folderBytes: number): readonly Name[] => {
  // Each byte of a name becomes one character, and back.
  const encoding = 'latin1';
  if (folderBytes <= SHORT_FOLDER_BYTES)
    return readdirSync(path, { encoding, withFileTypes: true }).map(nameOf);
  const names: Name[] = [];
  const folder = opendirSync(path, { encoding, bufferSize: NAMES_AT_ONCE });
  try {
    for (let entry = folder.readSync(); entry !== null; entry = folder.readSync()) {
      names.push(nameOf(entry));
      if (names.length >= NAMES_AT_ONCE) break;
    }
  } finally {
    folder.closeSync();
  }
  return names;
};

const nameOf = (entry: Dirent): Name => ({ name: entry.name, isFolder: entry.isDirectory() });

interface Name {
  readonly name: string;
  readonly isFolder: boolean;
}

const SLASH = Buffer.from('/');
/** Some milliseconds' worth. */
const REMOVALS_AT_ONCE = 256;
const NAMES_AT_ONCE = 1024;
/**
 * Some thousand names at most: file systems count several bytes of a folder's size for each. Most
 * folders are such, and opening one costs Node ten times what reading its names at once does.
 */
const SHORT_FOLDER_BYTES = 16_384;
/** A megabyte. */
const LARGE_BLOCKS = 2048;
/** With one more name it is still shorter than the kernel's 4096. */
const MAX_PATH_BYTES = 2048;
