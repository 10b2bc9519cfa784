import type { CpuList } from './cpu-list';
import type { Cpu, CpuTopology } from './topology';

/**
 * Pure: `count` of the free processors that are near each other: as many whole NUMA nodes, sockets and cores
 * as fit, then single threads of what is broken into already; undefined when there are not so many.
 * Source: pkg/kubelet/cm/cpumanager/cpu_assignment.go
 */
export const takeCpus = (
  topology: CpuTopology,
  free: CpuList,
  count: number,
): CpuList | undefined => {
  if (free.length < count) return undefined;
  const taken = new Set<number>();
  const missing = () => count - taken.size;
  for (const unit of UNITS)
    for (const whole of wholeUnits(topology, free, unit, taken))
      if (whole.length <= missing()) for (const id of whole) taken.add(id);
  for (const id of singles(topology, free, taken)) if (missing() > 0) taken.add(id);
  return [...taken].sort((a, b) => a - b);
};

type Unit = 'numaNode' | 'socket' | 'core';

/** Where a socket has several NUMA nodes, and where it is part of one: both are tried. */
const UNITS: readonly Unit[] = ['socket', 'numaNode', 'core'];

/** Those of which nothing is in use; first where something is taken already. */
const wholeUnits = (
  topology: CpuTopology,
  free: CpuList,
  unit: Unit,
  taken: ReadonlySet<number>,
): readonly CpuList[] => {
  const isFree = new Set(free);
  const near = nearness(topology, taken);
  return [...groupBy(topology, unit).values()]
    .filter((cpus) => cpus.every(({ id }) => isFree.has(id) && !taken.has(id)))
    .sort((a, b) => near(b[0]) - near(a[0]) || firstId(a) - firstId(b))
    .map((cpus) => cpus.map(({ id }) => id));
};

/** What is left, so that as little as possible that is whole gets broken. */
const singles = (
  topology: CpuTopology,
  free: CpuList,
  taken: ReadonlySet<number>,
): readonly number[] => {
  const isFree = new Set(free);
  const left = topology.filter(({ id }) => isFree.has(id) && !taken.has(id));
  const near = nearness(topology, taken);
  const sockets = groupBy(left, 'socket');
  const cores = groupBy(left, 'core');
  const inSocket = ({ socket }: Cpu) => sockets.get(socket) ?? [];
  const inCore = ({ core }: Cpu) => cores.get(core) ?? [];
  return left
    .toSorted(
      (a, b) =>
        near(b) - near(a) ||
        inSocket(a).length - inSocket(b).length ||
        firstId(inSocket(a)) - firstId(inSocket(b)) ||
        inCore(a).length - inCore(b).length ||
        firstId(inCore(a)) - firstId(inCore(b)) ||
        a.id - b.id,
    )
    .map(({ id }) => id);
};

/** 2: in a NUMA node of which something is taken, 1: in such a socket. */
const nearness = (topology: CpuTopology, taken: ReadonlySet<number>) => {
  const chosen = topology.filter(({ id }) => taken.has(id));
  const nodes = new Set(chosen.map(({ numaNode }) => numaNode));
  const sockets = new Set(chosen.map(({ socket }) => socket));
  return (cpu: Cpu | undefined): number =>
    cpu === undefined ? 0 : nodes.has(cpu.numaNode) ? 2 : sockets.has(cpu.socket) ? 1 : 0;
};

const groupBy = (topology: CpuTopology, unit: Unit): ReadonlyMap<string, readonly Cpu[]> => {
  const groups = new Map<string, Cpu[]>();
  for (const cpu of topology) {
    const group = groups.get(cpu[unit]);
    if (group === undefined) groups.set(cpu[unit], [cpu]);
    else group.push(cpu);
  }
  return groups;
};

const firstId = (cpus: readonly Cpu[]): number => cpus[0]?.id ?? 0;
