import koffi from 'koffi';

export interface TmpfsOptions {
  readonly sizeBytes: number | undefined;
  /** How many files and folders it may hold; the kernel's own limit when absent. */
  readonly inodeCount?: number;
  readonly mode: number;
  readonly groupId: number | undefined;
}

/** Mounts that the agent itself makes, outside any container. */
export interface Mounter {
  /** Idempotent: a folder that is a mount point already stays as it is. */
  mountTmpfs(path: string, options: TmpfsOptions): void;
  /** Idempotent. */
  unmount(path: string): void;
}

const MS_NOSUID = 2;
const MS_NODEV = 4;
const MNT_DETACH = 2;
const EINVAL = 22;
const ENOENT = 2;

/** By libc, in this process's mount namespace. */
export const createMounter = (isMountPoint: (path: string) => boolean): Mounter => {
  const libc = koffi.load('libc.so.6');
  const mount = libc.func(
    'int mount(const char *source, const char *target, const char *type, unsigned long flags, const char *data)',
  ) as (...args: readonly (string | number)[]) => number;
  const umount2 = libc.func('int umount2(const char *target, int flags)') as (
    target: string,
    flags: number,
  ) => number;
  return {
    mountTmpfs: (path, options) => {
      if (isMountPoint(path)) return;
      if (mount('dhow-volume', path, 'tmpfs', MS_NOSUID | MS_NODEV, tmpfsData(options)) !== 0)
        throw new Error(`cannot mount a tmpfs at ${path}: errno ${koffi.errno()}`);
    },
    unmount: (path) => {
      if (umount2(path, MNT_DETACH) === 0) return;
      const errno = koffi.errno();
      if (errno !== EINVAL && errno !== ENOENT)
        throw new Error(`cannot unmount ${path}: errno ${errno}`);
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
