import { lstatSync } from 'node:fs';
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

/** Mounts that the agent itself makes, outside any container. */
export interface Mounter {
  /** Idempotent: a folder on which a file system is mounted already stays as it is. */
  mountTmpfs(path: string, options: TmpfsOptions): void;
  /**
   * Takes away whatever is mounted on the folder or in it: a container with shared propagation may have
   * mounted there what must not be deleted with the folder. Idempotent. @throws when something stays
   */
  unmountAll(folder: string): void;
}

const MS_NOSUID = 2;
const MS_NODEV = 4;
const MNT_DETACH = 2;
const UMOUNT_NOFOLLOW = 8;
const EINVAL = 22;
const ENOENT = 2;
const NUL = Buffer.from([0]);

/** Whether a file system of its own is there: asked in each start of a pod, and the list of mounts is long. */
const isMountPoint = (path: string): boolean =>
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
      if (isMountPoint(path)) return;
      if (mount('dhow-volume', path, 'tmpfs', MS_NOSUID | MS_NODEV, tmpfsData(options)) !== 0)
        throw new Error(`cannot mount a tmpfs at ${path}: errno ${koffi.errno()}`);
    },
    unmountAll: (folder) => {
      // Detached with all that is mounted on it in turn; mounts may also lie on one another.
      for (const path of [...mountPointsIn(folder)].reverse()) {
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

const tmpfsData = ({ sizeBytes, inodeCount, mode, groupId }: TmpfsOptions): string =>
  [
    `mode=0${mode.toString(8)}`,
    ...(sizeBytes === undefined ? [] : [`size=${sizeBytes}`]),
    ...(inodeCount === undefined ? [] : [`nr_inodes=${inodeCount}`]),
    ...(groupId === undefined ? [] : [`gid=${groupId}`]),
  ].join(',');
