import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import { listFolderSync } from '../files';

/** How many huge pages the kernel keeps, used or not, by the size of one in bytes. */
export type HugePagePools = ReadonlyMap<number, number>;

/**
 * What is set apart now: an operator may change it at any time. Empty where the kernel has no huge pages.
 * Source: Documentation/admin-guide/mm/hugetlbpage.rst.
 */
export const readHugePages = (root = '/sys/kernel/mm/hugepages'): HugePagePools =>
  new Map(
    [...listFolderSync(root)].sort().flatMap((folder) => {
      const kibibytes = Number(/^hugepages-(\d+)kB$/.exec(folder)?.[1]);
      const count = Number(textOf(join(root, folder, 'nr_hugepages')));
      return kibibytes > 0 && count >= 0 ? [[kibibytes * 1024, count] as const] : [];
    }),
  );

/** The memory that pages of all sizes take together. */
export const pooledBytes = (pools: HugePagePools): number =>
  [...pools].reduce((sum, [pageBytes, count]) => sum + pageBytes * count, 0);

/** What is gone, or cannot be read, is no number. */
const textOf = (file: string): string => {
  try {
    return readFileSync(file, 'utf8').trim();
  } catch {
    return 'none';
  }
};
