import { PERSISTENT_VOLUME_CLAIMS } from '../../../api/resources';
import { nameKey, uidOf, type PersistentVolume } from '../../../api/types';
import {
  annotated,
  BOUND_BY_CONTROLLER,
  claimOf,
  LOCAL_PATH,
  PROVISIONED_BY,
} from '../../../api/volumes';
import { planVolumeProtection } from './plan-protection';
import { NOTHING, volumePhase, volumeWrite, type Step, type VolumeWorld } from './step';

/**
 * What to write next for a volume: whose it is, and what becomes of it when its claim is gone.
 * Source: upstream's pv_controller.go, syncVolume.
 */
export const planVolume = (volume: PersistentVolume, world: VolumeWorld): Step =>
  planVolumeProtection(volume) ?? planOwner(volume, world);

const planOwner = (volume: PersistentVolume, world: VolumeWorld): Step => {
  const { claimRef } = volume.spec ?? {};
  const name = claimOf(volume);
  // Free, or reserved for a claim that is yet to come.
  if (claimRef === undefined || name === undefined || (claimRef.uid ?? '') === '') {
    const step = volumePhase(volume, 'Available');
    return name === undefined ? step : { ...step, alsoClaim: nameKey(name) };
  }
  const key = nameKey(name);
  const claim = world.claim(key);
  // One of the same name that came later is another.
  if (claim === undefined || uidOf(claim) !== claimRef.uid)
    return {
      ...release(volume),
      ifGone: { resource: PERSISTENT_VOLUME_CLAIMS, key: name, uid: claimRef.uid ?? '' },
    };
  const { volumeName = '' } = claim.spec ?? {};
  // The claim's side comes next.
  if (volumeName === '') return { ...NOTHING, alsoClaim: key };
  if (volumeName === volume.metadata.name)
    return { ...volumePhase(volume, 'Bound'), alsoClaim: key };
  // The claim has another by now. What was made for it alone is of no use to others.
  if (volume.metadata.annotations?.[PROVISIONED_BY] !== undefined && policyOf(volume) === 'Delete')
    return release(volume);
  return volumeWrite(unbound(volume));
};

/** The claim is gone: what it left stays as it is, until the policy is carried out. */
const release = (volume: PersistentVolume): Step => {
  const { phase } = volume.status ?? {};
  if (phase !== 'Released' && phase !== 'Failed') return volumePhase(volume, 'Released');
  if (phase === 'Failed' || volume.metadata.deletionTimestamp !== undefined) return NOTHING;
  switch (policyOf(volume)) {
    case 'Delete':
      return isMadeByOthers(volume)
        ? NOTHING
        : fail(
            volume,
            `error getting deleter volume plugin for volume "${volume.metadata.name}": ` +
              'no deletable volume plugin matched',
          );
    case 'Recycle':
      return fail(volume, 'No recycler plugin found for the volume!', 'VolumeFailedRecycle');
    default:
      return NOTHING;
  }
};

const fail = (volume: PersistentVolume, message: string, reason = 'VolumeFailedDelete'): Step =>
  volumePhase(volume, 'Failed', message, { type: 'Warning', reason, message });

/** Whoever made it deletes it. */
const isMadeByOthers = ({ metadata }: PersistentVolume): boolean => {
  const maker = metadata.annotations?.[PROVISIONED_BY] ?? '';
  return maker === LOCAL_PATH || (maker !== '' && !maker.startsWith('kubernetes.io/'));
};

/** Free again; what the user reserved stays reserved, for whichever claim comes. */
const unbound = (volume: PersistentVolume): PersistentVolume => {
  const { claimRef, ...spec } = volume.spec ?? {};
  if (volume.metadata.annotations?.[BOUND_BY_CONTROLLER] !== undefined)
    return annotated({ ...volume, spec }, { [BOUND_BY_CONTROLLER]: undefined });
  const { uid: _uid, resourceVersion: _version, ...reserved } = claimRef ?? {};
  return { ...volume, spec: { ...spec, claimRef: reserved } };
};

const policyOf = ({ spec }: PersistentVolume): string =>
  spec?.persistentVolumeReclaimPolicy ?? 'Retain';
