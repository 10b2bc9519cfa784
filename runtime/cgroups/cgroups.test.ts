import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

import { hugePagePrefix, keepsHugePages } from './huge-pages';
import { CgroupV1Driver, CgroupV2Driver, cpuWeight, v1Settings, v2Settings } from './index';

const resources = {
  cpuShares: 512,
  cpuQuotaMicros: 50_000,
  cpuPeriodMicros: 100_000,
  memoryLimitBytes: 64 << 20,
  pidsLimit: 32,
};

describe('cgroup values', () => {
  it('writes the period before the quota on v1', () => {
    expect(v1Settings(resources).map(({ file, value }) => `${file}=${value}`)).toEqual([
      'cpu.shares=512',
      'cpu.cfs_period_us=100000',
      'cpu.cfs_quota_us=50000',
      'memory.limit_in_bytes=67108864',
      'pids.max=32',
    ]);
  });

  it('maps to the files of v2', () => {
    expect(v2Settings(resources).map(({ file, value }) => `${file}=${value}`)).toEqual([
      'cpu.weight=59',
      'cpu.max=50000 100000',
      'memory.max=67108864',
      'pids.max=32',
    ]);
  });

  it('sets processors apart on v2 as the kernel lists them', () => {
    expect(v2Settings({ cpus: '0-2,7' })).toEqual([{ file: 'cpuset.cpus', value: '0-2,7' }]);
  });

  it('limits nothing that is not asked for', () => {
    expect(v1Settings({})).toEqual([]);
    expect(v2Settings({})).toEqual([]);
    expect(v1Settings({ pidsLimit: -1 })).toEqual([
      { controller: 'pids', file: 'pids.max', value: 'max' },
    ]);
  });

  it.each([
    [2, 1],
    [1024, 100],
    [262_144, 10_000],
    [0, 1],
  ])('maps %d shares to weight %d', (shares, weight) => {
    expect(cpuWeight(shares)).toBe(weight);
  });
});

describe('what a cgroup has used', () => {
  let root: string;

  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'cgroups-'));
  });
  afterEach(() => rmSync(root, { recursive: true, force: true }));

  const put = (files: Readonly<Record<string, string>>): void => {
    for (const [file, text] of Object.entries(files)) {
      mkdirSync(dirname(join(root, file)), { recursive: true });
      writeFileSync(join(root, file), text);
    }
  };

  it('is read from the controllers of v1, file pages that are idle taken off', () => {
    put({
      'memory/cgroup.procs': '',
      'memory/a/memory.usage_in_bytes': '1000\n',
      'memory/a/memory.stat': 'inactive_file 1\ntotal_inactive_file 300\ntotal_rss 600\n',
      'cpuacct/a/cpuacct.usage': '5000\n',
      'pids/a/pids.current': '3\n',
    });
    expect(new CgroupV1Driver(root).stats('a')).toEqual({
      ...{ cpuNanos: 5000, memoryBytes: 1000, memoryWorkingSetBytes: 700, pidsCount: 3 },
      memoryRssBytes: 600,
    });
  });

  it('is read from v2', () => {
    put({
      'a/memory.current': '1000\n',
      'a/memory.stat': 'anon 600\nfile 400\ninactive_file 300\n',
      'a/cpu.stat': 'usage_usec 5\n',
      'a/pids.current': '3\n',
    });
    expect(new CgroupV2Driver(root).stats('a')).toEqual({
      ...{ cpuNanos: 5000, memoryBytes: 1000, memoryWorkingSetBytes: 700, pidsCount: 3 },
      memoryRssBytes: 600,
    });
  });

  it('is told of the whole host on v2, where the root has no total', () => {
    put({
      'memory.stat': 'anon 600\nfile 400\ninactive_file 300\n',
      'cpu.stat': 'usage_usec 5\n',
      'proc/meminfo': 'MemTotal:     9 kB\nMemFree:         7 kB\nMemAvailable:    8 kB\n',
    });
    expect(new CgroupV2Driver(root, join(root, 'proc')).stats('')).toMatchObject({
      ...{ cpuNanos: 5000, memoryBytes: 2048, memoryWorkingSetBytes: 1748 },
    });
  });

  it('is nothing on v2 where nothing is counted, whatever the host uses', () => {
    put({ 'a/cgroup.procs': '', 'proc/meminfo': 'MemTotal: 9 kB\nMemFree: 7 kB\n' });
    expect(new CgroupV2Driver(root, join(root, 'proc')).stats('a')).toMatchObject({
      ...{ cpuNanos: 0, memoryBytes: 0, memoryWorkingSetBytes: 0, pidsCount: 0 },
    });
  });

  it('is no less than nothing', () => {
    put({ 'a/memory.current': '100\n', 'a/memory.stat': 'inactive_file 300\n' });
    expect(new CgroupV2Driver(root).stats('a').memoryWorkingSetBytes).toBe(0);
  });
});

