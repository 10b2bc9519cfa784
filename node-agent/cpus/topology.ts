import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import { listFolderSync } from '../files';
import { parseCpuList } from './cpu-list';

/** A processor as the scheduler of the kernel sees it: one thread of a core. */
export interface Cpu {
  readonly id: number;
  /** Unique on the machine. */
  readonly core: string;
  readonly socket: string;
  readonly numaNode: string;
}

export type CpuTopology = readonly Cpu[];

/** Of the processors that are on, by number. Source: Documentation/admin-guide/cputopology.rst of the kernel. */
export const readTopology = (sys = '/sys'): CpuTopology => {
  const folder = join(sys, 'devices/system');
  const nodes = numaNodes(join(folder, 'node'));
  return parseCpuList(read(join(folder, 'cpu/online')) ?? '').map((id) => {
    const topology = join(folder, 'cpu', `cpu${id}`, 'topology');
    // Where the kernel does not say, each is alone.
    const socket = read(join(topology, 'physical_package_id')) ?? '0';
    const core = `${socket}.${read(join(topology, 'core_cpus_list')) ?? id}`;
    return { id, core, socket, numaNode: nodes.get(id) ?? '0' };
  });
};

const numaNodes = (folder: string): ReadonlyMap<number, string> =>
  new Map(
    listFolderSync(folder)
      .filter((name) => /^node\d+$/.test(name))
      .flatMap((name) =>
        parseCpuList(read(join(folder, name, 'cpulist')) ?? '').map((id) => [id, name] as const),
      ),
  );

const read = (path: string): string | undefined => {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch {
    return undefined;
  }
};
