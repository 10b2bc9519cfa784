import { jsonEqual } from '../json-value';
import { compareQuantities, parseQuantity } from '../quantity';
import type { PersistentVolume, PersistentVolumeClaim, StorageClass } from '../types';
import {
  validateAccessModes,
  validateClaimSpec,
  validateClassName,
  validatePositive,
  VOLUME_MODES,
} from './claim-spec';
import {
  forbidden,
  immutable,
  invalid,
  invalidFor,
  notSupported,
  oneOf,
  required,
  tooLong,
  type FieldError,
} from './field-error';
import {
  subdomainName,
  validateMetadata,
  validateMetadataUpdate,
  type MetadataRules,
} from './metadata';
import { qualifiedNameProblems } from '../names';
import { validateVolumeSource } from './volume-source';

const CLUSTER: MetadataRules = { isNamespaced: false, name: subdomainName };
const NAMESPACED: MetadataRules = { isNamespaced: true, name: subdomainName };

const PARAMETERS_MAX = 512;
const PARAMETER_BYTES_MAX = 256 * 1024;

export const validateStorageClass = (storage: StorageClass): readonly FieldError[] => [
  ...validateMetadata(storage, CLUSTER),
  ...validateProvisioner(storage),
  ...validateParameters(storage.parameters ?? {}),
  ...oneOf('reclaimPolicy', storage.reclaimPolicy, ['Delete', 'Retain']),
  ...(storage.volumeBindingMode === undefined ? [required('volumeBindingMode')] : []),
  ...oneOf('volumeBindingMode', storage.volumeBindingMode, ['Immediate', 'WaitForFirstConsumer']),
];

export const validateStorageClassUpdate = (
  storage: StorageClass,
  old: StorageClass,
): readonly FieldError[] => [
  ...validateMetadataUpdate(storage, old, CLUSTER),
  ...(['parameters', 'provisioner', 'reclaimPolicy'] as const)
    .filter((field) => !jsonEqual(storage[field], old[field]))
    .map((field) => forbidden(field, `updates to ${field} are forbidden.`)),
  ...(storage.volumeBindingMode === old.volumeBindingMode
    ? []
    : [immutable('volumeBindingMode', storage.volumeBindingMode)]),
];

/** A body may lack it. */
const validateProvisioner = ({
  provisioner: name = '',
}: Partial<StorageClass>): readonly FieldError[] =>
  name === ''
    ? [required('provisioner')]
    : invalidFor('provisioner', name, qualifiedNameProblems(name.toLowerCase()));

const validateParameters = (
  parameters: Readonly<Record<string, string>>,
): readonly FieldError[] => {
  const entries = Object.entries(parameters);
  const bytes = entries.reduce(
    (sum, [key, value]) => sum + Buffer.byteLength(key) + Buffer.byteLength(value),
    0,
  );
  return [
    ...(entries.length > PARAMETERS_MAX ? [tooLong('parameters', PARAMETERS_MAX)] : []),
    ...(Object.hasOwn(parameters, '')
      ? [invalid('parameters', '', 'field can not be empty.')]
      : []),
    ...(bytes > PARAMETER_BYTES_MAX ? [tooLong('parameters', PARAMETER_BYTES_MAX)] : []),
  ];
};

export const validateVolume = (volume: PersistentVolume): readonly FieldError[] => [
  ...validateMetadata(volume, CLUSTER),
  ...validateVolumeSpec(volume.spec ?? {}),
  // Later it stays as it is, also what was taken before this was asked.
  ...validateVolumeSource(volume.spec ?? {}),
];

export const validateVolumeUpdate = (
  volume: PersistentVolume,
  old: PersistentVolume,
): readonly FieldError[] => [
  ...validateMetadataUpdate(volume, old, CLUSTER),
  ...validateVolumeSpec(volume.spec ?? {}),
  ...(jsonEqual(sourcesOf(volume.spec ?? {}), sourcesOf(old.spec ?? {}))
    ? []
    : [
        forbidden(
          'spec.persistentvolumesource',
          'spec.persistentvolumesource is immutable after creation',
        ),
      ]),
  // Upstream's paths of these two are without `spec`.
  ...(volume.spec?.volumeMode === old.spec?.volumeMode
    ? []
    : [immutable('volumeMode', volume.spec?.volumeMode)]),
  ...(old.spec?.nodeAffinity === undefined ||
  jsonEqual(volume.spec?.nodeAffinity, old.spec.nodeAffinity)
    ? []
    : [immutable('nodeAffinity', volume.spec?.nodeAffinity)]),
];