describe('huge pages', () => {
  let root: string;

  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'cgroups-'));
  });
  afterEach(() => rmSync(root, { recursive: true, force: true }));

  const put = (file: string, text = ''): void => {
    mkdirSync(dirname(join(root, file)), { recursive: true });
    writeFileSync(join(root, file), text);
  };
  const textOf = (file: string) => readFileSync(join(root, file), 'utf8');
  const hugePageBytes = { [2 ** 21]: 2 ** 23 };

  it.each([
    [2 ** 16, 'hugetlb.64KB'],
    [2 ** 21, 'hugetlb.2MB'],
    [2 ** 29, 'hugetlb.512MB'],
    [2 ** 30, 'hugetlb.1GB'],
    [2 ** 34, 'hugetlb.16GB'],
  ])('of %d bytes are limited in %s', (pageBytes, prefix) => {
    expect(hugePagePrefix(pageBytes)).toBe(prefix);
  });

  it('are limited on v2, in use and set aside; to none of a size that is not asked for', () => {
    for (const dir of ['.', 'p', 'p/c']) {
      put(`${dir}/cgroup.controllers`, 'cpu memory hugetlb pids\n');
      put(`${dir}/cgroup.subtree_control`);
    }
    for (const size of ['2MB', '1GB'])
      for (const file of ['max', 'rsvd.max', 'current', 'events', 'numa_stat'])
        put(`p/c/hugetlb.${size}.${file}`, '-');
    const driver = new CgroupV2Driver(root);
    driver.create('p/c');
    // Of a real file each write adds to what was there.
    expect(textOf('p/cgroup.subtree_control')).toBe('+hugetlb');
    driver.apply('p/c', { hugePageBytes });
    expect(textOf('p/c/hugetlb.2MB.max')).toBe('8388608');
    expect(textOf('p/c/hugetlb.2MB.rsvd.max')).toBe('8388608');
    expect(textOf('p/c/hugetlb.1GB.max')).toBe('0');
    expect(textOf('p/c/hugetlb.2MB.current')).toBe('-');
    driver.apply('p/c', {});
    expect(textOf('p/c/hugetlb.2MB.max')).toBe('8388608');
  });

  it('are limited on v1, where older kernels know nothing of what is set aside', () => {
    put('hugetlb/cgroup.procs');
    put('hugetlb/c/hugetlb.2MB.limit_in_bytes');
    put('hugetlb/c/hugetlb.2MB.max_usage_in_bytes', '-');
    const driver = new CgroupV1Driver(root);
    driver.create('c');
    driver.apply('c', { hugePageBytes });
    expect(textOf('hugetlb/c/hugetlb.2MB.limit_in_bytes')).toBe('8388608');
    expect(textOf('hugetlb/c/hugetlb.2MB.max_usage_in_bytes')).toBe('-');
    expect(driver.joinFiles('c')).toEqual([join(root, 'hugetlb/c/tasks')]);
    // It was made before there was such a hierarchy.
    expect(driver.joinFiles('older')).toEqual([]);
  });

  it('are limited by the unified hierarchy of a hybrid host, from the top down', () => {
    put('memory/cgroup.procs');
    for (const dir of ['.', 'p', 'p/c']) {
      put(`unified/${dir}/cgroup.controllers`, 'hugetlb\n');
      put(`unified/${dir}/cgroup.subtree_control`);
    }
    put('unified/p/c/hugetlb.2MB.max', '');
    const driver = new CgroupV1Driver(root, true);
    driver.create('p/c');
    driver.apply('p/c', { hugePageBytes });
    expect(textOf('unified/cgroup.subtree_control')).toContain('+hugetlb');
    expect(textOf('unified/p/cgroup.subtree_control')).toBe('+hugetlb');
    expect(textOf('unified/p/c/hugetlb.2MB.max')).toBe('8388608');
    put('unified/p/c/cgroup.procs');
    expect(driver.joinFiles('p/c')).toEqual([
      join(root, 'memory/p/c/tasks'),
      join(root, 'unified/p/c/cgroup.procs'),
    ]);
    // It was made before anything was limited there.
    expect(driver.joinFiles('older')).toEqual([join(root, 'memory/older/tasks')]);
  });

  it('are left alone on a hybrid host whose unified hierarchy hands nothing down', () => {
    put('memory/cgroup.procs');
    put('unified/cgroup.controllers', 'hugetlb\n');
    mkdirSync(join(root, 'unified/cgroup.subtree_control'));
    const driver = new CgroupV1Driver(root, true);
    driver.create('c');
    driver.apply('c', { hugePageBytes });
    expect(driver.joinFiles('c')).toEqual([join(root, 'memory/c/tasks')]);
    expect(existsSync(join(root, 'unified/c'))).toBe(false);
  });

  it('are left alone on a hybrid host that keeps none', () => {
    put('memory/cgroup.procs');
    put('unified/cgroup.controllers', 'hugetlb\n');
    put('unified/cgroup.subtree_control');
    const driver = new CgroupV1Driver(root, false);
    driver.create('c');
    driver.apply('c', { hugePageBytes });
    expect(existsSync(join(root, 'unified/c'))).toBe(false);
    expect(driver.joinFiles('c')).toEqual([join(root, 'memory/c/tasks')]);
  });

  it.each<[string, string, boolean]>([
    ['nr_hugepages', '0\n', false],
    ['nr_hugepages', '4\n', true],
    ['nr_overcommit_hugepages', '1\n', true],
  ])('are kept by a machine whose %s is %j: %j', (file, count, expected) => {
    put(`pools/hugepages-2048kB/${file}`, count);
    expect(keepsHugePages(join(root, 'pools'))).toBe(expected);
    expect(keepsHugePages(join(root, 'nothing'))).toBe(false);
  });

  it('are not limited where there is no controller', () => {
    put('memory/cgroup.procs');
    const v1 = new CgroupV1Driver(root);
    v1.create('c');
    v1.apply('c', { hugePageBytes });
    expect(existsSync(join(root, 'hugetlb'))).toBe(false);
    put('p/c/cgroup.controllers', 'memory\n');
    new CgroupV2Driver(root).apply('p/c', { hugePageBytes });
    expect(readdirSync(join(root, 'p/c'))).toEqual(['cgroup.controllers']);
  });
});

