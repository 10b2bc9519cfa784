import { readdirSync } from 'node:fs';
import { join } from 'node:path';

import { readControl } from './files';

const KIBI = 1024;
const UNITS = [
  ['GB', KIBI ** 3],
  ['MB', KIBI ** 2],
  ['KB', KIBI],
] as const;

/** What a cgroup lets its processes use, and what they may set aside, which they learn of in time. */
const LIMITS = {
  1: ['limit_in_bytes', 'rsvd.limit_in_bytes'],
  2: ['max', 'rsvd.max'],
} as const;

/** What a limit of pages of that size is called: `hugetlb.2MB`. Source: mem_fmt of mm/hugetlb_cgroup.c. */
export const hugePagePrefix = (pageBytes: number): string => {
  const [unit, bytes] = UNITS.find(([, each]) => pageBytes >= each) ?? ['KB', KIBI];
  return `hugetlb.${Math.floor(pageBytes / bytes)}${unit}`;
};

/**
 * The files and values of one cgroup, of which `files` is all that it has: for every size that the kernel
 * knows a limit, which is none of it where nothing else is said.
 */
export const hugePageSettings = (
  files: readonly string[],
  version: 1 | 2,
  hugePageBytes: Readonly<Record<number, number>>,
): readonly { readonly file: string; readonly value: string }[] => {
  const wanted = new Map(
    Object.entries(hugePageBytes).map(([size, bytes]) => [hugePagePrefix(Number(size)), bytes]),
  );
  return files.flatMap((file) => {
    const [, prefix = '', limit = ''] = /^(hugetlb\.\d+[KMG]B)\.(.+)$/.exec(file) ?? [];
    const isLimit = LIMITS[version].some((name) => name === limit);
    return isLimit ? [{ file, value: String(wanted.get(prefix) ?? 0) }] : [];
  });
};

/** Does the kernel keep huge pages of any size, or make some when asked? Source: hugetlbpage.rst */
export const keepsHugePages = (root = '/sys/kernel/mm/hugepages'): boolean =>
  controlFiles(root).some((pool) =>
    ['nr_hugepages', 'nr_overcommit_hugepages'].some(
      (file) => Number(readControl(join(root, pool), file)) > 0,
    ),
  );

/** Empty where the folder is not there. */
export const controlFiles = (dir: string): readonly string[] => {
  try {
    return readdirSync(dir);
  } catch {
    return [];
  }
};
