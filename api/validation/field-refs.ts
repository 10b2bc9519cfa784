import type * as core from 'kubernetes-types/core/v1';
import type { DeepReadonly } from '../types';
import { invalid, notSupported, required, type FieldError } from './field-error';

type FieldRef = DeepReadonly<core.ObjectFieldSelector>;
type ResourceFieldRef = DeepReadonly<core.ResourceFieldSelector>;

/** A field of the pod that becomes the value of a variable. */
export const validateEnvFieldRef = (ref: FieldRef, field: string): readonly FieldError[] =>
  validateFieldRef(ref, ENV_PATHS, field);

/** A field of the pod that becomes a file: all labels or annotations may, being many lines. */
export const validateVolumeFieldRef = (ref: FieldRef, field: string): readonly FieldError[] =>
  validateFieldRef(ref, VOLUME_PATHS, field);

const validateFieldRef = (
  { apiVersion = 'v1', fieldPath }: FieldRef,
  paths: readonly string[],
  field: string,
): readonly FieldError[] => {
  const at = `${field}.fieldPath`;
  if (apiVersion === '') return [required(`${field}.apiVersion`)];
  if (fieldPath === '') return [required(at)];
  if (apiVersion !== 'v1') {
    const why = `error converting fieldPath: unsupported pod version: ${apiVersion}`;
    return [invalid(at, fieldPath, why)];
  }
  return paths.includes(fieldPath) || PATH_WITH_KEY.test(fieldPath)
    ? []
    : [notSupported(at, fieldPath, paths)];
};

export const validateResourceFieldRef = (
  { resource }: ResourceFieldRef,
  field: string,
): readonly FieldError[] => {
  if (resource === '') return [required(`${field}.resource`)];
  return RESOURCES.includes(resource) || resource.includes('hugepages-')
    ? []
    : [notSupported(`${field}.resource`, resource, RESOURCES)];
};

const ENV_PATHS = [
  'metadata.name',
  'metadata.namespace',
  'metadata.uid',
  'spec.nodeName',
  'spec.serviceAccountName',
  'status.hostIP',
  'status.hostIPs',
  'status.podIP',
  'status.podIPs',
];
const VOLUME_PATHS = [
  'metadata.annotations',
  'metadata.labels',
  'metadata.name',
  'metadata.namespace',
  'metadata.uid',
];
const PATH_WITH_KEY = /^metadata\.(?:labels|annotations)\['[^']+'\]$/;
const RESOURCES = [
  'limits.cpu',
  'limits.ephemeral-storage',
  'limits.memory',
  'requests.cpu',
  'requests.ephemeral-storage',
  'requests.memory',
];
