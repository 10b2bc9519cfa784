import { constants, existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

import { RuntimeError, type CgroupResources, type ContainerStats } from '../container-runtime';
import type { CgroupDriver, CgroupMount, GrantedDeviceNumber } from './driver';
import { controlFiles, hugePageSettings, keepsHugePages } from './huge-pages';
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
  writeControls,
} from './files';
import { CgroupV2Driver } from './v2';

/** One folder per controller under /sys/fs/cgroup. Only the controllers needed are joined. */
export class CgroupV1Driver implements CgroupDriver {
  readonly version = 1;
  private readonly controllers: readonly string[];
  /** Of a hybrid host, where the kernel has left huge pages to the unified hierarchy. */
  private readonly pages: CgroupV2Driver | undefined;

  /**
   * @param hasPages Are there huge pages to be had? To join the unified hierarchy costs each start of a
   * container a millisecond, and kubelets too want to be started anew for pages that come later.
   */
  constructor(
    private readonly root = '/sys/fs/cgroup',
    private readonly hasPages = keepsHugePages(),
  ) {
    this.controllers = CONTROLLERS.filter((name) => existsSync(join(root, name, 'cgroup.procs')));
    this.pages = CgroupV2Driver.ofHugePages(join(root, 'unified'));
  }

  create(path: string): void {
    for (const controller of this.controllers) makeDir(this.dir(controller, path));
    if (this.hasPages) this.pages?.create(path);
  }

  apply(path: string, resources: CgroupResources): void {
    for (const { controller, file, value } of v1Settings(resources)) {
      if (this.controllers.includes(controller)) {
        writeControl(this.dir(controller, path), file, value);
      }
    }
    const { hugePageBytes, cpus } = resources;
    if (hugePageBytes !== undefined) {
      const dir = this.dir(HUGETLB, path);
      for (const { file, value } of hugePageSettings(controlFiles(dir), 1, hugePageBytes))
        writeControl(dir, file, value);
      this.pages?.apply(path, { hugePageBytes });
    }
    if (cpus !== undefined) this.confine(path, cpus);
  }

  get limitsDevices(): boolean {
    return this.controllers.includes('devices');
  }

  restrictDevices(path: string, allowsAll: boolean, granted: readonly GrantedDeviceNumber[]): void {
    if (!this.limitsDevices) return;
    const dir = this.dir('devices', path);
    if (allowsAll) {
      writeControl(dir, 'devices.allow', 'a');
      return;
    }
    writeControl(dir, 'devices.deny', 'a');
    const rules = granted.map(({ mode, major, minor, access }) => {
      const type = (mode & constants.S_IFMT) === constants.S_IFBLK ? 'b' : 'c';
      return `${type} ${major}:${minor} ${access}`;
    });
    writeControls(dir, 'devices.allow', [...DEVICE_RULES, ...rules]);
  }

  setOomGroup(): void {
    // v1 has no such setting: the monitor kills the rest.
  }

  joinFiles(path: string): readonly string[] {
    // A thread that moves itself needs no lock; through `cgroup.procs` the kernel would hold up every
    // fork and exec on the host for a grace period, six times for each container.
    const files = this.controllersOf(path).map((name) => join(this.dir(name, path), 'tasks'));
    return [...files, ...(this.pages?.joinFiles(path) ?? []).filter((file) => existsSync(file))];
  }

  killDir(path: string): string {
    return this.dir('freezer', path);
  }

  oomDir(path: string): string {
    return this.dir('memory', path);
  }

  oomKillCount(path: string): number {
    return keyedNumber(readControl(this.oomDir(path), 'memory.oom_control'), 'oom_kill');
  }

  processes(path: string): readonly number[] {
    return processesIn(this.killDir(path));
  }

  freeze(path: string, isFrozen: boolean): void {
    writeControl(this.killDir(path), 'freezer.state', isFrozen ? 'FROZEN' : 'THAWED');
  }

  async killAll(path: string): Promise<void> {
    if (!existsSync(this.killDir(path))) return;
    const known = new Set<number>();
    for (let round = 0; round < MAX_ROUNDS; round++) {
      const found = this.processes(path);
      if (found.length === 0) return;
      // Nearly always these are all, and to freeze and thaw them costs more than all else of their end.
      const isGrowing = round > 0 && found.some((pid) => !known.has(pid));
      if (isGrowing || round >= PATIENT_ROUNDS) this.killFrozen(path);
      else for (const pid of found) killProcess(pid);
      for (const pid of found) known.add(pid);
      await pause(Math.min(1 + round, 20));
    }
  }

  async remove(path: string): Promise<void> {
    const dirs = this.controllersOf(path).map((controller) => this.dir(controller, path));
    // After its container has ended there is nothing in it and nothing below.
    if (!dirs.every(removeEmpty)) {
      await this.killAll(path);
      for (const dir of dirs) await removeTree(dir);
    }
    await this.pages?.remove(path);
  }

  async removeElsewhere(path: string): Promise<void> {
    for (const name of readdirSync(this.root)) {
      const dir = this.dir(name, path);
      if (!this.controllers.includes(name) && existsSync(dir)) await removeTree(dir);
    }
  }

