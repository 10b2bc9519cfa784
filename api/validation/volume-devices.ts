import type { Container } from '../types';
import { invalid, notFoundAt, required, type FieldError } from './field-error';

/** By name of each volume, whether it may be a block device. */
export type BlockVolumes = ReadonlyMap<string, boolean>;

/** Source: pkg/apis/core/validation, ValidateVolumeDevices */
export const validateVolumeDevices = (
  { volumeDevices = [], volumeMounts = [] }: Container,
  field: string,
  volumes: BlockVolumes,
): readonly FieldError[] =>
  volumeDevices.flatMap(({ name, devicePath }, i) => {
    const at = `${field}[${i}]`;
    const before = volumeDevices.slice(0, i);
    const wrong = (key: 'name' | 'devicePath', when: boolean, why: string) =>
      when ? [invalid(`${at}.${key}`, key === 'name' ? name : devicePath, why)] : [];
    return [
      ...nameProblems(name, `${at}.name`, volumes),
      ...wrong('name', name !== '' && before.some((each) => each.name === name), UNIQUE),
      ...(devicePath === '' ? [required(`${at}.devicePath`)] : []),
      ...wrong(
        'devicePath',
        devicePath !== '' && before.some((each) => each.devicePath === devicePath),
        UNIQUE,
      ),
      ...wrong(
        'devicePath',
        devicePath.split('/').includes('..'),
        "can not contain backsteps ('..')",
      ),
      ...wrong(
        'name',
        volumeMounts.some((mount) => mount.name === name),
        'must not already exist in volumeMounts',
      ),
      ...wrong(
        'devicePath',
        volumeMounts.some(({ mountPath }) => mountPath === devicePath),
        'must not already exist as a path in volumeMounts',
      ),
    ];
  });

/** A mount that wants what a device has already. Source: pkg/apis/core/validation, ValidateVolumeMounts */
export const validateBesideDevices = (
  { volumeDevices = [] }: Pick<Container, 'volumeDevices'>,
  { name, mountPath }: { readonly name: string; readonly mountPath: string },
  field: string,
): readonly FieldError[] => [
  ...(volumeDevices.some((device) => device.name === name)
    ? [invalid(`${field}.name`, name, 'must not already exist in volumeDevices')]
    : []),
  ...(volumeDevices.some(({ devicePath }) => devicePath === mountPath)
    ? [
        invalid(
          `${field}.mountPath`,
          mountPath,
          'must not already exist as a path in volumeDevices',
        ),
      ]
    : []),
];

/** Block devices come from claims. */
const nameProblems = (
  name: string,
  field: string,
  volumes: BlockVolumes,
): readonly FieldError[] => {
  if (name === '') return [required(field)];
  const mayBeBlock = volumes.get(name);
  if (mayBeBlock === undefined) return [notFoundAt(field, name)];
  const why =
    'can only use volume source type of PersistentVolumeClaim or Ephemeral for block mode';
  return mayBeBlock ? [] : [invalid(field, name, why)];
};

const UNIQUE = 'must be unique';