describe('processors set apart', () => {
  let root: string;

  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'cgroups-'));
  });
  afterEach(() => rmSync(root, { recursive: true, force: true }));

  const put = (file: string, text: string): void => {
    mkdirSync(dirname(join(root, file)), { recursive: true });
    writeFileSync(join(root, file), text);
  };
  const textOf = (file: string) => readFileSync(join(root, file), 'utf8');

  it('are handed down on v2 to where they are asked for, and not before', () => {
    for (const dir of ['.', 'p', 'p/c']) {
      put(`${dir}/cgroup.controllers`, 'cpuset cpu memory pids\n');
      put(`${dir}/cgroup.subtree_control`, '');
    }
    const driver = new CgroupV2Driver(root);
    driver.create('p/c');
    expect(textOf('p/cgroup.subtree_control')).not.toContain('cpuset');
    driver.apply('p/c', { cpus: '1' });
    // Of a real file each write adds to what was there.
    expect(textOf('cgroup.subtree_control')).toBe('+cpuset');
    expect(textOf('p/cgroup.subtree_control')).toBe('+cpuset');
    expect(textOf('p/c/cpuset.cpus')).toBe('1');
  });

  it('leave the hierarchy of v1 alone until then', () => {
    put('cpuset/cgroup.procs', '');
    put('memory/cgroup.procs', '');
    const driver = new CgroupV1Driver(root);
    driver.create('p/c');
    expect(driver.joinFiles('p/c')).toEqual([join(root, 'memory/p/c/tasks')]);
    expect(existsSync(join(root, 'cpuset/p'))).toBe(false);
  });

  it('are refused in words where v1 has no such hierarchy', () => {
    put('memory/cgroup.procs', '');
    const driver = new CgroupV1Driver(root);
    driver.create('c');
    expect(() => driver.apply('c', { cpus: '0' })).toThrow('cpuset is not mounted');
  });
});

