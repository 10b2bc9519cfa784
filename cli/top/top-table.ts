import { bytesOf, cpuMillisOf, parseQuantity, quantityMillis } from '../../api/quantity';
import type { NodeMetrics, PodMetrics, ResourceUsage } from '../../api/resource-metrics';
import type { Node } from '../../api/types';

export type SortBy = 'cpu' | 'memory' | undefined;

export interface TopTableOptions {
  readonly sortBy?: SortBy;
  readonly hasHeader: boolean;
}

export interface PodTableOptions extends TopTableOptions {
  readonly showsContainers: boolean;
  readonly showsNamespace: boolean;
  readonly hasSum: boolean;
}

/** As `kubectl top pods` prints them, to the blank. */
export const podTable = (pods: readonly PodMetrics[], options: PodTableOptions): string => {
  if (pods.length === 0) return '';
  const { showsContainers, showsNamespace, hasHeader, hasSum, sortBy } = options;
  const header = [
    ...(showsNamespace ? ['NAMESPACE'] : []),
    ...(showsContainers ? ['POD'] : []),
    ...['NAME', 'CPU(cores)', 'MEMORY(bytes)'],
  ];
  const place = ({ metadata: { namespace = '' } }: PodMetrics) =>
    showsNamespace ? [namespace] : [];
  const rows = sorted(pods, totalOf, (pod) => [...place(pod), pod.metadata.name], sortBy).flatMap(
    (pod) =>
      showsContainers
        ? sorted(pod.containers, amountsOf, ({ name }) => [name], sortBy).map((container) => [
            ...place(pod),
            pod.metadata.name,
            container.name,
            ...cells(amountsOf(container)),
          ])
        : [[...place(pod), pod.metadata.name, ...cells(totalOf(pod))]],
  );
  // kubectl widens the sum by the columns of its header, where it prints one.
  const before = Array<string>(hasHeader ? header.length - 2 : 1).fill('');
  const sum = added(pods.map(totalOf));
  return tabbed([
    ...(hasHeader ? [header] : []),
    ...rows,
    ...(hasSum
      ? [
          [...before, RULE, RULE],
          [...before, ...cells(sum)],
        ]
      : []),
  ]);
};

/** As `kubectl top nodes` prints them; nodes without metrics come last. */
export const nodeTable = (
  metrics: readonly NodeMetrics[],
  nodes: readonly Node[],
  { sortBy, hasHeader, ofCapacity }: TopTableOptions & { readonly ofCapacity: boolean },
): string => {
  const rest = new Map(nodes.map((node) => [node.metadata.name, node]));
  const rows = sorted(metrics, amountsOf, ({ metadata }) => [metadata.name], sortBy).map((each) => {
    const { name } = each.metadata;
    const { capacity, allocatable } = rest.get(name)?.status ?? {};
    rest.delete(name);
    const shares = sharesOf(each.usage, (ofCapacity ? capacity : allocatable) ?? {});
    return [name, ...cells(amountsOf(each)).flatMap((cell, i) => [cell, ...(shares[i] ?? [])])];
  });
  const header = ['NAME', 'CPU(cores)', 'CPU(%)', 'MEMORY(bytes)', 'MEMORY(%)'];
  return tabbed([
    ...(hasHeader ? [header] : []),
    ...rows,
    ...[...rest.keys()].sort().map((name) => [name, UNKNOWN, UNKNOWN, UNKNOWN, UNKNOWN]),
  ]);
};

interface UsedAmounts {
  readonly cpuMillis: number;
  readonly memoryBytes: number;
}

const amountsOf = ({ usage }: { readonly usage: ResourceUsage }): UsedAmounts => ({
  cpuMillis: cpuMillisOf(usage['cpu']),
  memoryBytes: bytesOf(usage['memory']),
});

const added = (all: readonly UsedAmounts[]): UsedAmounts => ({
  cpuMillis: all.reduce((sum, { cpuMillis }) => sum + cpuMillis, 0),
  memoryBytes: all.reduce((sum, { memoryBytes }) => sum + memoryBytes, 0),
});

/** Rounded up once, and not for each container. */
const totalOf = ({ containers }: PodMetrics): UsedAmounts => {
  const nanos = containers.reduce(
    (sum, { usage }) => sum + parseQuantity(usage['cpu'] ?? '0').nanos,
    0n,
  );
  return {
    cpuMillis: Number(quantityMillis({ nanos, format: 'DecimalSI' })),
    memoryBytes: added(containers.map(amountsOf)).memoryBytes,
  };
};

const cells = ({ cpuMillis, memoryBytes }: UsedAmounts): readonly string[] => [
  `${cpuMillis}m`,
  `${Math.floor(memoryBytes / 2 ** 20)}Mi`,
];

/** A percentage for each resource of which the whole is known. */
const sharesOf = (
  usage: ResourceUsage,
  whole: Readonly<Record<string, string>>,
): readonly (readonly string[])[] =>
  ['cpu', 'memory'].map((name) => {
    const all = whole[name];
    if (all === undefined) return [];
    const [used, available] = [usage[name] ?? '0', all].map((text) =>
      Number(quantityMillis(parseQuantity(text))),
    );
    return [`${available === 0 ? 0 : Math.trunc(((used ?? 0) / (available ?? 1)) * 100)}%`];
  });

/** The largest first where an order is asked for, else by name. */
const sorted = <T>(
  items: readonly T[],
  amounts: (item: T) => UsedAmounts,
  name: (item: T) => readonly string[],
  by: SortBy,
): readonly T[] => {
  const size = (item: T): number => {
    if (by === undefined) return 0;
    const { cpuMillis, memoryBytes } = amounts(item);
    return by === 'cpu' ? cpuMillis : memoryBytes;
  };
  const key = (item: T) => name(item).join('/');
  return [...items].sort((a, b) => size(b) - size(a) || (key(a) < key(b) ? -1 : 1));
};

/** Columns as kubectl aligns them: each cell has blanks behind it, the last too. */
const tabbed = (rows: readonly (readonly string[])[]): string => {
  const widths: number[] = [];
  for (const row of rows)
    row.forEach((cell, i) => (widths[i] = Math.max(widths[i] ?? CELL_MIN, cell.length + GAP)));
  return rows
    .map((row) => `${row.map((cell, i) => cell.padEnd(widths[i] ?? 0)).join('')}\n`)
    .join('');
};

const RULE = '________';
const UNKNOWN = '<unknown>';
const CELL_MIN = 6;
const GAP = 3;
