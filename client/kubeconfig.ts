import { homedir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { FileTooLargeError, readWithin } from '../lib/files';
import { parseJson, isJsonObject } from '../lib/json';

/** What it takes to reach one cluster as one user. */
export interface ClientConfig {
  /** `https://127.0.0.1:6443` */
  readonly server: string;
  readonly ca: string | undefined;
  readonly cert: string | undefined;
  readonly key: string | undefined;
  readonly token: string | undefined;
  /** As whom else to ask. */
  readonly impersonate?: Impersonated;
  readonly skipTlsVerify: boolean;
  readonly namespace: string;
  readonly context: string;
}

/** Another user, whose groups and UID are as they are said here. */
export interface Impersonated {
  readonly user: string;
  readonly groups: readonly string[];
  readonly uid: string | undefined;
}

/** The file cannot be used; the message says which file, what is wrong and what to do. */
export class KubeconfigError extends Error {}

/** Reads a kubeconfig file and picks `contextName`, or its current context. */
export const readKubeconfig = async (path: string, contextName?: string): Promise<ClientConfig> => {
  const file = await readKubeconfigFields(path);
  const wanted = contextName ?? text(file, 'current-context');
  if (wanted === undefined)
    throw fault(path, 'it names no current-context: choose one with --context');
  const context = entry(path, file, 'contexts', 'context', wanted);
  const cluster = entry(path, file, 'clusters', 'cluster', text(context, 'cluster') ?? '');
  const user = entry(path, file, 'users', 'user', text(context, 'user') ?? '');
  const server = text(cluster, 'server');
  if (server === undefined) throw fault(path, `context "${wanted}": its cluster has no server`);
  return {
    server,
    ca: pemOf(path, cluster, 'certificate-authority'),
    cert: pemOf(path, user, 'client-certificate'),
    key: pemOf(path, user, 'client-key'),
    token: text(user, 'token'),
    ...impersonatedBy(user),
    skipTlsVerify: cluster['insecure-skip-tls-verify'] === true,
    namespace: text(context, 'namespace') ?? 'default',
    context: wanted,
  };
};

/** `--kubeconfig`, `$KUBECONFIG` (its first file), `~/.kube/config`: where to look, in this order. */
export const kubeconfigPath = (flag: string | undefined, env = process.env): string =>
  flag ??
  env['KUBECONFIG']?.split(':').find((path) => path !== '') ??
  join(homedir(), '.kube', 'config');

/** A mapping of a kubeconfig. What it holds beside what we know stays as it is. */
export type Fields = Readonly<Record<string, unknown>>;

/** All of a kubeconfig file. @throws KubeconfigError */
export const readKubeconfigFields = async (path: string): Promise<Fields> => {
  const content = readFile(path, path);
  try {
    const parsed = await parseText(content);
    if (isJsonObject(parsed)) return parsed;
  } catch (error) {
    throw fault(path, 'it is not YAML', error);
  }
  throw fault(path, 'it is not a mapping');
};

/** What `dhow` writes is JSON, for which the reader of YAML need not be loaded. */
const parseText = async (content: string): Promise<unknown> => {
  try {
    return parseJson(content);
  } catch {
    // Not `import()`: the commands run as a script, in which that would ask for what there is not.
    // eslint-disable-next-line @typescript-eslint/no-require-imports
    const { parse } = require('yaml') as typeof import('yaml');
    return parse(content, { maxAliasCount: 0 });
  }
};

/** `contexts: [{name, context: {...}}]` and its two siblings. */
const entry = (path: string, file: Fields, list: string, field: string, name: string): Fields => {
  const items = file[list];
  const found: unknown = Array.isArray(items)
    ? items.find((item: unknown) => isJsonObject(item) && item['name'] === name)
    : undefined;
  const value = isJsonObject(found) ? found[field] : undefined;
  if (!isJsonObject(value)) throw fault(path, `${field} "${name}" does not exist`);
  return value;
};

/** `as`, `as-groups` and `as-uid` of a user. */
const impersonatedBy = (user: Fields): Pick<ClientConfig, 'impersonate'> => {
  const name = text(user, 'as');
  if (name === undefined) return {};
  const groups: unknown = user['as-groups'];
  const texts = (Array.isArray(groups) ? groups : []).filter((each) => typeof each === 'string');
  return { impersonate: { user: name, groups: texts, uid: text(user, 'as-uid') } };
};

const pemOf = (path: string, fields: Fields, name: string): string | undefined => {
  const data = text(fields, `${name}-data`);
  if (data !== undefined) return Buffer.from(data, 'base64').toString('utf8');
  const file = text(fields, name);
  return file === undefined ? undefined : readFile(path, resolve(dirname(path), file));
};

const readFile = (path: string, file: string): string => {
  try {
    return readWithin(file, FILE_BYTES_MAX).toString();
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const it = file === path ? 'it' : file;
    if (error instanceof FileTooLargeError)
      throw fault(path, `${it} is larger than ${FILE_BYTES_MAX} bytes`);
    if (code === 'EACCES')
      throw fault(path, `you may not read ${it}: run as root, or ask for a copy`, error);
    if (code === 'ENOENT') throw fault(path, `${it} does not exist`, error);
    throw fault(path, `${it} cannot be read`, error);
  }
};

/** Some hundred clusters with their certificates. */
const FILE_BYTES_MAX = 16 * 1024 * 1024;

const text = (fields: Fields, name: string): string | undefined => {
  const value = fields[name];
  return typeof value === 'string' && value !== '' ? value : undefined;
};

const fault = (path: string, why: string, cause?: unknown) =>
  new KubeconfigError(`kubeconfig ${path}: ${why}`, { cause });