describe('all processes of a cgroup of v1', () => {
  let root: string;
  let kill: jest.SpiedFunction<typeof process.kill>;

  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'cgroups-'));
    mkdirSync(join(root, 'freezer/a'), { recursive: true });
    for (const file of ['cgroup.procs', 'a/cgroup.procs', 'a/freezer.state'])
      writeFileSync(join(root, 'freezer', file), '');
    kill = jest.spyOn(process, 'kill');
  });
  afterEach(() => {
    kill.mockRestore();
    rmSync(root, { recursive: true, force: true });
  });

  const put = (pids: readonly number[]) =>
    writeFileSync(join(root, 'freezer/a/cgroup.procs'), pids.map((pid) => `${pid}\n`).join(''));
  const stateOf = () => readFileSync(join(root, 'freezer/a/freezer.state'), 'utf8');

  it('are killed without being frozen where that is enough', async () => {
    put([11, 12]);
    kill.mockImplementation((pid) => {
      put(pid === 11 ? [12] : []);
      return true;
    });
    await new CgroupV1Driver(root).killAll('a');
    expect(kill.mock.calls).toEqual([11, 12].map((pid) => [pid, 'SIGKILL']));
    expect(stateOf()).toBe('');
  });

  it('are given some time to end before they are', async () => {
    put([11]);
    let count = 0;
    kill.mockImplementation(() => {
      if (++count === 3) put([]);
      return true;
    });
    await new CgroupV1Driver(root).killAll('a');
    expect(stateOf()).toBe('');
  });

  it('are frozen and thawed when they do not end: who was frozen before knows of no signal', async () => {
    put([11]);
    kill.mockImplementation(() => {
      if (stateOf() === 'FROZEN') put([]);
      return true;
    });
    await new CgroupV1Driver(root).killAll('a');
    expect(stateOf()).toBe('THAWED');
  });

  it('are frozen meanwhile once others have come that nobody had signalled', async () => {
    const states: string[] = [];
    put([11]);
    kill.mockImplementation((pid) => {
      states.push(stateOf());
      put(pid < 13 ? [pid + 1] : []);
      return true;
    });
    await new CgroupV1Driver(root).killAll('a');
    expect(states).toEqual(['', 'FROZEN', 'FROZEN']);
    expect(stateOf()).toBe('THAWED');
  });
});

it('a cgroup is removed with what is below it, and once is enough', async () => {
  const root = mkdtempSync(join(tmpdir(), 'cgroups-'));
  try {
    mkdirSync(join(root, 'memory/a/b/c'), { recursive: true });
    mkdirSync(join(root, 'pids/a'), { recursive: true });
    for (const name of ['memory', 'pids']) writeFileSync(join(root, name, 'cgroup.procs'), '');
    const driver = new CgroupV1Driver(root);
    await driver.remove('a');
    await driver.remove('a');
    expect(['memory', 'pids'].map((name) => readdirSync(join(root, name)))).toEqual([
      ['cgroup.procs'],
      ['cgroup.procs'],
    ]);
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
});
