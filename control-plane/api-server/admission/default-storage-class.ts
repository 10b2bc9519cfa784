import { PERSISTENT_VOLUME_CLAIMS, qualifiedName, STORAGE_CLASSES } from '../../../api/resources';
import type { ApiObject } from '../../../api/types';
import { valueAt } from '../kinds/mutable';
import { isDefaultClass } from '../kinds/storage';
import type { AdmissionPlugin } from './admission-plugin';
import type { AdmissionReader } from './admission-reader';
import { isWriteOf, objectOf } from './attributes';

/** Gives a claim that names no class the default one; of several the newest. `''` names none. */
export const defaultStorageClass = (reader: AdmissionReader): AdmissionPlugin => ({
  name: 'DefaultStorageClass',
  handles: (asked) => asked.operation === 'CREATE' && isWriteOf(asked, PERSISTENT_VOLUME_CLAIMS),
  admit: async (asked, signal) => {
    const claim = objectOf(asked);
    if (valueAt(claim, 'spec', 'storageClassName') !== undefined) return false;
    if (claim.metadata.annotations?.[OLD_CLASS] !== undefined) return false;
    await reader.ready(STORED, signal);
    const [newest] = reader.list(STORED).filter(isDefaultClass).sort(newestFirst);
    if (newest === undefined) return false;
    claim.spec = { ...claim.spec, storageClassName: newest.metadata.name };
    return true;
  },
});

const newestFirst = (a: ApiObject, b: ApiObject): number => {
  const [aTime, bTime] = [a, b].map(({ metadata }) => metadata.creationTimestamp ?? '');
  if (aTime !== bTime) return (aTime ?? '') > (bTime ?? '') ? -1 : 1;
  return a.metadata.name < b.metadata.name ? -1 : 1;
};

const OLD_CLASS = 'volume.beta.kubernetes.io/storage-class';
const STORED = qualifiedName(STORAGE_CLASSES);
