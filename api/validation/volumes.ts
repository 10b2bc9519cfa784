import type * as core from 'kubernetes-types/core/v1';
import { parseQuantity } from '../quantity';
import type { DeepReadonly } from '../types';
import {
  duplicate,
  forbidden,
  inRange,
  invalid,
  invalidFor,
  notSupported,
  oneOf,
  required,
  tooLong,
  type FieldError,
} from './field-error';
import { validateResourceFieldRef, validateVolumeFieldRef } from './field-refs';
import { validateTokenSeconds } from './token-seconds';
import { dns1123LabelProblems, dns1123SubdomainProblems } from '../names';
import { validateClaimSpec } from './claim-spec';

type Volume = DeepReadonly<core.Volume>;
type KeyToPath = DeepReadonly<core.KeyToPath>;
type DownwardFile = DeepReadonly<core.DownwardAPIVolumeFile>;
type Projection = DeepReadonly<core.VolumeProjection>;

const HOST_PATH_TYPES = [
  '',
  'BlockDevice',
  'CharDevice',
  'Directory',
  'DirectoryOrCreate',
  'File',
  'FileOrCreate',
  'Socket',
];
export const PULL_POLICIES = ['Always', 'IfNotPresent', 'Never'];
const MODE_RANGE = 'must be a number between 0 and 0777 (octal), both inclusive';

/** The fields of a volume that say where its content comes from. */
export const volumeSourcesOf = (volume: Volume): readonly string[] =>
  Object.keys(volume).filter((key) => key !== 'name');

export const mayBeBlock = ({ persistentVolumeClaim, ephemeral }: Volume): boolean =>
  persistentVolumeClaim !== undefined || ephemeral !== undefined;

/** `isPod`: they are of a pod itself; a template may leave to others which image a volume shows. */
export const validateVolumes = (
  volumes: readonly Volume[],
  field: string,
  isPod: boolean,
): readonly FieldError[] => {
  const seen = new Set<string>();
  return volumes.flatMap((volume, i) => {
    const at = `${field}[${i}]`;
    const { name } = volume;
    const errors = [
      ...validateSource(volume, at),
      ...(volume.image === undefined ? [] : validateImage(volume.image, `${at}.image`, isPod)),
      ...(name === ''
        ? [required(`${at}.name`)]
        : invalidFor(`${at}.name`, name, dns1123LabelProblems(name))),
      ...(seen.has(name) ? [duplicate(`${at}.name`, name)] : []),
    ];
    seen.add(name);
    return errors;
  });
};

const validateSource = (volume: Volume, field: string): readonly FieldError[] => {
  const sources = volumeSourcesOf(volume);
  if (sources.length === 0) return [required(field, 'must specify a volume type')];
  const { emptyDir, hostPath, nfs, secret, configMap, downwardAPI, projected } = volume;
  const { csi, ephemeral, persistentVolumeClaim: claim } = volume;
  const claimName: string | undefined = claim?.claimName;
  return [
    ...sources
      .slice(1)
      .map((name) => forbidden(`${field}.${name}`, 'may not specify more than 1 volume type')),
    ...(emptyDir?.sizeLimit !== undefined && parseQuantity(emptyDir.sizeLimit).nanos < 0n
      ? [
          forbidden(
            `${field}.emptyDir.sizeLimit`,
            'SizeLimit field must be a valid resource quantity',
          ),
        ]
      : []),
    ...(hostPath === undefined ? [] : validateHostPath(hostPath, `${field}.hostPath`)),
    ...(nfs === undefined ? [] : validateNfs(nfs, `${field}.nfs`)),
    ...(csi === undefined ? [] : validateDriver(csi, `${field}.csi`)),
    ...(claim !== undefined && (claimName ?? '') === ''
      ? [required(`${field}.persistentVolumeClaim.claimName`)]
      : []),
    ...(ephemeral === undefined ? [] : validateEphemeral(ephemeral, `${field}.ephemeral`)),
    ...(secret === undefined
      ? []
      : [
          ...((secret.secretName ?? '') === '' ? [required(`${field}.secret.secretName`)] : []),
          ...validateFiles(secret, `${field}.secret`),
        ]),
    ...(configMap === undefined
      ? []
      : [
          ...((configMap.name ?? '') === '' ? [required(`${field}.configMap.name`)] : []),
          ...validateFiles(configMap, `${field}.configMap`),
        ]),
    ...(downwardAPI === undefined
      ? []
      : [
          ...validateMode(downwardAPI.defaultMode, `${field}.downwardAPI.defaultMode`),
          ...validateDownwardFiles(downwardAPI.items, `${field}.downwardAPI`),
        ]),
    ...(projected === undefined
      ? []
      : [
          ...validateMode(projected.defaultMode, `${field}.projected.defaultMode`),
          ...(projected.sources ?? []).flatMap((source, i) =>
            validateProjection(source, `${field}.projected.sources[${i}]`),
          ),
        ]),
  ];
};

