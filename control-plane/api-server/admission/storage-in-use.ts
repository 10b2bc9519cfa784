import { PERSISTENT_VOLUME_CLAIMS, PERSISTENT_VOLUMES } from '../../../api/resources';
import { CLAIM_PROTECTION, VOLUME_PROTECTION } from '../../../api/volumes';
import type { AdmissionPlugin } from './admission-plugin';
import { isWriteOf, objectOf } from './attributes';

/** Nothing is deleted while it is in use: who looks after that says when it may go. */
export const storageObjectInUseProtection: AdmissionPlugin = {
  name: 'StorageObjectInUseProtection',
  handles: (asked) =>
    asked.operation === 'CREATE' && PROTECTED.some(([resource]) => isWriteOf(asked, resource)),
  admit: (asked) => {
    const { metadata } = objectOf(asked);
    const [, finalizer] = PROTECTED.find(([resource]) => isWriteOf(asked, resource)) ?? [];
    const { finalizers = [] } = metadata;
    if (finalizer === undefined || finalizers.includes(finalizer)) return false;
    metadata.finalizers = [...finalizers, finalizer];
    return true;
  },
};

const PROTECTED = [
  [PERSISTENT_VOLUME_CLAIMS, CLAIM_PROTECTION],
  [PERSISTENT_VOLUMES, VOLUME_PROTECTION],
] as const;
