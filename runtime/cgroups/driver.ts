import type { CgroupResources, ContainerStats } from '../container-runtime';

/** One hierarchy of cgroups under the runtime's parent. Paths are relative to the cgroup root. */
export interface CgroupDriver {
  readonly version: 1 | 2;
  /** Makes it with its parents. Idempotent. */
  create(path: string): void;
  /** @throws RuntimeError naming file and value. */
  apply(path: string, resources: CgroupResources): void;
  /** Does it hold containers to their devices, and to what they may do to each? */
  readonly limitsDevices: boolean;
  /** Only the container's usual devices and those that are granted, unless `allowsAll`. */
  restrictDevices(path: string, allowsAll: boolean, granted: readonly GrantedDeviceNumber[]): void;
  /** Kills the container as a whole when one of its processes is out of memory. */
  setOomGroup(path: string): void;
  /** The files a process of one thread writes a 0 into to join. */
  joinFiles(path: string): readonly string[];
  /** Folder of the controller that freezes and kills. */
  killDir(path: string): string;
  /** Folder whose counter tells out-of-memory kills. */
  oomDir(path: string): string;
  /** How many processes the kernel has killed there for want of memory. */
  oomKillCount(path: string): number;
  processes(path: string): readonly number[];
  freeze(path: string, isFrozen: boolean): void;
  /** Kills everything in it, its descendants too, until it is empty. */
  killAll(path: string): Promise<void>;
  /** Kills what is left in it, then removes it with its descendants. Idempotent. */
  remove(path: string): Promise<void>;
  /** Removes it where this driver makes none, and another runtime has. Idempotent. */
  removeElsewhere(path: string): Promise<void>;
  /** Of the cgroup with its descendants; the root, `''`, is the whole host. */
  stats(path: string): ContainerStats;
  /** Mounts that show a container its own cgroup. */
  mounts(): readonly CgroupMount[];
}

export interface GrantedDeviceNumber {
  /** As `st_mode`: tells the type. */
  readonly mode: number;
  readonly major: number;
  readonly minor: number;
  /** Of `r`, `w` and `m`. */
  readonly access: string;
}

export interface CgroupMount {
  readonly type: string;
  readonly target: string;
  readonly data: string;
}
