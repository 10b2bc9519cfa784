import { z } from 'zod';

import type { Pod, Secret } from '../../api/types';
import { parseJson } from '../../lib/json';
import type { RegistryCredentials } from '../../runtime/image-service';
import { parseReference, repositoryName } from '../../runtime/images';
import type { ObjectSource } from '../pod-spec/environment';
import { matchesServer, serverKey } from './server-pattern';

/** The Secret that credentials are from. */
export interface SecretCoordinates {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
}

export interface SecretCredentials {
  readonly credentials: RegistryCredentials;
  readonly secret: SecretCoordinates;
}

export interface PullSecrets {
  /** All that fit the image, in the order in which to try them: the most specific first. */
  readonly fitting: readonly SecretCredentials[];
  /** Names of secrets that do not exist, or not yet. */
  readonly missing: readonly string[];
}

/**
 * What a pod's imagePullSecrets hold for an image, as the kubelet reads them: secrets of the two
 * docker types, every entry whose server fits. An entry that cannot be read is as if it were not there.
 * @throws ImageError when `image` is no name of an image.
 */
export const pullSecretsOf = (pod: Pod, image: string, objects: ObjectSource): PullSecrets => {
  const namespace = pod.metadata.namespace ?? '';
  const names = (pod.spec.imagePullSecrets ?? []).flatMap(({ name = '' }) => name || []);
  const secrets = names.map((name) => ({ name, secret: objects.secret(namespace, name) }));
  const entries = secrets.flatMap(({ secret }) => (secret === undefined ? [] : entriesOf(secret)));
  return {
    fitting: fittingEntries(entries, repositoryName(parseReference(image))),
    missing: secrets.flatMap(({ name, secret }) => (secret === undefined ? name : [])),
  };
};

interface Entry extends SecretCredentials {
  /** Host, which may have wildcards, port and path. */
  readonly key: string;
}

/** Sorted as the kubelet does: of two keys of one host the longer path comes first, a name before `*`. */
const fittingEntries = (
  entries: readonly Entry[],
  repository: string,
): readonly SecretCredentials[] => {
  const fitting = entries
    .filter(({ key }) => matchesServer(key, repository))
    .sort((a, b) => (a.key < b.key ? 1 : a.key > b.key ? -1 : 0));
  const known = new Map<string, SecretCredentials>();
  for (const { credentials, secret } of fitting) {
    const { username, password } = credentials;
    const id = `${username}\n${password}`;
    if (!known.has(id)) known.set(id, { credentials, secret });
  }
  return [...known.values()].slice(0, CREDENTIALS_MAX);
};

const entriesOf = ({ type, data = {}, metadata }: Secret): readonly Entry[] => {
  const { namespace = '', name, uid = '' } = metadata;
  const secret = { namespace, name, uid };
  return Object.entries(serversOf(type, data)).flatMap(([server, value]) => {
    const credentials = credentialsOf(value);
    return credentials === undefined ? [] : { key: serverKey(server), credentials, secret };
  });
};

/** Server → entry, in either of the two formats. */
const serversOf = (
  type: string | undefined,
  data: Readonly<Record<string, string>>,
): Readonly<Record<string, unknown>> => {
  if (type === 'kubernetes.io/dockerconfigjson')
    return fieldsOf(fieldsOf(contentOf(data['.dockerconfigjson']))['auths']);
  if (type === 'kubernetes.io/dockercfg') return fieldsOf(contentOf(data['.dockercfg']));
  return {};
};

const contentOf = (base64 = ''): unknown => {
  try {
    return parseJson(Buffer.from(base64, 'base64'));
  } catch {
    return undefined;
  }
};

const fieldsOf = (value: unknown): Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Readonly<Record<string, unknown>>)
    : {};

const text = z.string().nullish().catch(undefined);
const entrySchema = z.object({ username: text, password: text, auth: text });

/** `auth` is what docker writes, and says more than the other two. */
const credentialsOf = (value: unknown): RegistryCredentials | undefined => {
  const entry = entrySchema.safeParse(value);
  if (!entry.success) return undefined;
  const { username, password, auth } = entry.data;
  const decoded = decodeAuth(auth ?? '');
  if (decoded !== undefined) return decoded;
  if ((username ?? '') === '' && (password ?? '') === '') return undefined;
  return { username: username ?? '', password: password ?? '' };
};

const decodeAuth = (auth: string): RegistryCredentials | undefined => {
  const base64 = auth.replace(/[\r\n]/g, '').trim();
  if (base64 === '' || !BASE64.test(base64)) return undefined;
  const decoded = Buffer.from(base64, 'base64').toString();
  const colon = decoded.indexOf(':');
  if (colon < 0) return undefined;
  return { username: decoded.slice(0, colon), password: decoded.slice(colon + 1) };
};

const BASE64 = /^[A-Za-z0-9+/]+={0,2}$/;
/** Each wrong one is a denied request, and registries count those. */
const CREDENTIALS_MAX = 16;
