import type * as core from 'kubernetes-types/core/v1';
import type { StorageClass } from 'kubernetes-types/storage/v1';

export const defaultStorageClass = (storage: StorageClass): void => {
  storage.reclaimPolicy ??= 'Delete';
  storage.volumeBindingMode ??= 'Immediate';
};

/** The declarations say that nobody writes a status. */
interface WithPhase {
  status?: { phase?: string };
}

const defaultPhase = (object: WithPhase): void => {
  (object.status ??= {}).phase ??= 'Pending';
};

export const defaultVolume = (volume: core.PersistentVolume): void => {
  defaultPhase(volume);
  if (volume.spec === undefined) return;
  volume.spec.persistentVolumeReclaimPolicy ??= 'Retain';
  volume.spec.volumeMode ??= 'Filesystem';
  if (volume.spec.hostPath !== undefined) volume.spec.hostPath.type ??= '';
};

export const defaultClaim = (claim: core.PersistentVolumeClaim): void => {
  defaultPhase(claim);
  if (claim.spec !== undefined) claim.spec.volumeMode ??= 'Filesystem';
};
