import { jsonEqual } from '../json-value';
import type { ConfigMap, Secret } from '../types';
import {
  forbidden,
  immutable,
  invalid,
  invalidFor,
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
import { configMapKeyProblems } from '../names';
import { parseJson } from '../../lib/json';

const RULES: MetadataRules = { isNamespaced: true, name: subdomainName };
const DATA_BYTES_MAX = 1024 * 1024;
const IS_IMMUTABLE = 'field is immutable when `immutable` is set';

export const validateConfigMap = (configMap: ConfigMap): readonly FieldError[] => [
  ...validateMetadata(configMap, RULES),
  ...validateConfigMapData(configMap),
];

export const validateConfigMapUpdate = (
  configMap: ConfigMap,
  old: ConfigMap,
): readonly FieldError[] => [
  ...validateMetadataUpdate(configMap, old, RULES),
  ...validateFrozen(configMap, old, ['data', 'binaryData']),
  ...validateConfigMapData(configMap),
];

export const validateSecret = (secret: Secret): readonly FieldError[] => [
  ...validateMetadata(secret, RULES),
  ...validateSecretData(secret),
];

export const validateSecretUpdate = (secret: Secret, old: Secret): readonly FieldError[] => [
  ...validateMetadataUpdate(secret, old, RULES),
  ...(secret.type === old.type ? [] : [immutable('type', secret.type ?? '')]),
  ...validateFrozen(secret, old, ['data']),
  ...validateSecretData(secret),
];

const validateFrozen = <T extends { readonly immutable?: boolean }>(
  object: T,
  old: T,
  fields: readonly (keyof T & string)[],
): readonly FieldError[] => {
  if (old.immutable !== true) return [];
  return [
    ...(object.immutable === true ? [] : [forbidden('immutable', IS_IMMUTABLE)]),
    ...fields
      .filter((field) => !jsonEqual(object[field], old[field]))
      .map((field) => forbidden(field, IS_IMMUTABLE)),
  ];
};

const validateConfigMapData = ({
  data = {},
  binaryData = {},
}: ConfigMap): readonly FieldError[] => {
  const bytes =
    Object.values(data).reduce((sum, value) => sum + Buffer.byteLength(value), 0) +
    Object.values(binaryData).reduce((sum, value) => sum + bytesOfBase64(value), 0);
  return [
    ...Object.keys(data).flatMap((key) => [
      ...invalidFor(`data[${key}]`, key, configMapKeyProblems(key)),
      ...(Object.hasOwn(binaryData, key)
        ? [invalid(`data[${key}]`, key, 'duplicate of key present in binaryData')]
        : []),
    ]),
    ...Object.keys(binaryData).flatMap((key) =>
      invalidFor(`binaryData[${key}]`, key, configMapKeyProblems(key)),
    ),
    ...validateSize(bytes, '[]'),
  ];
};

const validateSize = (bytes: number, field: string): readonly FieldError[] =>
  bytes > DATA_BYTES_MAX ? [tooLong(field, DATA_BYTES_MAX)] : [];

const bytesOfBase64 = (text: string): number =>
  Math.floor((text.length * 3) / 4) - (text.endsWith('==') ? 2 : text.endsWith('=') ? 1 : 0);

const validateSecretData = (secret: Secret): readonly FieldError[] => {
  const { data = {} } = secret;
  const bytes = Object.values(data).reduce((sum, value) => sum + bytesOfBase64(value), 0);
  return [
    ...Object.keys(data).flatMap((key) =>
      invalidFor(`data[${key}]`, key, configMapKeyProblems(key)),
    ),
    ...validateSize(bytes, 'data'),
    ...validateSecretType(secret, data),
  ];
};

const validateSecretType = (
  { type, metadata }: Secret,
  data: Readonly<Record<string, string>>,
): readonly FieldError[] => {
  const need = (...keys: readonly string[]): readonly FieldError[] =>
    keys.filter((key) => !Object.hasOwn(data, key)).map((key) => required(`data[${key}]`));
  switch (type) {
    case 'kubernetes.io/service-account-token': {
      const key = 'kubernetes.io/service-account.name';
      return (metadata.annotations?.[key] ?? '') === ''
        ? [required(`metadata.annotations[${key}]`)]
        : [];
    }
    case 'kubernetes.io/dockercfg':
      return [...need('.dockercfg'), ...validateJson(data, '.dockercfg')];
    case 'kubernetes.io/dockerconfigjson':
      return [...need('.dockerconfigjson'), ...validateJson(data, '.dockerconfigjson')];
    case 'kubernetes.io/basic-auth':
      return Object.hasOwn(data, 'username') || Object.hasOwn(data, 'password')
        ? []
        : need('username', 'password');
    case 'kubernetes.io/ssh-auth':
      return need('ssh-privatekey');
    case 'kubernetes.io/tls':
      return need('tls.crt', 'tls.key');
    default:
      return [];
  }
};

const validateJson = (
  data: Readonly<Record<string, string>>,
  key: string,
): readonly FieldError[] => {
  const text = data[key];
  if (text === undefined) return [];
  try {
    parseJson(Buffer.from(text, 'base64').toString('utf8'));
    return [];
  } catch (error) {
    return [
      invalid(
        `data[${key}]`,
        '<secret contents redacted>',
        error instanceof Error ? error.message.replace(/".*"/, '...') : 'no JSON',
      ),
    ];
  }
};
