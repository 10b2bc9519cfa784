import {
  chmodSync,
  closeSync,
  constants,
  lstatSync,
  // eslint-disable-next-line @typescript-eslint/no-restricted-imports -- folders of the agent itself
  openSync,
} from 'node:fs';
import { dirname } from 'node:path';

import koffi from 'koffi';

import { mountPointsIn } from '../../lib/mount-points';

export interface TmpfsOptions {
  readonly sizeBytes: number | undefined;
  /** How many files and folders it may hold; the kernel's own limit when absent. */
  readonly inodeCount?: number;
  readonly mode: number;
  readonly groupId: number | undefined;
}

export interface HugePageOptions {
  /** Of one page: a size that the kernel knows. */
  readonly pageBytes: number;
  readonly sizeBytes: number;
  readonly mode: number;
  readonly groupId: number | undefined;
}

/** Mounts that the agent itself makes, outside any container. */
export interface Mounter {
  /** Idempotent: a folder on which a file system is mounted already stays as it is. */
  mountTmpfs(path: string, options: TmpfsOptions): void;
  /** The same, of a file system whose files are huge pages: they can be mapped, not written to. */
  mountHugePages(path: string, options: HugePageOptions): void;
  /**
   * Shows the merged layers, topmost first, at the empty folder `path`: read-only, and nothing of them
   * can be executed. Idempotent.
   */
  mountLayers(path: string, lowerDirs: readonly string[]): void;
  /** Is something mounted on the folder itself? */
  isMounted(path: string): boolean;
  /**
   * Takes away whatever is mounted on the folder or in it: a container with shared propagation may have
   * mounted there what must not be deleted with the folder. Idempotent. @throws when something stays
   */
  unmountAll(folder: string): void;
}

const MS_RDONLY = 1;
const MS_NOSUID = 2;
const MS_NODEV = 4;
const MS_NOEXEC = 8;
const NO_TRICKS = MS_NOSUID | MS_NODEV;
/** Not in `constants` of node:fs. */
const O_PATH = 0o10000000;
const MNT_DETACH = 2;
const UMOUNT_NOFOLLOW = 8;
const EINVAL = 22;
const ENOENT = 2;
const NUL = Buffer.from([0]);

/** Also where a folder of the same file system is mounted. */
const isMountPoint = (path: string): boolean =>
  mountPointsIn(path).some((found) => found.equals(Buffer.from(path)));

/** Whether a file system of its own is there: asked in each start of a pod, and the list of mounts is long. */
const isFileSystem = (path: string): boolean =>
  lstatSync(path).dev !== lstatSync(dirname(path)).dev;

/** By libc, in this process's mount namespace. */
export const createMounter = (): Mounter => {
  const libc = koffi.load('libc.so.6');
  const mount = libc.func(
    'int mount(const char *source, const char *target, const char *type, unsigned long flags, const char *data)',
  ) as (...args: readonly (string | number)[]) => number;
  const umount2 = libc.func('int umount2(const uint8_t *target, int flags)') as (
    target: Buffer,
    flags: number,
  ) => number;
  return {
    mountTmpfs: (path, options) => {
      if (isFileSystem(path)) return;
      if (mount('dhow-volume', path, 'tmpfs', NO_TRICKS, tmpfsData(options)) !== 0)
        throw new Error(`cannot mount a tmpfs at ${path}: errno ${koffi.errno()}`);
    },
    mountHugePages: (path, options) => {
      const data = hugePageData(options);
      if (!isFileSystem(path) && mount('dhow-volume', path, 'hugetlbfs', NO_TRICKS, data) !== 0)
        throw new Error(`cannot mount a hugetlbfs at ${path}: errno ${koffi.errno()}`);
      // The mount knows no bit for the group's sake; none at all means that nobody has come further.
      if ((lstatSync(path).mode & 0o7777) === 0) chmodSync(path, options.mode);
    },
    mountLayers: (path, lowerDirs) => {
      if (isFileSystem(path)) return;
      const flags = MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC;
      withFolders([...lowerDirs, path], (folders) => {
        const [type, data] =
          lowerDirs.length === 0 ? ['tmpfs', ''] : ['overlay', `lowerdir=${folders.join(':')}`];
        if (data.length >= PAGE_BYTES) throw new Error('too many layers');
        if (mount('dhow-volume', path, type, flags, data) !== 0)
          throw new Error(`cannot mount the layers at ${path}: errno ${koffi.errno()}`);
      });
    },
    isMounted: isMountPoint,
    unmountAll: (folder) => {
      const found = mountPointsIn(folder);
      // The list of a node of many pods is long, and made anew by the kernel for each look.
      if (found.length === 0) return;
      // Detached with all that is mounted on it in turn; mounts may also lie on one another.
      for (const path of [...found].reverse()) {
        if (umount2(Buffer.concat([path, NUL]), MNT_DETACH | UMOUNT_NOFOLLOW) === 0) continue;
        const errno = koffi.errno();
        if (errno !== EINVAL && errno !== ENOENT)
          throw new Error(`cannot unmount ${path.toString()}: errno ${errno}`);
      }
      const [left] = mountPointsIn(folder);
      if (left !== undefined) throw new Error(`something is still mounted at ${left.toString()}`);
    },
  };
};

/**
 * The folders by descriptor: short enough for many of them in one page of options, whatever they are
 * called. The last, which is empty, is there since the kernel wants two layers at least.
 */
const withFolders = (
  folders: readonly string[],
  work: (paths: readonly string[]) => void,
): void => {
  const fds: number[] = [];
  try {
    for (const folder of folders) fds.push(openSync(folder, O_PATH | constants.O_DIRECTORY));
    work(fds.map((fd) => `/proc/self/fd/${fd}`));
  } finally {
    for (const fd of fds) closeSync(fd);
  }
};

const PAGE_BYTES = 4096;

const tmpfsData = ({ sizeBytes, inodeCount, mode, groupId }: TmpfsOptions): string =>
  [
    `mode=0${mode.toString(8)}`,
    ...(sizeBytes === undefined ? [] : [`size=${sizeBytes}`]),
    ...(inodeCount === undefined ? [] : [`nr_inodes=${inodeCount}`]),
    ...(groupId === undefined ? [] : [`gid=${groupId}`]),
  ].join(',');

const hugePageData = ({ pageBytes, sizeBytes, groupId }: HugePageOptions): string =>
  [
    `pagesize=${pageBytes}`,
    `size=${sizeBytes}`,
    'mode=0',
    ...(groupId === undefined ? [] : [`gid=${groupId}`]),
  ].join(',');
