import { labelText, metric, type Series } from '../../lib/metrics-text';
import type { CgroupResources, ContainerStats } from '../../runtime/container-runtime';
import type { MeasuredDisks } from './disk-meter';
import type { MeasuredContainer } from './summary';
import type { Measurement } from './usage-meter';

/**
 * What the kubelet tells under `metrics/cadvisor` of processors, memory and disk: of each container that runs,
 * and of the machine under the id `/`. Source: cAdvisor's `metrics/prometheus.go`.
 */
export const cadvisorMetrics = (
  { node, containers, atMs }: Measurement,
  disks: MeasuredDisks,
  cpuMillis: number,
  resourcesOf: (container: MeasuredContainer) => CgroupResources | undefined,
): readonly string[] => {
  const own = containers.map((container) => ({
    ...container,
    labels: labelsOf(container),
    resources: resourcesOf(container),
  }));
  const all = [{ labels: labelsOf(ROOT), stats: node.stats }, ...own];
  return [
    ...STATS.flatMap(([name, type, help, pick]) =>
      metric(
        name,
        type,
        help,
        all.map(({ labels, stats }): Series => [labels, pick(stats), atMs]),
      ),
    ),
    ...SPECS.flatMap(([name, help, pick]) =>
      metric(
        name,
        'gauge',
        help,
        own.flatMap(({ labels, resources }): readonly Series[] => {
          const value = resources === undefined ? undefined : pick(resources);
          return value === undefined ? [] : [[labels, value]];
        }),
      ),
    ),
    ...diskMetrics(own, disks),
    ...metric(
      'container_start_time_seconds',
      'gauge',
      'Start time of the container since unix epoch in seconds.',
      own.map(({ labels, startedAtMs }) => [labels, startedAtMs / 1000]),
    ),
    ...metric('machine_cpu_cores', 'gauge', 'Number of logical CPU cores.', [
      ['', cpuMillis / 1000],
    ]),
    ...metric('machine_memory_bytes', 'gauge', 'Amount of memory installed on the machine.', [
      ['', node.memoryBytes],
    ]),
  ];
};

/** Of what a container has written itself, its logs included, and under the id `/` of all. */
const diskMetrics = (
  own: readonly { readonly id: string; readonly labels: string }[],
  { byId, fileSystem }: MeasuredDisks,
): readonly string[] => {
  const root = labelsOf(ROOT);
  const containers = own.flatMap(({ id, labels }) => {
    const disk = byId.get(id);
    return disk === undefined ? [] : [{ labels, ...disk }];
  });
  const all = (value: number | undefined): readonly Series[] =>
    value === undefined ? [] : [[root, value]];
  return [
    ...metric(
      'container_fs_usage_bytes',
      'gauge',
      'Number of bytes that are consumed by the container on this filesystem.',
      [
        ...all(fileSystem?.usedBytes),
        ...containers.map(({ labels, rootfs, logs, atMs }): Series => [
          labels,
          rootfs.usedBytes + logs.usedBytes,
          atMs,
        ]),
      ],
    ),
    ...metric(
      'container_fs_limit_bytes',
      'gauge',
      'Number of bytes that can be consumed by the container on this filesystem.',
      [
        ...all(fileSystem?.capacityBytes),
        ...containers.flatMap(({ labels }): readonly Series[] =>
          fileSystem?.capacityBytes === undefined ? [] : [[labels, fileSystem.capacityBytes]],
        ),
      ],
    ),
    ...metric('container_fs_inodes_free', 'gauge', 'Number of available Inodes', [
      ...all(fileSystem?.inodesFree),
    ]),
    ...metric('container_fs_inodes_total', 'gauge', 'Number of Inodes', [
      ...all(fileSystem?.inodes),
    ]),
  ];
};

/** By its group's place below that of all pods, as far as it is the same on every node. */
const labelsOf = (of: Labelled): string =>
  labelText({
    container: of.name,
    id: `/${[of.sandboxId, of.id].filter((part) => part !== '').join('/')}`,
    ...{ image: of.image, name: of.id, namespace: of.namespace },
    pod: of.podName,
  });

type Labelled = Omit<MeasuredContainer, 'podUid' | 'startedAtMs' | 'stats'>;

const ROOT: Labelled = { id: '', sandboxId: '', image: '', name: '', namespace: '', podName: '' };

const STATS: readonly (readonly [
  name: string,
  type: 'counter' | 'gauge',
  help: string,
  pick: (stats: ContainerStats) => number,
])[] = [
  [
    'container_cpu_usage_seconds_total',
    'counter',
    'Cumulative cpu time consumed in seconds.',
    ({ cpuNanos }) => cpuNanos / 1e9,
  ],
  [
    'container_memory_rss',
    'gauge',
    'Size of RSS in bytes.',
    ({ memoryRssBytes }) => memoryRssBytes,
  ],
  [
    'container_memory_usage_bytes',
    'gauge',
    'Current memory usage in bytes, including all memory regardless of when it was accessed',
    ({ memoryBytes }) => memoryBytes,
  ],
  [
    'container_memory_working_set_bytes',
    'gauge',
    'Current working set in bytes.',
    ({ memoryWorkingSetBytes }) => memoryWorkingSetBytes,
  ],
  [
    'container_threads',
    'gauge',
    'Number of threads running inside the container',
    ({ pidsCount }) => pidsCount,
  ],
];

const SPECS: readonly (readonly [
  name: string,
  help: string,
  pick: (resources: CgroupResources) => number | undefined,
])[] = [
  [
    'container_spec_cpu_period',
    'CPU period of the container.',
    ({ cpuPeriodMicros }) => cpuPeriodMicros,
  ],
  [
    'container_spec_cpu_quota',
    'CPU quota of the container.',
    ({ cpuQuotaMicros }) => cpuQuotaMicros,
  ],
  ['container_spec_cpu_shares', 'CPU share of the container.', ({ cpuShares }) => cpuShares],
  [
    'container_spec_memory_limit_bytes',
    'Memory limit for the container.',
    // Without one it is 0, as cAdvisor has it.
    ({ memoryLimitBytes }) => memoryLimitBytes ?? 0,
  ],
];
