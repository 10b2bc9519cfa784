import { compareQuantities } from '../../../api/quantity';
import { PERSISTENT_VOLUME_CLAIMS, qualifiedName, STORAGE_CLASSES } from '../../../api/resources';
import type { PersistentVolumeClaim } from '../../../api/types';
import { classNameOf, storageOf } from '../../../api/volumes';
import { valueAt } from '../kinds/mutable';
import type { AdmissionPlugin } from './admission-plugin';
import type { AdmissionReader } from './admission-reader';
import { isWriteOf, objectOf } from './attributes';
import { refusal } from './refusal';

/** A claim grows only where its class lets it. Source: plugin/pkg/admission/storage/…/resize */
export const claimResize = (reader: AdmissionReader): AdmissionPlugin => ({
  name: 'PersistentVolumeClaimResize',
  handles: (asked) => asked.operation === 'UPDATE' && isWriteOf(asked, PERSISTENT_VOLUME_CLAIMS),
  validate: async (asked, signal) => {
    const claim = objectOf(asked) as unknown as PersistentVolumeClaim;
    const old = asked.old as PersistentVolumeClaim | undefined;
    if (old?.status?.phase !== 'Bound') return;
    const [now, before] = [claim, old].map(({ spec }) => storageOf(spec?.resources?.requests));
    if (now === undefined || before === undefined || compareQuantities(now, before) <= 0) return;
    await reader.ready(STORED, signal);
    const storageClass = reader
      .list(STORED)
      .find(({ metadata }) => metadata.name === classNameOf(claim));
    if (valueAt(storageClass ?? {}, 'allowVolumeExpansion') === true) return;
    throw refusal(
      asked,
      'only dynamically provisioned pvc can be resized and the storageclass that provisions the ' +
        'pvc must support resize',
    );
  },
});

const STORED = qualifiedName(STORAGE_CLASSES);
