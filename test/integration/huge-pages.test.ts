import { execFileSync, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { createMounter } from '../../node-agent/volumes/mounter';
import { CgroupV1Driver, CgroupV2Driver } from '../../runtime/cgroups';
import { freePages, hasHugePages, PAGE_BYTES, reserveHugePages } from '../support/huge-pages';

const PAGES = 6;
const UNIFIED = ['/sys/fs/cgroup/unified', '/sys/fs/cgroup'];

const controllersOf = (dir: string, file = 'cgroup.controllers'): readonly string[] => {
  try {
    return readFileSync(join(dir, file), 'utf8').trim().split(' ');
  } catch {
    return [];
  }
};
/** Where pages are limited by cgroups of version 2. */
const root = UNIFIED.find((dir) => controllersOf(dir).includes('hugetlb'));

(hasHugePages ? describe : describe.skip)('huge pages of a real kernel', () => {
  let release: () => void;
  let directory: string;

  beforeAll(() => {
    release = reserveHugePages(PAGES);
  });
  afterAll(() => release());
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'dhow-pages-'));
  });
  afterEach(() => rmSync(directory, { recursive: true, force: true }));

  describe('in a volume', () => {
    const mounter = createMounter();
    afterEach(() => mounter.unmountAll(directory));

    it('are there up to its size, and are given back with it', () => {
      const path = join(directory, 'volume');
      mkdirSync(path);
      const options = { pageBytes: PAGE_BYTES, sizeBytes: 2 * PAGE_BYTES, mode: 0o2777 };
      mounter.mountHugePages(path, { ...options, groupId: 1234 });
      mounter.mountHugePages(path, { ...options, groupId: 1234 });
      const { mode, gid, blksize } = statSync(path);
      expect([mode & 0o7777, gid, blksize]).toEqual([0o2777, 1234, PAGE_BYTES]);
      const before = freePages();
      const take = (file: string, pages: number) =>
        execFileSync('fallocate', ['-l', String(pages * PAGE_BYTES), join(path, file)], {
          stdio: 'pipe',
        });
      take('a', 2);
      expect(freePages()).toBe(before - 2);
      expect(() => take('b', 1)).toThrow('No space left on device');
      mounter.unmountAll(directory);
      expect(freePages()).toBe(before);
    });

    it('are refused in words where the kernel has none of that size', () => {
      const path = join(directory, 'volume');
      mkdirSync(path);
      const options = { pageBytes: 3 * PAGE_BYTES, sizeBytes: 0, mode: 0o777, groupId: undefined };
      expect(() => mounter.mountHugePages(path, options)).toThrow('cannot mount a hugetlbfs');
    });
  });

  const isHybrid = root === UNIFIED[0];
  const drivers = [['v2', new CgroupV2Driver(root)] as const];
  const all = isHybrid
    ? [...drivers, ['a hybrid host', new CgroupV1Driver(undefined, true)] as const]
    : drivers;
  (root === undefined ? describe.skip : describe).each(all)('in a cgroup of %s', (_, driver) => {
    const dir = root ?? '';
    const pod = `dhow-test-pages-${process.pid}`;
    let isEnabled: boolean;

    beforeAll(() => {
      isEnabled = controllersOf(dir, 'cgroup.subtree_control').includes('hugetlb');
    });
    afterEach(() => driver.remove(pod));
    afterAll(() => {
      if (!isEnabled) writeFileSync(join(dir, 'cgroup.subtree_control'), '-hugetlb');
    });

    /** How many of so many a process gets that joins before it begins. */
    const got = async (path: string, count: number): Promise<string> => {
      const program = join(directory, 'pages');
      const source = join(__dirname, 'support/pages.c');
      execFileSync('gcc', ['-static', '-O1', '-o', program, source]);
      const child = spawn('/bin/sh', ['-c', `read go; exec ${program} ${count}`]);
      for (const file of driver.joinFiles(path)) writeFileSync(file, String(child.pid));
      let said = '';
      child.stdout.on('data', (chunk: Buffer) => (said += chunk.toString()));
      const ended = new Promise((resolve) => child.once('close', resolve));
      child.stdin.end('\n');
      await ended;
      return said.trim();
    };

    it('are as many as it may have, and none where none are asked for', async () => {
      for (const name of ['some', 'none', 'free']) driver.create(`${pod}/${name}`);
      driver.apply(pod, { hugePageBytes: { [PAGE_BYTES]: 3 * PAGE_BYTES } });
      driver.apply(`${pod}/some`, { hugePageBytes: { [PAGE_BYTES]: 2 * PAGE_BYTES } });
      driver.apply(`${pod}/none`, { hugePageBytes: {} });
      expect(await got(`${pod}/some`, PAGES)).toBe('2');
      expect(await got(`${pod}/none`, PAGES)).toBe('0');
      // By its parent alone, as the containers of a pod that asks for none.
      expect(await got(`${pod}/free`, PAGES)).toBe('3');
    });
  });
});
