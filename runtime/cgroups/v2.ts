import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';

import type { CgroupResources, ContainerStats } from '../container-runtime';
import type { CgroupDriver, CgroupMount } from './driver';
import { controlFiles, hugePageSettings } from './huge-pages';
import {
  keyedNumber,
  killProcess,
  makeDir,
  pause,
  processesIn,
  readControl,
  removeEmpty,
  removeTree,
  writeControl,
} from './files';

/** The unified hierarchy. Processes sit in leaves only; controllers are passed down from the root. */
export class CgroupV2Driver implements CgroupDriver {
  readonly version = 2;
  private hasHugePages: boolean | undefined;

  /** Only those of `wanted` are handed down, and those of huge pages and set apart processors. */
  constructor(
    private readonly root = '/sys/fs/cgroup',
    private readonly procDir = '/proc',
    private readonly wanted: readonly string[] = CONTROLLERS,
  ) {}

  /** What limits huge pages on a host that has all else in v1; undefined where nothing here does. */
  static ofHugePages(root: string): CgroupV2Driver | undefined {
    const driver = new CgroupV2Driver(root, undefined, []);
    if (!driver.available('').includes(HUGETLB)) return undefined;
    try {
      driver.delegate('.', [HUGETLB]);
      return driver;
    } catch {
      // Read only, or of a container whose processes are in its root: containers run without.
      return undefined;
    }
  }

  create(path: string): void {
    makeDir(this.dir(path));
    // Nobody can pass on what was not passed on to him: then all above is done, too.
    if (this.passesAllOn(dirname(path))) return;
    this.delegateAll(path, this.controllers());
  }

  apply(path: string, resources: CgroupResources): void {
    const dir = this.dir(path);
    if (resources.cpus !== undefined) this.delegateAll(path, [CPUSET]);
    for (const { file, value } of v2Settings(resources)) writeControl(dir, file, value);
    const { hugePageBytes } = resources;
    if (hugePageBytes === undefined) return;
    for (const { file, value } of hugePageSettings(controlFiles(dir), 2, hugePageBytes))
      writeControl(dir, file, value);
  }

  readonly limitsDevices = false;

  restrictDevices(): void {
    // There is no file for it: containers get no CAP_MKNOD there, and nodev mounts.
  }

  setOomGroup(path: string): void {
    if (existsSync(join(this.dir(path), 'memory.oom.group'))) {
      writeControl(this.dir(path), 'memory.oom.group', '1');
    }
  }

  joinFiles(path: string): readonly string[] {
    return [join(this.dir(path), 'cgroup.procs')];
  }

  killDir(path: string): string {
    return this.dir(path);
  }

  oomDir(path: string): string {
    return this.dir(path);
  }

  oomKillCount(path: string): number {
    return keyedNumber(readControl(this.dir(path), 'memory.events'), 'oom_kill');
  }

  processes(path: string): readonly number[] {
    return processesIn(this.dir(path));
  }

  freeze(path: string, isFrozen: boolean): void {
    writeControl(this.dir(path), 'cgroup.freeze', isFrozen ? '1' : '0');
  }

  async killAll(path: string): Promise<void> {
    const dir = this.dir(path);
    for (let round = 0; round < MAX_ROUNDS && existsSync(dir); round++) {
      if (this.processes(path).length === 0) return;
      if (existsSync(join(dir, 'cgroup.kill'))) writeControl(dir, 'cgroup.kill', '1');
      else for (const pid of this.processes(path)) killProcess(pid);
      await pause(Math.min(1 + round, 20));
    }
  }

  async remove(path: string): Promise<void> {
    if (removeEmpty(this.dir(path))) return;
    await this.killAll(path);
    await removeTree(this.dir(path));
  }

  removeElsewhere(): Promise<void> {
    return Promise.resolve();
  }

  stats(path: string): ContainerStats {
    const dir = this.dir(path);
    const memory = readControl(dir, 'memory.stat');
    const current = readControl(dir, 'memory.current');
    // The root has no such file; nor has what is gone, or what nothing is counted of.
    const isRoot = current === undefined && path === '';
    const memoryBytes = isRoot ? this.hostMemoryBytes() : Number(current ?? 0);
    const inactive = keyedNumber(memory, 'inactive_file');
    return {
      cpuNanos: keyedNumber(readControl(dir, 'cpu.stat'), 'usage_usec') * 1000,
      memoryBytes,
      memoryWorkingSetBytes: Math.max(0, memoryBytes - inactive),
      memoryRssBytes: keyedNumber(memory, 'anon'),
      pidsCount: Number(readControl(dir, 'pids.current') ?? 0),
    };
  }

