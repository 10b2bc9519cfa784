import { apiVersionOf, PERSISTENT_VOLUME_CLAIMS } from '../resources';
import type { PersistentVolume, PersistentVolumeClaim } from '../types';
import { BOUND_BY_CONTROLLER } from './names';

/** The volume as the claim's. What the user has reserved by hand stays the user's. */
export const keptFor = (
  volume: PersistentVolume,
  claim: PersistentVolumeClaim,
): PersistentVolume => {
  const { namespace = '', name, uid = '', resourceVersion = '' } = claim.metadata;
  const isByUser = volume.spec?.claimRef !== undefined;
  const claimRef = {
    apiVersion: apiVersionOf(PERSISTENT_VOLUME_CLAIMS),
    kind: PERSISTENT_VOLUME_CLAIMS.kind,
    ...{ namespace, name, uid, resourceVersion },
  };
  const kept = { ...volume, spec: { ...volume.spec, claimRef } };
  return isByUser ? kept : annotated(kept, { [BOUND_BY_CONTROLLER]: 'yes' });
};

/** With these annotations, and without those that are undefined. */
export const annotated = <T extends PersistentVolume | PersistentVolumeClaim>(
  object: T,
  changes: Readonly<Record<string, string | undefined>>,
): T => {
  const all = Object.entries({ ...object.metadata.annotations, ...changes });
  const annotations = Object.fromEntries(all.filter(([, value]) => value !== undefined));
  return { ...object, metadata: { ...object.metadata, annotations } };
};
