import { tokenKey, type PodToken } from '../../api/assignment-rows';
import { uidOf, type ConfigMap, type Pod, type Secret } from '../../api/types';
import { containerNamed, type ObjectSource } from '../pod-spec/environment';
import { fieldValue, resourceValue, type NodeView } from '../pod-spec/field-refs';
import { checkVolumePath, type VolumeFile } from './atomic-writer';

export type Volume = NonNullable<Pod['spec']['volumes']>[number];

type Files = Map<string, VolumeFile>;
type KeyPaths = readonly { readonly key: string; readonly path: string; readonly mode?: number }[];

const DEFAULT_MODE = 0o644;

/** Not a failure: the server is about to tell. */
export class NotYetError extends Error {}

export interface ContentSource {
  readonly tokens: (key: string) => PodToken | undefined;
  readonly pod: Pod;
  readonly objects: ObjectSource;
  readonly node: NodeView;
}

/**
 * The files of a configMap, secret, downwardAPI or projected volume; undefined for other types.
 * @throws Error naming the object or key that is missing.
 */
export const volumeFiles = (volume: Volume, source: ContentSource): Files | undefined => {
  const { configMap, secret, downwardAPI, projected } = volume;
  const files: Files = new Map();
  if (configMap !== undefined)
    addConfigMap(
      files,
      source,
      { ...configMap, name: configMap.name ?? '' },
      configMap.defaultMode,
    );
  else if (secret !== undefined)
    addSecret(files, source, { ...secret, name: secret.secretName ?? '' }, secret.defaultMode);
  else if (downwardAPI !== undefined)
    addDownward(files, source, downwardAPI.items ?? [], downwardAPI.defaultMode);
  else if (projected !== undefined) addProjected(files, source, projected);
  else return undefined;
  return files;
};

interface ObjectItems {
  readonly name: string;
  readonly items?: KeyPaths;
  readonly optional?: boolean;
}

const addConfigMap = (
  files: Files,
  { pod, objects }: ContentSource,
  wanted: ObjectItems,
  mode: number | undefined,
): void => {
  const map = objects.configMap(pod.metadata.namespace ?? '', wanted.name);
  if (map === undefined) {
    if (wanted.optional !== true) throw new Error(`configmap "${wanted.name}" not found`);
    return;
  }
  addKeys(files, configMapData(map), wanted, mode, 'configmap');
};

const addSecret = (
  files: Files,
  { pod, objects }: ContentSource,
  wanted: ObjectItems,
  mode: number | undefined,
): void => {
  const secret = objects.secret(pod.metadata.namespace ?? '', wanted.name);
  if (secret === undefined) {
    if (wanted.optional !== true) throw new Error(`secret "${wanted.name}" not found`);
    return;
  }
  addKeys(files, secretData(secret), wanted, mode, 'secret');
};

const addKeys = (
  files: Files,
  data: ReadonlyMap<string, Buffer>,
  { items, optional }: ObjectItems,
  mode = DEFAULT_MODE,
  kind: string,
): void => {
  if (items === undefined || items.length === 0) {
    for (const [key, value] of data) files.set(checkVolumePath(key), { data: value, mode });
    return;
  }
  for (const item of items) {
    const value = data.get(item.key);
    if (value !== undefined)
      files.set(checkVolumePath(item.path), { data: value, mode: item.mode ?? mode });
    else if (optional !== true) throw new Error(`${kind} references non-existent key: ${item.key}`);
  }
};

type DownwardItems = readonly NonNullable<NonNullable<Volume['downwardAPI']>['items']>[number][];

const addDownward = (
  files: Files,
  { pod, node }: ContentSource,
  items: DownwardItems,
  mode = DEFAULT_MODE,
): void => {
  for (const { path, fieldRef, resourceFieldRef, mode: itemMode } of items) {
    let value = '';
    if (fieldRef !== undefined) value = fieldValue(pod, fieldRef.fieldPath, node);
    else if (resourceFieldRef !== undefined) {
      const { resource, divisor, containerName } = resourceFieldRef;
      const container = containerNamed(pod, containerName);
      if (container === undefined) throw new Error(`container "${containerName ?? ''}" not found`);
      value = resourceValue(pod, container, resource, divisor, node);
    }
    files.set(checkVolumePath(path), { data: Buffer.from(value), mode: itemMode ?? mode });
  }
};

const addProjected = (
  files: Files,
  source: ContentSource,
  { sources = [], defaultMode }: NonNullable<Volume['projected']>,
): void => {
  for (const { configMap, secret, downwardAPI, serviceAccountToken, ...others } of sources) {
    const [other] = Object.keys(others);
    if (other !== undefined) throw new Error(`a projected ${other} is not supported`);
    if (configMap !== undefined)
      addConfigMap(files, source, { ...configMap, name: configMap.name ?? '' }, defaultMode);
    if (secret !== undefined)
      addSecret(files, source, { ...secret, name: secret.name ?? '' }, defaultMode);
    if (downwardAPI !== undefined) addDownward(files, source, downwardAPI.items ?? [], defaultMode);
    if (serviceAccountToken !== undefined)
      addToken(files, source, serviceAccountToken, defaultMode);
  }
};

type TokenProjection = NonNullable<
  NonNullable<NonNullable<Volume['projected']>['sources']>[number]['serviceAccountToken']
>;

const addToken = (
  files: Files,
  { pod, tokens }: ContentSource,
  order: TokenProjection,
  mode = DEFAULT_MODE,
): void => {
  const found = tokens(tokenKey(uidOf(pod), order));
  if (found === undefined) throw new NotYetError('its token has not come yet');
  if (found.token === undefined)
    throw new Error(`failed to fetch token: ${found.error ?? 'there is none'}`);
  files.set(checkVolumePath(order.path), { data: Buffer.from(found.token), mode });
};

const configMapData = (map: ConfigMap): ReadonlyMap<string, Buffer> =>
  new Map([
    ...Object.entries(map.data ?? {}).map(([key, text]) => [key, Buffer.from(text)] as const),
    ...Object.entries(map.binaryData ?? {}).map(
      ([key, base64]) => [key, Buffer.from(base64, 'base64')] as const,
    ),
  ]);

const secretData = (secret: Secret): ReadonlyMap<string, Buffer> =>
  new Map(
    Object.entries(secret.data ?? {}).map(([key, value]) => [key, Buffer.from(value, 'base64')]),
  );