const validateImage = (
  { reference = '', pullPolicy }: NonNullable<Volume['image']>,
  field: string,
  isPod: boolean,
): readonly FieldError[] => [
  ...(isPod && reference === '' ? [required(`${field}.reference`)] : []),
  ...oneOf(`${field}.pullPolicy`, pullPolicy, PULL_POLICIES),
];

/** Of a pod, or of a PersistentVolume. */
export const validateHostPath = (
  { path = '', type }: Partial<DeepReadonly<core.HostPathVolumeSource>>,
  field: string,
): readonly FieldError[] => [
  ...validateHostFolder(path, `${field}.path`),
  ...(type === undefined || HOST_PATH_TYPES.includes(type)
    ? []
    : [notSupported(`${field}.type`, type, HOST_PATH_TYPES)]),
];

/** Whoever takes the template has it made into a claim. */
const validateEphemeral = (
  { volumeClaimTemplate: template }: NonNullable<Volume['ephemeral']>,
  field: string,
): readonly FieldError[] => {
  const at = `${field}.volumeClaimTemplate`;
  if (template === undefined) return [required(at)];
  return validateClaimSpec(template.spec, `${at}.spec`);
};

export const validateHostFolder = (path: string, field: string): readonly FieldError[] =>
  path === ''
    ? [required(field)]
    : path.split('/').includes('..')
      ? [invalid(field, path, "must not contain '..'")]
      : [];

/** Source: upstream's ValidateCSIDriverName. */
export const validateDriverName = (name: string, field: string): readonly FieldError[] => [
  ...(name === '' ? [required(field)] : []),
  ...(name.length > DRIVER_NAME_MAX ? [tooLong(field, DRIVER_NAME_MAX)] : []),
  ...invalidFor(field, name, dns1123SubdomainProblems(name.toLowerCase())),
];
const DRIVER_NAME_MAX = 63;

const validateDriver = (
  { driver = '', nodePublishSecretRef: secret }: Partial<NonNullable<Volume['csi']>>,
  field: string,
): readonly FieldError[] => {
  const { name = '' } = secret ?? {};
  return [
    ...validateDriverName(driver, `${field}.driver`),
    ...(secret === undefined
      ? []
      : name === ''
        ? [required(`${field}.nodePublishSecretRef.name`)]
        : invalidFor(`${field}.name`, name, dns1123SubdomainProblems(name))),
  ];
};

/** Of a pod, or of a PersistentVolume. Bodies may lack either. Source: upstream's validateNFSVolumeSource */
export const validateNfs = (
  { server = '', path = '' }: Partial<DeepReadonly<core.NFSVolumeSource>>,
  field: string,
): readonly FieldError[] => [
  ...(server === '' ? [required(`${field}.server`)] : []),
  ...(path === '' ? [required(`${field}.path`)] : []),
  ...(path.startsWith('/') ? [] : [invalid(`${field}.path`, path, 'must be an absolute path')]),
];

const validateFiles = (
  { defaultMode, items = [] }: { defaultMode?: number; items?: readonly KeyToPath[] },
  field: string,
): readonly FieldError[] => [
  ...validateMode(defaultMode, `${field}.defaultMode`),
  ...validateKeyPaths(items, field),
];

