import koffi from 'koffi';

/** System calls that `node:fs` lacks. Paths are byte strings; none follows a symlink in the last place. */
export interface Libc {
  mknod(path: string, mode: number, major: number, minor: number): void;
  setXattr(path: string, name: string, value: Buffer): void;
  /** Undefined when absent or not supported by the file system. */
  getXattr(path: string, name: string): Buffer | undefined;
  /** Names; none where the file system has no attributes. */
  listXattrs(path: string): readonly string[];
  setTimes(path: string, time: FileTime): void;
  /** Flushes the whole file system that holds the open file. */
  syncfs(fd: number): void;
}

export interface FileTime {
  readonly seconds: number;
  readonly nanos: number;
}

/** A failed call, in the shape of Node's own errors. */
export class SystemError extends Error {
  constructor(
    readonly syscall: string,
    readonly errno: number,
  ) {
    super(`${syscall}: ${errnoName(errno)}`);
    this.name = 'SystemError';
  }

  get code(): string {
    return errnoName(this.errno);
  }
}

/** The C library of this process, bound on first use: most processes never unpack. */
export const libc = (): Libc => (bound ??= bind());

let bound: Libc | undefined;

const bind = (): Libc => {
  // The running program itself: its C library is already loaded, whichever it is.
  const lib = koffi.load(null);
  const mknod = lib.func('int mknod(void *path, uint32_t mode, uint64_t dev)');
  const lsetxattr = lib.func(
    'int lsetxattr(void *path, const char *name, void *value, size_t size, int flags)',
  );
  const lgetxattr = lib.func(
    'int64_t lgetxattr(void *path, const char *name, void *value, size_t size)',
  );
  const llistxattr = lib.func('int64_t llistxattr(void *path, void *list, size_t size)');
  const utimensat = lib.func('int utimensat(int dirfd, void *path, void *times, int flags)');
  const syncfs = lib.func('int syncfs(int fd)');
  const check = (syscall: string, result: unknown): void => {
    if (Number(result) < 0) throw new SystemError(syscall, koffi.errno());
  };
  return {
    mknod: (path, mode, major, minor) =>
      check('mknod', mknod(cString(path), mode, makeDevice(major, minor))),
    setXattr: (path, name, value) =>
      check('lsetxattr', lsetxattr(cString(path), name, value, value.length, 0)),
    getXattr: (path, name) => {
      const value = Buffer.alloc(XATTR_READ_MAX_BYTES);
      const size = Number(lgetxattr(cString(path), name, value, value.length));
      if (size >= 0) return value.subarray(0, size);
      const errno = koffi.errno();
      if (errno === ENODATA || errno === EOPNOTSUPP) return undefined;
      throw new SystemError('lgetxattr', errno);
    },
    listXattrs: (path) => {
      const list = Buffer.alloc(XATTR_LIST_MAX_BYTES);
      const size = Number(llistxattr(cString(path), list, list.length));
      if (size < 0 && koffi.errno() === EOPNOTSUPP) return [];
      check('llistxattr', size);
      return list.toString('latin1', 0, size).split('\0').slice(0, -1);
    },
    setTimes: (path, time) =>
      check('utimensat', utimensat(AT_FDCWD, cString(path), timespecs(time), AT_SYMLINK_NOFOLLOW)),
    syncfs: (fd) => check('syncfs', syncfs(fd)),
  };
};

const cString = (path: string): Buffer => Buffer.from(`${path}\0`, 'latin1');

/** glibc's and the kernel's 64-bit dev_t. */
const makeDevice = (major: number, minor: number): bigint => {
  const high = BigInt(major);
  const low = BigInt(minor);
  return (
    (low & 0xffn) |
    ((high & 0xfffn) << 8n) |
    ((low & 0xffffff00n) << 12n) |
    ((high & 0xfffff000n) << 32n)
  );
};

/** Access and modification time alike. */
const timespecs = ({ seconds, nanos }: FileTime): Buffer => {
  const buffer = Buffer.alloc(32);
  for (const offset of [0, 16]) {
    buffer.writeBigInt64LE(BigInt(seconds), offset);
    buffer.writeBigInt64LE(BigInt(nanos), offset + 8);
  }
  return buffer;
};

const errnoName = (errno: number): string => {
  const names = koffi.os.errno as Readonly<Record<string, number>>;
  return Object.keys(names).find((name) => names[name] === errno) ?? `errno ${errno}`;
};

const AT_FDCWD = -100;
const AT_SYMLINK_NOFOLLOW = 0x100;
const ENODATA = 61;
const EOPNOTSUPP = 95;
const XATTR_READ_MAX_BYTES = 4096;
/** The kernel's limit. */
const XATTR_LIST_MAX_BYTES = 65_536;
