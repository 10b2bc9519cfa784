import { cpuWeight, v1Settings, v2Settings } from './index';

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
