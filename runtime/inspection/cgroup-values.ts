import { join } from 'node:path';

import { readControl } from '../cgroups/files';

/** What one cgroup of a process holds it to, in the words of the kernel. */
export interface CgroupFacts {
  /** Of v1, as mounted: `memory` or `cpu,cpuacct`; `''` is the one hierarchy of v2. */
  readonly controllers: string;
  readonly path: string;
  /** By the name of the control file. */
  readonly values: Readonly<Record<string, string>>;
}

/**
 * The limits of the cgroups of a process, one of each hierarchy that has any, by its `/proc/PID/cgroup`. A pod's
 * limits are those of the parent. Source: cgroups(7).
 */
export const readCgroups = (text: string, mountsAt: string): readonly CgroupFacts[] =>
  parseCgroups(text)
    .map(({ controllers, path }) => {
      const folder = join(mountsAt, controllers === '' ? '.' : controllers, path);
      return { controllers, path, values: valuesIn(folder, controllers) };
    })
    .filter(({ values }) => Object.keys(values).length > 0);

/** Pure. */
export const parseCgroups = (
  text: string,
): readonly { readonly controllers: string; readonly path: string }[] =>
  text.split('\n').flatMap((line) => {
    const [, controllers, path] = /^\d+:([^:]*):(\/.*)$/.exec(line) ?? [];
    // Those with a name only, `name=systemd`, limit nothing; above the root is what this host does not see.
    if (controllers === undefined || path === undefined || controllers.startsWith('name='))
      return [];
    return path.split('/').includes('..') ? [] : [{ controllers, path }];
  });

const valuesIn = (folder: string, controllers: string): Record<string, string> =>
  Object.fromEntries(
    (controllers === '' ? V2_FILES : controllers.split(',').flatMap((name) => V1_FILES[name] ?? []))
      .map((file) => [file, readControl(folder, file)?.trim()] as const)
      .filter((entry): entry is readonly [string, string] => (entry[1] ?? '') !== '')
      .map(([file, value]) => [file, value.slice(0, VALUE_LENGTH_MAX)]),
  );

const V1_FILES: Readonly<Partial<Record<string, readonly string[]>>> = {
  cpu: ['cpu.shares', 'cpu.cfs_quota_us', 'cpu.cfs_period_us'],
  cpuset: ['cpuset.cpus', 'cpuset.mems'],
  memory: ['memory.limit_in_bytes', 'memory.memsw.limit_in_bytes', 'memory.usage_in_bytes'],
  pids: ['pids.max', 'pids.current'],
  devices: ['devices.list'],
  freezer: ['freezer.state'],
};

const V2_FILES = [
  'cpu.weight',
  'cpu.max',
  'cpuset.cpus.effective',
  'memory.max',
  'memory.high',
  'memory.swap.max',
  'memory.current',
  'memory.oom.group',
  'pids.max',
  'pids.current',
  'io.max',
  'io.weight',
  'cgroup.freeze',
];

/** A list of devices may be long. */
const VALUE_LENGTH_MAX = 4096;
