import { labelText, metric, type Series } from '../../lib/metrics-text';
import type { VolumeFigures } from '../volumes/volume-figures';
import type { MeasuredVolume } from './volume-meter';

/** Of each claim once, however many pods have it. Source: pkg/kubelet/metrics/collectors/volume_stats.go */
export const volumeMetrics = (volumes: readonly MeasuredVolume[]): readonly string[] => {
  const claims = new Map(
    volumes.map((volume) => [
      labelText({ namespace: volume.namespace, persistentvolumeclaim: volume.claimName }),
      volume,
    ]),
  );
  return GAUGES.flatMap(([name, help, pick]) => {
    const series = [...claims].flatMap(([labels, volume]): readonly Series[] => {
      const value = pick(volume);
      return value === undefined ? [] : [[labels, value]];
    });
    return series.length === 0 ? [] : metric(`kubelet_volume_stats_${name}`, 'gauge', help, series);
  });
};

const GAUGES: readonly (readonly [
  name: string,
  help: string,
  pick: (figures: VolumeFigures) => number | undefined,
])[] = [
  ['capacity_bytes', 'Capacity in bytes of the volume', (of) => of.capacityBytes],
  ['available_bytes', 'Number of available bytes in the volume', (of) => of.availableBytes],
  ['used_bytes', 'Number of used bytes in the volume', (of) => of.usedBytes],
  ['inodes', 'Maximum number of inodes in the volume', (of) => of.inodes],
  ['inodes_free', 'Number of free inodes in the volume', (of) => of.inodesFree],
  ['inodes_used', 'Number of used inodes in the volume', (of) => of.inodesUsed],
  [
    'health_status_abnormal',
    'Abnormal volume health status. The count is either 1 or 0. 1 indicates the volume is unhealthy, 0 indicates volume is healthy',
    ({ condition }) => condition && Number(condition.abnormal),
  ],
];
