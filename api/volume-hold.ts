import type { PersistentVolume } from './types';

/**
 * On a PersistentVolume as an agent is told of it, never in the store: why no further pod may begin to use it for now.
 * Pods that have it go on.
 */
export const VOLUME_HELD_ANNOTATION = 'dhow.dev/held';

export const heldReasonOf = ({ metadata }: PersistentVolume): string | undefined =>
  metadata.annotations?.[VOLUME_HELD_ANNOTATION];

export const withHold = (volume: PersistentVolume, reason: string): PersistentVolume => {
  const annotations = { ...volume.metadata.annotations, [VOLUME_HELD_ANNOTATION]: reason };
  return { ...volume, metadata: { ...volume.metadata, annotations } };
};

/** Can several nodes reach it, of which one alone is to write to it? */
export const hasOneWriter = ({ spec }: PersistentVolume): boolean =>
  (spec?.csi !== undefined || spec?.nfs !== undefined) &&
  (spec.accessModes ?? []).some((mode) => mode.startsWith('ReadWriteOnce')) &&
  spec.accessModes?.includes('ReadWriteMany') !== true;