  mounts(): readonly CgroupMount[] {
    return [{ type: 'cgroup2', target: '/sys/fs/cgroup', data: '' }];
  }

  /** All that is not free, as the kubelet counts: the kernel's own, too. */
  private hostMemoryBytes(): number {
    const info = readControl(this.procDir, 'meminfo')?.replaceAll(/: +/g, ' ');
    return Math.max(0, keyedNumber(info, 'MemTotal') - keyedNumber(info, 'MemFree')) * 1024;
  }

  /** A kernel without huge pages has no controller of them. */
  private controllers(): readonly string[] {
    this.hasHugePages ??= this.available('').includes(HUGETLB);
    return this.hasHugePages ? [...this.wanted, HUGETLB] : this.wanted;
  }

  private available(path: string): readonly string[] {
    return (readControl(this.dir(path), 'cgroup.controllers') ?? '').trim().split(' ');
  }

  private passesAllOn(path: string): boolean {
    const enabled = readControl(this.dir(path), 'cgroup.subtree_control')?.trim().split(' ');
    return this.controllers().every((name) => enabled?.includes(name) === true);
  }

  /** From the root down to `path`. */
  private delegateAll(path: string, names: readonly string[]): void {
    const parents: string[] = [];
    for (let parent = dirname(path); parent !== '.' && parent !== '/'; parent = dirname(parent)) {
      parents.unshift(parent);
    }
    for (const parent of ['.', ...parents]) this.delegate(parent, names);
  }

  /** Hands the controllers that exist here to the children; each on its own, as one may refuse. */
  private delegate(path: string, names: readonly string[]): void {
    const available = this.available(path);
    for (const name of names) {
      if (available.includes(name))
        writeControl(this.dir(path), 'cgroup.subtree_control', `+${name}`);
    }
  }

  private dir(path: string): string {
    return join(this.root, path);
  }
}

interface V2Setting {
  readonly file: string;
  readonly value: string;
}

/** The files and values of a v2 cgroup. */
export const v2Settings = (resources: CgroupResources): V2Setting[] => {
  const settings: V2Setting[] = [];
  const { cpuShares, cpuQuotaMicros, cpuPeriodMicros, memoryLimitBytes, pidsLimit } = resources;
  if (cpuShares !== undefined) {
    settings.push({ file: 'cpu.weight', value: String(cpuWeight(cpuShares)) });
  }
  if (cpuQuotaMicros !== undefined) {
    const quota = cpuQuotaMicros > 0 ? String(Math.trunc(cpuQuotaMicros)) : 'max';
    settings.push({ file: 'cpu.max', value: `${quota} ${cpuPeriodMicros ?? 100_000}` });
  }
  if (memoryLimitBytes !== undefined) {
    const value = memoryLimitBytes > 0 ? String(Math.trunc(memoryLimitBytes)) : 'max';
    settings.push({ file: 'memory.max', value });
  }
  if (pidsLimit !== undefined) {
    settings.push({ file: 'pids.max', value: pidsLimit > 0 ? String(pidsLimit) : 'max' });
  }
  if (resources.cpus !== undefined) settings.push({ file: 'cpuset.cpus', value: resources.cpus });
  return settings;
};

/**
 * The weight (1..10000) of v1 shares (2..262144), by the curve that maps the defaults onto each
 * other: 1024 to 100. Source: the cgroup mapping of opencontainers/cgroups.
 */
export const cpuWeight = (shares: number): number => {
  if (shares <= 2) return 1;
  if (shares >= 262_144) return 10_000;
  const l = Math.log2(shares);
  return Math.ceil(10 ** ((l * l + 125 * l) / 612 - 7 / 34));
};

const CONTROLLERS = ['cpu', 'memory', 'pids'];
const HUGETLB = 'hugetlb';
/** Handed down only where processors are set apart. */
const CPUSET = 'cpuset';
const MAX_ROUNDS = 500;