const validateKeyPaths = (items: readonly KeyToPath[], field: string): readonly FieldError[] =>
  items.flatMap(({ key, path, mode }, i) => {
    const at = `${field}.items[${i}]`;
    return [
      ...(key === '' ? [required(`${at}.key`)] : []),
      ...validateFilePath(path, `${at}.path`),
      ...validateMode(mode, `${at}.mode`),
    ];
  });

const validateDownwardFiles = (
  items: readonly DownwardFile[] | undefined,
  field: string,
): readonly FieldError[] =>
  (items ?? []).flatMap(({ path, fieldRef, resourceFieldRef, mode }, i) => {
    const at = `${field}.items[${i}]`;
    return [
      ...validateFilePath(path, `${at}.path`),
      ...(fieldRef === undefined && resourceFieldRef === undefined
        ? [required(at, 'one of fieldRef and resourceFieldRef is required')]
        : []),
      ...(fieldRef !== undefined && resourceFieldRef !== undefined
        ? [
            invalid(
              at,
              'resource',
              'fieldRef and resourceFieldRef can not be specified simultaneously',
            ),
          ]
        : []),
      ...(fieldRef === undefined ? [] : validateVolumeFieldRef(fieldRef, `${at}.fieldRef`)),
      ...(resourceFieldRef === undefined
        ? []
        : validateVolumeResourceRef(resourceFieldRef, `${at}.resourceFieldRef`)),
      ...validateMode(mode, `${at}.mode`),
    ];
  });

/** A volume belongs to no container, so that it has to name one. */
const validateVolumeResourceRef = (
  ref: DeepReadonly<core.ResourceFieldSelector>,
  field: string,
): readonly FieldError[] =>
  (ref.containerName ?? '') === ''
    ? [required(`${field}.containerName`)]
    : validateResourceFieldRef(ref, field);

const validateProjection = (source: Projection, field: string): readonly FieldError[] => {
  const [, ...further] = Object.keys(source);
  const { secret, configMap, downwardAPI, serviceAccountToken: token } = source;
  return [
    ...further.map((name) =>
      forbidden(`${field}.${name}`, 'may not specify more than 1 volume type'),
    ),
    ...(secret === undefined
      ? []
      : [
          ...((secret.name ?? '') === '' ? [required(`${field}.secret.name`)] : []),
          ...validateKeyPaths(secret.items ?? [], `${field}.secret`),
        ]),
    ...(configMap === undefined
      ? []
      : [
          ...((configMap.name ?? '') === '' ? [required(`${field}.configMap.name`)] : []),
          ...validateKeyPaths(configMap.items ?? [], `${field}.configMap`),
        ]),
    ...validateDownwardFiles(downwardAPI?.items, `${field}.downwardAPI`),
    ...(token === undefined
      ? []
      : [
          ...validateTokenSeconds(
            token.expirationSeconds,
            `${field}.serviceAccountToken.expirationSeconds`,
          ),
          ...validateFilePath(token.path, `${field}.serviceAccountToken.path`),
        ]),
  ];
};

const validateMode = (mode: number | undefined, field: string): readonly FieldError[] =>
  inRange(field, mode, 0, 0o777).map(() => invalid(field, mode, MODE_RANGE));

/** A path below the volume that cannot leave it, and does not look like the volume's own files. */
const validateFilePath = (path: string, field: string): readonly FieldError[] => {
  if (path === '') return [required(field)];
  return [
    ...validateDescendingPath(path, field),
    ...(path.startsWith('..') && !path.startsWith('../')
      ? [invalid(field, path, "must not start with '..'")]
      : []),
  ];
};

export const validateDescendingPath = (path: string, field: string): readonly FieldError[] => [
  ...(path.startsWith('/') ? [invalid(field, path, 'must be a relative path')] : []),
  ...(path.split('/').includes('..') ? [invalid(field, path, "must not contain '..'")] : []),
];
