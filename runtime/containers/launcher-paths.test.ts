import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const LAUNCHER = join(__dirname, '../launcher');

/** Without comments and strings, which may speak of anything. */
const codeOf = (file: string): string =>
  readFileSync(join(LAUNCHER, file), 'utf8')
    .replaceAll(/\/\*[\s\S]*?\*\//g, '')
    .replaceAll(/"(?:[^"\\\n]|\\.)*"/g, '""');

const callsIn = (file: string, names: readonly string[]): string[] =>
  names.filter((name) => new RegExp(`\\b${name}\\b\\s*[(,]`).test(codeOf(file)));

/** Whatever takes a path, as a function or by number. */
const PATH_CALLS = [
  'open openat openat2 creat fopen freopen opendir SYS_open SYS_openat SYS_openat2 NR_OPENAT2',
  'stat lstat fstatat statx access faccessat readlink readlinkat realpath SYS_newfstatat',
  'mkdir mkdirat mknod mknodat mkfifo symlink symlinkat link linkat rename renameat renameat2',
  'unlink unlinkat rmdir chmod fchmodat chown lchown fchownat truncate utimensat setxattr',
  'chdir chroot mount umount umount2 fsopen fspick SYS_mount SYS_chdir swapon statfs bind execve',
  'execveat execvp execv fexecve shm_open mq_open ttyname ptsname grantpt openpty posix_openpt',
]
  .join(' ')
  .split(' ');

/** Each for what no container can shape, or looked at by the kernel alone. */
const ALLOWED: Readonly<Record<string, readonly string[]>> = {
  // The one place for what lies in a container, each by a descriptor of its root.
  'inside.c': [
    'SYS_openat',
    'NR_OPENAT2',
    'readlinkat',
    'mkdirat',
    'mknodat',
    'symlinkat',
    'fchownat',
    'unlinkat',
  ],
  // Refuses once the process looks into a container.
  'files.c': ['SYS_openat'],
  // The program itself: the kernel runs nothing but a regular file.
  'process.c': ['execve'],
  // The overlay, on a folder of the host; "." for the roots.
  'rootfs.c': ['mount', 'umount2'],
  // On a folder already open.
  'mounts.c': ['mount'],
  // The launcher's own files, before and outside all containers.
  'main.c': ['open', 'unlink', 'bind', 'chdir', 'fexecve'],
  'monitor.c': ['unlink', 'bind'],
  'ending.c': ['renameat', 'unlink'],
  // Another runtime's program, and the socket where that hands over a terminal; stays outside.
  'supervise.c': ['unlink', 'execve', 'bind'],
  'output.c': ['rename'],
  'sandbox.c': ['open', 'mount', 'umount2'],
};

const FILES = readdirSync(LAUNCHER).filter((name) => /\.[ch]$/.test(name));

it.each(FILES)('%s opens no path but where it is allowed to', (file) => {
  expect(callsIn(file, PATH_CALLS).sort()).toEqual([...(ALLOWED[file] ?? [])].sort());
});

it('opens files of the host only where no container has been entered', () => {
  const users = FILES.filter(
    (file) => callsIn(file, ['open_host', 'read_host_file', 'write_host_file']).length > 0,
  );
  // In rootfs.c the layers; in process.c and child.c what comes before the root or the namespaces.
  expect(users.sort()).toEqual(
    [
      'cgroup.c',
      'child.c',
      'ending.c',
      'exec.c',
      'files.c',
      'launcher.h',
      'mounts.c',
      'output.c',
    ].concat(['process.c', 'rootfs.c', 'sandbox.c', 'supervise.c']),
  );
  for (const file of ['rootfs.c', 'exec.c']) expect(codeOf(file)).toMatch(/\bleave_host\(\)/);
});
