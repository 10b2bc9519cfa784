import { PERSISTENT_VOLUME_CLAIMS, qualifiedName, STORAGE_CLASSES } from '../../../api/resources';
import { valueAt } from '../kinds/mutable';
import { isDefaultClass } from '../kinds/storage';
import type { AdmissionPlugin } from './admission-plugin';
import type { AdmissionReader } from './admission-reader';
import { isWriteOf, objectOf } from './attributes';
import { newestDefault } from './newest-default';

/** Gives a claim that names no class the default one; of several the newest. `''` names none. */
export const defaultStorageClass = (reader: AdmissionReader): AdmissionPlugin => ({
  name: 'DefaultStorageClass',
  handles: (asked) => asked.operation === 'CREATE' && isWriteOf(asked, PERSISTENT_VOLUME_CLAIMS),
  admit: async (asked, signal) => {
    const claim = objectOf(asked);
    if (valueAt(claim, 'spec', 'storageClassName') !== undefined) return false;
    if (claim.metadata.annotations?.[OLD_CLASS] !== undefined) return false;
    const newest = await newestDefault(reader, STORED, isDefaultClass, signal);
    if (newest === undefined) return false;
    claim.spec = { ...claim.spec, storageClassName: newest.metadata.name };
    return true;
  },
});

const OLD_CLASS = 'volume.beta.kubernetes.io/storage-class';
const STORED = qualifiedName(STORAGE_CLASSES);
