import koffi from 'koffi';

/** Mounts that the agent itself makes, outside any container. */
export interface Mounter {
  /** Idempotent: a folder that is a mount point already stays as it is. */
  mountTmpfs(path: string, sizeBytes: number | undefined): void;
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
    mountTmpfs: (path, sizeBytes) => {
      if (isMountPoint(path)) return;
      const size = sizeBytes === undefined ? '' : `,size=${sizeBytes}`;
      if (mount('dhow-volume', path, 'tmpfs', MS_NOSUID | MS_NODEV, `mode=0777${size}`) !== 0)
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