  stats(path: string): ContainerStats {
    const memory = this.dir('memory', path);
    const memoryBytes = Number(readControl(memory, 'memory.usage_in_bytes') ?? 0);
    const stat = readControl(memory, 'memory.stat');
    const inactive = keyedNumber(stat, 'total_inactive_file');
    return {
      cpuNanos: Number(readControl(this.dir('cpuacct', path), 'cpuacct.usage') ?? 0),
      memoryBytes,
      memoryWorkingSetBytes: Math.max(0, memoryBytes - inactive),
      memoryRssBytes: keyedNumber(stat, 'total_rss'),
      pidsCount: Number(readControl(this.dir('pids', path), 'pids.current') ?? 0),
    };
  }

  mounts(): readonly CgroupMount[] {
    const each = this.controllers.map((name) => ({
      type: 'cgroup',
      target: `/sys/fs/cgroup/${name}`,
      data: name,
    }));
    return [{ type: 'tmpfs', target: '/sys/fs/cgroup', data: 'mode=755' }, ...each];
  }

  /** Its processes run on `cpus` only, and so do those that join it from now on. */
  private confine(path: string, cpus: string): void {
    if (!existsSync(join(this.root, CPUSET, 'cgroup.procs')))
      throw new RuntimeError('cgroup', `no processors can be set apart: ${CPUSET} is not mounted`);
    let dir = join(this.root, CPUSET);
    for (const part of path.split('/')) {
      const parent = dir;
      dir = join(dir, part);
      makeDir(dir);
      // A new one has none of either, and nothing may join it before it has.
      for (const file of ['cpuset.mems', 'cpuset.cpus'])
        if ((readControl(dir, file) ?? '').trim() === '')
          writeControl(dir, file, (readControl(parent, file) ?? '').trim());
    }
    writeControl(dir, 'cpuset.cpus', cpus);
    this.moveInto(dir, path);
  }

  /** What was made before its container was confined, and what that forks meanwhile. */
  private moveInto(dir: string, path: string): void {
    for (let round = 0; round < MAX_MOVES; round++) {
      const inside = new Set(processesIn(dir));
      const outside = this.processes(path).filter((pid) => !inside.has(pid));
      if (outside.length === 0) return;
      for (const pid of outside) {
        try {
          writeControl(dir, 'cgroup.procs', String(pid));
        } catch (error) {
          // Ended meanwhile, or is looked at again.
          if (round === MAX_MOVES - 1) throw error;
        }
      }
    }
  }

  /** Those that a cgroup is in: cpuset only once it is confined, hugetlb not where it was made without. */
  private controllersOf(path: string): readonly string[] {
    const isIn = (name: string) => existsSync(this.dir(name, path));
    const controllers = this.controllers.filter((name) => name !== HUGETLB || isIn(name));
    return isIn(CPUSET) ? [...controllers, CPUSET] : controllers;
  }

  /** Frozen, a fork bomb cannot outrun the signals, which act on thawing: also on what was frozen before. */
  private killFrozen(path: string): void {
    this.tryFreeze(path, true);
    for (const pid of this.processes(path)) killProcess(pid);
    this.tryFreeze(path, false);
  }

  private tryFreeze(path: string, isFrozen: boolean): void {
    try {
      this.freeze(path, isFrozen);
    } catch {
      // Without a freezer the rounds of signals do.
    }
  }

  private dir(controller: string, path: string): string {
    return join(this.root, controller, path);
  }
}

interface V1Setting {
  readonly controller: string;
  readonly file: string;
  readonly value: string;
}

/** The files and values of a v1 cgroup. The period comes first: a quota is checked against it. */
export const v1Settings = (resources: CgroupResources): V1Setting[] => {
  const settings: V1Setting[] = [];
  const add = (controller: string, file: string, value: number | undefined) => {
    if (value !== undefined) {
      settings.push({ controller, file, value: String(Math.trunc(value)) });
    }
  };
  const { cpuShares, pidsLimit } = resources;
  add('cpu', 'cpu.shares', cpuShares === undefined ? undefined : Math.max(2, cpuShares));
  add('cpu', 'cpu.cfs_period_us', resources.cpuPeriodMicros);
  add('cpu', 'cpu.cfs_quota_us', resources.cpuQuotaMicros);
  add('memory', 'memory.limit_in_bytes', resources.memoryLimitBytes);
  if (pidsLimit !== undefined) {
    const value = pidsLimit > 0 ? String(pidsLimit) : 'max';
    settings.push({ controller: 'pids', file: 'pids.max', value });
  }
  return settings;
};

/** Without cpuset: joining that needs its values copied from every parent. */
const HUGETLB = 'hugetlb';
const CONTROLLERS = ['memory', 'cpu', 'cpuacct', 'pids', 'devices', 'freezer', HUGETLB];
const CPUSET = 'cpuset';

/** mknod of anything, but use only of null, zero, full, random, urandom, tty, console and ptys. */
const DEVICE_RULES = [
  'c *:* m',
  'b *:* m',
  'c 1:3 rwm',
  'c 1:5 rwm',
  'c 1:7 rwm',
  'c 1:8 rwm',
  'c 1:9 rwm',
  'c 5:0 rwm',
  'c 5:1 rwm',
  'c 5:2 rwm',
  'c 136:* rwm',
];
const MAX_ROUNDS = 500;
/** Fifteen milliseconds, in which what is killed ends even where processors are busy. */
const PATIENT_ROUNDS = 5;
const MAX_MOVES = 10;
