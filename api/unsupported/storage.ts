import type { CSIDriver, PersistentVolume, PersistentVolumeClaim, StorageClass } from '../types';
import { always, IGNORED, is, presentIn, type Rules } from './words';

const NO_PODS = 'not supported by Dhow yet; pods that use it will not start';

export const unsupportedInPersistentVolume = ({
  spec,
}: Partial<PersistentVolume>): readonly string[] =>
  presentIn(
    spec,
    {
      ...VOLUME,
      ...(spec?.csi === undefined && spec?.nfs === undefined ? MOUNT_OPTIONS : {}),
      ...(spec?.csi === undefined && spec?.local === undefined ? BLOCK : {}),
    },
    'spec',
  );

export const unsupportedInClaim = ({ spec }: Partial<PersistentVolumeClaim>): readonly string[] =>
  presentIn(spec, CLAIM, 'spec');

export const unsupportedInStorageClass = (storage: StorageClass): readonly string[] =>
  presentIn(storage, CLASS, '').map((text) => text.slice(1));

export const unsupportedInCsiDriver = ({ spec }: Partial<CSIDriver>): readonly string[] =>
  presentIn(spec, DRIVER, 'spec');

const isFilled = (value: unknown): boolean => Array.isArray(value) && value.length > 0;
const BLOCK: Rules = {
  volumeMode: {
    why: 'only local volumes and those of CSI drivers can be devices; pods that use it will not start',
    when: is('Block'),
  },
};
const MOUNT_OPTIONS: Rules = { mountOptions: { why: NO_PODS, when: isFilled } };

const VOLUME: Rules = {
  ...always(IGNORED, 'volumeAttributesClassName'),
  ...always(
    NO_PODS,
    ...['awsElasticBlockStore', 'azureDisk', 'azureFile', 'cephfs', 'cinder', 'fc'],
    ...['flexVolume', 'flocker', 'gcePersistentDisk', 'glusterfs', 'iscsi'],
    ...['photonPersistentDisk', 'portworxVolume', 'quobyte', 'rbd', 'scaleIO', 'storageos'],
    'vsphereVolume',
  ),
};

const CLAIM: Rules = {
  ...always(IGNORED, 'volumeAttributesClassName'),
  ...always(
    'not supported by Dhow yet; no volume is made for it',
    ...['dataSource', 'dataSourceRef'],
  ),
};

const DRIVER: Rules = {
  ...always(IGNORED, 'nodeAllocatableUpdatePeriodSeconds', 'preventPodSchedulingIfMissing'),
  seLinuxMount: { why: IGNORED, when: is(true) },
};

const CLASS: Rules = MOUNT_OPTIONS;
