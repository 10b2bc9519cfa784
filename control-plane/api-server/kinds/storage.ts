import { PERSISTENT_VOLUME_KIND } from '../../../api/kinds/persistent-volume';
import { PERSISTENT_VOLUME_CLAIM_KIND } from '../../../api/kinds/persistent-volume-claim';
import { STORAGE_CLASS_KIND } from '../../../api/kinds/storage-class';
import type { ApiObject } from '../../../api/types';
import { AGE, NAME, printer, saysAt, text, wide } from '../printing/columns';
import { fieldsAt, listAt, textAt } from './mutable';
import { serveKind, WITH_SPEC, type Strategy } from './served-kind';

/** What holds a volume is written by whoever binds it. */
const STRATEGY: Strategy = {
  ...WITH_SPEC,
  hasGeneration: false,
  prepareCreate: (object) => {
    object.status = { phase: 'Pending' };
  },
};

/** Annotations of a class that say that it is taken where none is named. */
export const isDefaultClass = (storage: ApiObject): boolean =>
  DEFAULT_MARKS.some((mark) => storage.metadata.annotations?.[mark] === 'true');

const DEFAULT_MARKS = [
  'storageclass.kubernetes.io/is-default-class',
  'storageclass.beta.kubernetes.io/is-default-class',
];

const ABBREVIATIONS: ReadonlyMap<string, string> = new Map([
  ['ReadWriteOnce', 'RWO'],
  ['ReadOnlyMany', 'ROX'],
  ['ReadWriteMany', 'RWX'],
  ['ReadWriteOncePod', 'RWOP'],
]);

const modesAt = (object: ApiObject, part: 'spec' | 'status'): string => {
  const modes = new Set(listAt(object, part, 'accessModes'));
  return [...ABBREVIATIONS]
    .filter(([mode]) => modes.has(mode))
    .map(([, short]) => short)
    .join(',');
};

const unsetAt = (object: ApiObject, ...path: readonly string[]): string =>
  textAt(object, ...path) || '<unset>';

const STORAGE_CLASS_PRINTER = printer(
  {
    ...NAME,
    cell: (object) => object.metadata.name + (isDefaultClass(object) ? ' (default)' : ''),
  },
  text('Provisioner', (object) => textAt(object, 'provisioner')),
  text('ReclaimPolicy', (object) => textAt(object, 'reclaimPolicy')),
  text('VolumeBindingMode', (object) => textAt(object, 'volumeBindingMode')),
  text('AllowVolumeExpansion', (object) => saysAt(object, 'allowVolumeExpansion')),
  AGE,
);

const claimOf = (volume: ApiObject): string => {
  const { namespace, name } = fieldsAt(volume, 'spec', 'claimRef');
  return typeof name === 'string' ? `${textAt({ namespace }, 'namespace')}/${name}` : '';
};

const VOLUME_PRINTER = printer(
  NAME,
  text('Capacity', (volume) => textAt(volume, 'spec', 'capacity', 'storage')),
  text('Access Modes', (volume) => modesAt(volume, 'spec')),
  text('Reclaim Policy', (volume) => textAt(volume, 'spec', 'persistentVolumeReclaimPolicy')),
  text('Status', (volume) =>
    volume.metadata.deletionTimestamp === undefined
      ? textAt(volume, 'status', 'phase')
      : 'Terminating',
  ),
  text('Claim', claimOf),
  text('StorageClass', (volume) => textAt(volume, 'spec', 'storageClassName')),
  text('VolumeAttributesClass', (volume) => unsetAt(volume, 'spec', 'volumeAttributesClassName')),
  text('Reason', (volume) => textAt(volume, 'status', 'reason')),
  AGE,
  wide('VolumeMode', (volume) => unsetAt(volume, 'spec', 'volumeMode')),
);

const isBound = (claim: ApiObject): boolean => textAt(claim, 'spec', 'volumeName') !== '';

const CLAIM_PRINTER = printer(
  NAME,
  text('Status', (claim) =>
    claim.metadata.deletionTimestamp === undefined
      ? textAt(claim, 'status', 'phase')
      : 'Terminating',
  ),
  text('Volume', (claim) => textAt(claim, 'spec', 'volumeName')),
  text('Capacity', (claim) =>
    isBound(claim) ? textAt(claim, 'status', 'capacity', 'storage') : '',
  ),
  text('Access Modes', (claim) => (isBound(claim) ? modesAt(claim, 'status') : '')),
  text('StorageClass', (claim) => textAt(claim, 'spec', 'storageClassName')),
  text('VolumeAttributesClass', (claim) => unsetAt(claim, 'spec', 'volumeAttributesClassName')),
  AGE,
  wide('VolumeMode', (claim) => unsetAt(claim, 'spec', 'volumeMode')),
);

export const STORAGE_CLASS = serveKind(STORAGE_CLASS_KIND, { printer: STORAGE_CLASS_PRINTER });
export const PERSISTENT_VOLUME = serveKind(PERSISTENT_VOLUME_KIND, {
  strategy: STRATEGY,
  printer: VOLUME_PRINTER,
});
export const PERSISTENT_VOLUME_CLAIM = serveKind(PERSISTENT_VOLUME_CLAIM_KIND, {
  strategy: STRATEGY,
  printer: CLAIM_PRINTER,
});