export const validateVolumeStatusUpdate = (
  volume: PersistentVolume,
  old: PersistentVolume,
): readonly FieldError[] => validateMetadataUpdate(volume, old, CLUSTER);

type VolumeSpec = NonNullable<PersistentVolume['spec']>;

/** All that is no source is named here: sources are many, and there must be one. */
const NO_SOURCES: ReadonlySet<string> = new Set([
  ...['accessModes', 'capacity', 'claimRef', 'mountOptions', 'nodeAffinity'],
  ...['persistentVolumeReclaimPolicy', 'storageClassName', 'volumeAttributesClassName'],
  'volumeMode',
]);

const sourcesOf = (spec: VolumeSpec): Readonly<Record<string, unknown>> =>
  Object.fromEntries(Object.entries(spec).filter(([name]) => !NO_SOURCES.has(name)));

const validateVolumeSpec = (spec: VolumeSpec): readonly FieldError[] => {
  const { capacity = {}, storageClassName = '', volumeMode } = spec;
  const [first, ...others] = Object.keys(sourcesOf(spec));
  const names = Object.keys(capacity);
  return [
    ...validateAccessModes(spec.accessModes ?? [], 'spec.accessModes'),
    ...(names.length === 0 ? [required('spec.capacity')] : []),
    ...(names.length > 1 || !names.includes('storage')
      ? [notSupported('spec.capacity', capacity, ['storage'])]
      : []),
    ...Object.entries(capacity).flatMap(([name, text]) =>
      validatePositive(text, `spec.capacity[${name}]`),
    ),
    ...oneOf('spec.persistentVolumeReclaimPolicy', spec.persistentVolumeReclaimPolicy, [
      ...['Delete', 'Recycle', 'Retain'],
    ]),
    ...(first === undefined ? [required('spec', 'must specify a volume type')] : []),
    ...others.map((name) => forbidden(`spec.${name}`, 'may not specify more than 1 volume type')),
    ...validateClassName(storageClassName, 'spec.storageClassName'),
    ...oneOf('spec.volumeMode', volumeMode, VOLUME_MODES),
  ];
};

export const validateClaim = (claim: PersistentVolumeClaim): readonly FieldError[] => [
  ...validateMetadata(claim, NAMESPACED),
  ...validateClaimSpec(claim.spec, 'spec'),
];

export const validateClaimUpdate = (
  claim: PersistentVolumeClaim,
  old: PersistentVolumeClaim,
): readonly FieldError[] => [
  ...validateMetadataUpdate(claim, old, NAMESPACED),
  ...validateClaimSpec(claim.spec, 'spec'),
  ...validateClaimChange(claim, old),
];

export const validateClaimStatusUpdate = (
  claim: PersistentVolumeClaim,
  old: PersistentVolumeClaim,
): readonly FieldError[] => validateMetadataUpdate(claim, old, NAMESPACED);

type ClaimSpec = NonNullable<PersistentVolumeClaim['spec']>;

/** Once it is there it may grow, if it is bound, and get the volume that it waited for. */
const validateClaimChange = (
  claim: PersistentVolumeClaim,
  old: PersistentVolumeClaim,
): readonly FieldError[] => {
  const isBound = old.status?.phase === 'Bound';
  const [now, before] = [claim.spec ?? {}, old.spec ?? {}];
  const kept: ClaimSpec = {
    ...now,
    ...((before.volumeName ?? '') === '' ? { volumeName: before.volumeName ?? '' } : {}),
    ...(isBound && before.resources !== undefined ? { resources: before.resources } : {}),
  };
  const [asked, had] = [now, before].map(
    ({ resources }) => resources?.requests?.['storage'] ?? '0',
  );
  return [
    ...(jsonEqual(kept, { ...before, volumeName: before.volumeName ?? '' })
      ? []
      : [
          forbidden(
            'spec',
            'spec is immutable after creation except resources.requests and ' +
              'volumeAttributesClassName for bound claims',
          ),
        ]),
    // Less than was asked for, but more than there is: the way out of a growth that cannot succeed.
    ...(isBound && isLess(asked, had) && !isLess(old.status.capacity?.['storage'], asked)
      ? [forbidden('spec.resources.requests.storage', 'field can not be less than status.capacity')]
      : []),
  ];
};

const isLess = (a = '0', b = '0'): boolean =>
  compareQuantities(parseQuantity(a), parseQuantity(b)) < 0;
