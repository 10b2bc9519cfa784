import { posix } from 'node:path';

import { dns1123LabelProblems, dns1123SubdomainProblems } from '../names';
import type { PersistentVolume } from '../types';
import { validateNodeSelector } from './affinity';
import { forbidden, invalidFor, required, type FieldError } from './field-error';
import { validateDriverName, validateHostFolder, validateHostPath, validateNfs } from './volumes';

type VolumeSpec = NonNullable<PersistentVolume['spec']>;
type Driver = NonNullable<VolumeSpec['csi']>;

/**
 * Where a PersistentVolume is, and from where it can be reached. Bodies may lack what their types
 * promise. Source: upstream's ValidatePersistentVolumeSpec
 */
export const validateVolumeSource = (spec: VolumeSpec): readonly FieldError[] => {
  const { hostPath, local, nfs, csi, nodeAffinity, persistentVolumeReclaimPolicy } = spec;
  return [
    ...(nodeAffinity === undefined ? [] : validateReach(nodeAffinity)),
    ...(hostPath === undefined ? [] : validateHostPath(hostPath, 'spec.hostPath')),
    ...(nfs === undefined ? [] : validateNfs(nfs, 'spec.nfs')),
    ...(local === undefined ? [] : validateHostFolder(textOf(local.path), 'spec.local.path')),
    ...(local === undefined || nodeAffinity !== undefined
      ? []
      : [required('spec.nodeAffinity', 'Local volume requires node affinity')]),
    ...(csi === undefined ? [] : validateDriver(csi)),
    ...(hostPath !== undefined &&
    posix.normalize(textOf(hostPath.path)) === '/' &&
    persistentVolumeReclaimPolicy === 'Recycle'
      ? [
          forbidden(
            'spec.persistentVolumeReclaimPolicy',
            "may not be 'recycle' for a hostPath mount of '/'",
          ),
        ]
      : []),
  ];
};

const validateReach = ({
  required: nodes,
}: NonNullable<VolumeSpec['nodeAffinity']>): readonly FieldError[] =>
  nodes === undefined
    ? [required('spec.nodeAffinity.required', 'must specify required node constraints')]
    : validateNodeSelector(nodes, 'spec.nodeAffinity.required');

const validateDriver = (csi: Driver): readonly FieldError[] => [
  ...validateDriverName(textOf(csi.driver), 'spec.csi.driver'),
  ...(textOf(csi.volumeHandle) === '' ? [required('spec.csi.volumeHandle')] : []),
  ...SECRETS.flatMap((field) => {
    const secret = csi[field];
    if (secret === undefined) return [];
    const { name = '', namespace = '' } = secret;
    const at = `spec.csi.${field}`;
    return [
      ...(name === ''
        ? [required(`${at}.name`)]
        : invalidFor(`${at}.name`, name, dns1123SubdomainProblems(name))),
      ...(namespace === ''
        ? [required(`${at}.namespace`)]
        : invalidFor(`${at}.namespace`, namespace, dns1123LabelProblems(namespace))),
    ];
  }),
];

const SECRETS = [
  'controllerPublishSecretRef',
  'controllerExpandSecretRef',
  'nodePublishSecretRef',
  'nodeExpandSecretRef',
] as const;

const textOf = (text: string | undefined): string => text ?? '';
