import type * as core from 'kubernetes-types/core/v1';
import { isHugePageMedium } from '../huge-pages';
import type { DeepReadonly } from '../types';
import { volumeSourcesOf } from '../validation/volumes';
import { always, NOT_STARTED, presentIn, type Rules } from './words';

export const unsupportedInVolume = (
  volume: DeepReadonly<core.Volume>,
  field: string,
): readonly string[] => [
  ...volumeSourcesOf(volume)
    .filter((name) => !SOURCES.includes(name))
    .map((name) => `${field}.${name}: ${NOT_STARTED}`),
  ...presentIn(volume.emptyDir, EMPTY_DIR, `${field}.emptyDir`),
  ...(volume.projected?.sources ?? []).flatMap((source, i) =>
    presentIn(source, PROJECTIONS, `${field}.projected.sources[${i}]`),
  ),
];

const SOURCES = [
  ...['emptyDir', 'hostPath', 'configMap', 'secret', 'projected', 'downwardAPI'],
  ...['persistentVolumeClaim', 'ephemeral', 'image', 'csi', 'nfs'],
];
const EMPTY_DIR: Rules = {
  medium: { why: NOT_STARTED, when: (value) => !isMedium(value) },
};
const isMedium = (value: unknown): boolean =>
  value === '' || value === 'Memory' || (typeof value === 'string' && isHugePageMedium(value));
const PROJECTIONS: Rules = {
  ...always(NOT_STARTED, 'clusterTrustBundle', 'podCertificate'),
};
