import { existsSync, readFileSync, writeFileSync } from 'node:fs';

const POOL = '/sys/kernel/mm/hugepages/hugepages-2048kB';

export const PAGE_BYTES = 2 ** 21;
/** Not every kernel has pages of that size, and in a container their number may be out of reach. */
export const hasHugePages = existsSync(POOL);

const read = (file: string): number => Number(readFileSync(`${POOL}/${file}`, 'utf8'));

export const freePages = (): number => read('free_hugepages');
export const allPages = (): number => read('nr_hugepages');

/** Has the kernel keep so many more pages. Returns what gives them back. @throws where it has not as many */
export const reserveHugePages = (count: number): (() => void) => {
  const before = allPages();
  const set = (pages: number) => writeFileSync(`${POOL}/nr_hugepages`, String(Math.max(0, pages)));
  set(before + count);
  const got = allPages() - before;
  const release = () => set(allPages() - got);
  if (got === count) return release;
  release();
  throw new Error(`the kernel has no ${count} huge pages in one piece`);
};
