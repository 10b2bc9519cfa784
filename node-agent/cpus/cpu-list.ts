/** Processors by number, in order, each once. */
export type CpuList = readonly number[];

/** The kernel's list format: `0-2,7`; '' is none. @throws Error in upstream's words (k8s.io/utils/cpuset) */
export const parseCpuList = (text: string): CpuList => {
  if (text.trim() === '') return [];
  const numbers = text.trim().split(',').flatMap(rangeOf);
  return [...new Set(numbers)].sort((a, b) => a - b);
};

export const formatCpuList = (cpus: CpuList): string => {
  const ranges: [number, number][] = [];
  for (const cpu of cpus) {
    const last = ranges.at(-1);
    if (last?.[1] === cpu - 1) last[1] = cpu;
    else ranges.push([cpu, cpu]);
  }
  return ranges.map(([from, to]) => (from === to ? `${from}` : `${from}-${to}`)).join(',');
};

export const without = (cpus: CpuList, taken: Iterable<number>): CpuList => {
  const gone = new Set(taken);
  return cpus.filter((cpu) => !gone.has(cpu));
};

const rangeOf = (part: string): readonly number[] => {
  const [, first = '', last = first] = /^\s*(\d{1,5})(?:-(\d{1,5}))?\s*$/.exec(part) ?? [];
  if (first === '') throw new Error(`strconv.Atoi: parsing "${part}": invalid syntax`);
  const [from, to] = [Number(first), Number(last)];
  if (from > to) throw new Error(`invalid range "${part}" (${from} > ${to})`);
  if (to >= CPUS_MAX) throw new Error(`processor ${to} is beyond what the kernel can have`);
  return Array.from({ length: to - from + 1 }, (_, index) => from + index);
};

/** Linux is never built for more (NR_CPUS). */
const CPUS_MAX = 8192;
