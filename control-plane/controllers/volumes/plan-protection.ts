import { keyOf, type PersistentVolume, type PersistentVolumeClaim } from '../../../api/types';
import { CLAIM_PROTECTION, VOLUME_PROTECTION } from '../../../api/volumes';
import { claimWrite, volumeWrite, type Step, type VolumeWorld } from './step';

/**
 * A claim stays while a pod uses it, a volume while it is bound. Undefined when nothing is to be
 * written for that. Source: upstream's pvc_protection_controller.go and pv_protection_controller.go.
 */
export const planClaimProtection = (
  claim: PersistentVolumeClaim,
  world: VolumeWorld,
): Step | undefined => {
  const next = protectedBy(claim, CLAIM_PROTECTION, () => world.isUsed(keyOf(claim)));
  return next && claimWrite(next);
};

export const planVolumeProtection = (volume: PersistentVolume): Step | undefined => {
  const next = protectedBy(volume, VOLUME_PROTECTION, () => volume.status?.phase === 'Bound');
  return next && volumeWrite(next);
};

/** The object with the finalizer that it should have, or without; undefined when it is right. */
const protectedBy = <T extends PersistentVolume | PersistentVolumeClaim>(
  object: T,
  finalizer: string,
  isInUse: () => boolean,
): T | undefined => {
  const { finalizers = [], deletionTimestamp } = object.metadata;
  const has = finalizers.includes(finalizer);
  if (deletionTimestamp === undefined)
    return has ? undefined : withFinalizers(object, [...finalizers, finalizer]);
  if (!has || isInUse()) return undefined;
  return withFinalizers(
    object,
    finalizers.filter((each) => each !== finalizer),
  );
};

const withFinalizers = <T extends PersistentVolume | PersistentVolumeClaim>(
  object: T,
  finalizers: string[],
): T => ({ ...object, metadata: { ...object.metadata, finalizers } });
