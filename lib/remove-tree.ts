import { randomUUID } from 'node:crypto';
import {
  lstatSync,
  opendirSync,
  readdirSync,
  renameSync,
  rmdirSync,
  unlinkSync,
  type Dirent,
  type Stats,
} from 'node:fs';
import { rmdir, unlink } from 'node:fs/promises';
import { setImmediate } from 'node:timers/promises';

import { Semaphore } from './async/semaphore';
import { systemClock } from './clock';

/**
 * Deletes a file or a folder with all that is in it; nothing when it is not there. Any process may have
 * made it: names need not be text, folders may lie deeper than a path can say and hold any number of
 * files of any size. Symlinks are deleted, not followed. What another file system has in there is not
 * ours: it stays, and the removal fails. Other work gets its turn in between; whoever writes there makes
 * it fail.
 */
export const removeTree = async (root: string): Promise<void> => {
  try {
    const path = Buffer.from(root);
    const stats = lstatSync(path, { throwIfNoEntry: false });
    if (stats !== undefined) await new Removal(path, stats).run();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
};

class Removal {
  private count = 0;
  /** The file system waits for its disk. */
  private isSlow = false;

  constructor(
    private readonly root: Buffer,
    private readonly stats: Stats,
  ) {}

  async run(): Promise<void> {
    const { root, stats } = this;
    if (!stats.isDirectory()) {
      await this.remove(root, stats);
      return;
    }
    // Again, when deep folders were moved up here, or somebody still wrote.
    while (!(await this.isGone(await this.empty(root, stats))));
  }

  /** Whether the root could be removed, of which so many names were taken away just before. */
  private async isGone(taken: number): Promise<boolean> {
    try {
      await this.remove(this.root, this.stats);
      return true;
    } catch (error) {
      if (taken > 0 && (error as NodeJS.ErrnoException).code === 'ENOTEMPTY') return false;
      throw error;
    }
  }

  /** How many names it took away: fewer than `NAMES_AT_ONCE` means all of them. */
  private async empty(folder: Buffer, { dev, size }: Stats): Promise<number> {
    if (dev !== this.stats.dev)
      throw new Error(`another file system is mounted at ${folder.toString()}`);
    const names = firstNames(folder, size);
    const going: Promise<void>[] = [];
    try {
      for (const name of names) {
        await this.takeAway(folder, name, going);
        if (going.length >= GOING_MAX) {
          await Promise.all(going);
          going.length = 0;
        }
        if (++this.count % REMOVALS_AT_ONCE === 0) await setImmediate();
      }
      await Promise.all(going);
    } finally {
      // Nothing of it goes on after it has failed.
      await Promise.allSettled(going);
    }
    return names.length;
  }

  /** What takes longer is added to `going`. */
  private async takeAway(folder: Buffer, { name, isFolder }: Name, going: Promise<void>[]) {
    const path = Buffer.concat([folder, SLASH, Buffer.from(name, 'latin1')]);
    if (isFolder && path.length > MAX_PATH_BYTES) {
      renameSync(path, Buffer.concat([this.root, SLASH, Buffer.from(randomUUID())]));
      return;
    }
    const stats = lstatSync(path);
    if (isFolder) while ((await this.empty(path, stats)) >= NAMES_AT_ONCE);
    const removal = this.remove(path, stats);
    if (removal === undefined) return;
    // Its failure is told of once the others of its folder have begun.
    removal.catch(() => undefined);
    going.push(removal);
  }

  /** Undefined: it is gone already, since there was little to free. */
  private remove(path: Buffer, stats: Stats): Promise<void> | undefined {
    const isFolder = stats.isDirectory();
    if (stats.blocks > (this.isSlow ? 0 : LARGE_BLOCKS))
      return freeing.use(() => (isFolder ? rmdir(path) : unlink(path)));
    const beganMs = systemClock.monotonicMs();
    if (isFolder) rmdirSync(path);
    else unlinkSync(path);
    if (stats.blocks > 0) this.isSlow ||= systemClock.monotonicMs() - beganMs > SLOW_MS;
    return undefined;
  }
}

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
/** Of one folder: so many are freed while the next ones are looked at. */
const GOING_MAX = 8;
/** Ten times what it takes to free a folder's block, but less than a disk needs to hear of it. */
const SLOW_MS = 0.3;
/**
 * Other threads do what takes long: a file system that is mounted with `discard` may wait for the disk with
 * each block, a millisecond and more. To hand over what does not costs more than to do it. One of Node's
 * four threads stays for others.
 */
const freeing = new Semaphore(3);
/** With one more name it is still shorter than the kernel's 4096. */
const MAX_PATH_BYTES = 2048;
