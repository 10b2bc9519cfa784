import { readFileSync } from 'node:fs';
import { totalmem } from 'node:os';
import { posix } from 'node:path';

/**
 * How much memory this process may use: what its cgroups allow, or else the machine's memory. Node knows
 * it but where its cgroup is seen through a mount that was made in another cgroup namespace.
 */
export const memoryLimitBytes = (): number => {
  // "No limit" comes as 0 or as a number beyond all memory.
  const constrained = process.constrainedMemory();
  const known = constrained > 0 ? Math.min(constrained, totalmem()) : totalmem();
  const found = memoryLimitFiles(textOf('/proc/self/cgroup'), textOf('/proc/self/mountinfo'))
    .map((file) => Number.parseInt(textOf(file), 10))
    .filter((bytes) => bytes > 0);
  return Math.min(known, ...found);
};

/**
 * The files that bound the memory of a process, its cgroup's and those of all above that are to be seen:
 * v1 and v2. `cgroup` and `mountinfo` are its files of /proc, see cgroups(7) and proc(5).
 */
export const memoryLimitFiles = (cgroup: string, mountinfo: string): readonly string[] => {
  const groups = cgroup.split('\n').map((line) => line.split(':'));
  return mountinfo.split('\n').flatMap((line) => {
    const [head = '', tail = ''] = line.split(' - ');
    const [, , , root = '/', mount = ''] = head.split(' ');
    const [type, , options = ''] = tail.split(' ');
    const isV1 = type === 'cgroup' && options.split(',').includes('memory');
    if (!isV1 && type !== 'cgroup2') return [];
    const [, , path] =
      groups.find(([id, controllers = '']) =>
        isV1 ? controllers.split(',').includes('memory') : id === '0',
      ) ?? [];
    if (path === undefined) return [];
    const within = posix.relative(root, path);
    if (within.startsWith('..')) return [];
    const steps = within === '' ? [] : within.split('/');
    const file = isV1 ? 'memory.limit_in_bytes' : 'memory.max';
    return [...steps.keys(), steps.length].map((count) =>
      posix.join(mount, ...steps.slice(0, count), file),
    );
  });
};

const textOf = (file: string): string => {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
};
