import { existsSync } from 'node:fs';
import { isJsonObject } from '../../lib/json';
import { runExecCredential } from './exec-credential';
import {
  fault,
  KUBECONFIG_LISTS,
  mergedKubeconfig,
  readFile,
  readKubeconfigFields,
  text,
  type Fields,
  type ListName,
} from './files';

/** What it takes to reach one cluster as one user. */
export interface ClientConfig {
  /** `https://127.0.0.1:6443` */
  readonly server: string;
  readonly ca: string | undefined;
  readonly cert: string | undefined;
  readonly key: string | undefined;
  /** The value of the header: a token, or a name and password. */
  readonly authorization: string | undefined;
  /** As whom else to ask. */
  readonly impersonate?: Impersonated;
  readonly skipTlsVerify: boolean;
  /** The name that the server's certificate must have, where it is not that of the address. */
  readonly tlsServerName?: string;
  /** How long a request may take, with its answer; without limit where undefined. */
  readonly requestTimeoutMs?: number;
  readonly namespace: string;
  readonly context: string;
}

/** Another user, whose groups and UID are as they are said here. */
export interface Impersonated {
  readonly user: string;
  readonly groups: readonly string[];
  readonly uid: string | undefined;
}

/** What goes before the file. Named as the flags of kubectl. */
export interface KubeconfigOverrides {
  readonly context?: string | undefined;
  /** Name of a user in the file. */
  readonly user?: string | undefined;
  readonly server?: string | undefined;
  readonly certificateAuthority?: string | undefined;
  readonly insecureSkipTlsVerify?: boolean | undefined;
  readonly tlsServerName?: string | undefined;
  /** Who says a token here is not also what the file says of the user. */
  readonly token?: string | undefined;
  readonly clientCertificate?: string | undefined;
  readonly clientKey?: string | undefined;
}

/**
 * Reads kubeconfig files as one and picks a context, the current one unless another is asked for. A server that
 * is given needs no file. A program that says who the user is, is run. @throws KubeconfigError
 */
export const readKubeconfig = async (
  paths: string | readonly string[],
  overrides: KubeconfigOverrides = {},
  signal?: AbortSignal,
): Promise<ClientConfig> => {
  const { path, file } = await readAll([paths].flat(), overrides.server !== undefined);
  const wanted = overrides.context ?? text(file, 'current-context');
  if (wanted === undefined && overrides.server === undefined) {
    throw fault(path, 'it names no current-context: choose one with --context');
  }
  const context = wanted === undefined ? {} : entry(path, file, 'contexts', wanted);
  const named = (list: ListName, name: string | undefined): Fields =>
    wanted === undefined && name === undefined ? {} : entry(path, file, list, name ?? '');
  const cluster = clusterOf(named('clusters', text(context, 'cluster')), overrides);
  const user = userOf(named('users', overrides.user ?? text(context, 'user')), overrides);
  const server = text(cluster, 'server');
  if (server === undefined) {
    throw fault(path, `context "${wanted ?? ''}": its cluster has no server`);
  }
  requireServer(path, server);
  // Traffic that must go by a proxy would otherwise go past it, unseen.
  if (text(cluster, 'proxy-url') !== undefined) {
    throw fault(path, `context "${wanted ?? ''}": proxy-url is not supported: use kubectl there`);
  }
  const tlsServerName = text(cluster, 'tls-server-name');
  return {
    server,
    ca: pemOf(path, cluster, 'certificate-authority'),
    ...(await credentialsOf(path, user, cluster, signal)),
    ...impersonatedBy(user),
    skipTlsVerify: cluster['insecure-skip-tls-verify'] === true,
    ...(tlsServerName === undefined ? {} : { tlsServerName }),
    namespace: text(context, 'namespace') ?? 'default',
    context: wanted ?? '',
  };
};

/** Files of a list that are not there do not count, unless none is. */
const readAll = async (
  paths: readonly string[],
  isOptional: boolean,
): Promise<{ readonly path: string; readonly file: Fields }> => {
  const there = paths.filter((path) => existsSync(path));
  const [first = ''] = paths;
  if (there.length === 0 && isOptional) return { path: first, file: {} };
  const read = there.length === 0 ? [first] : there;
  const files = await Promise.all(
    read.map(async (path) => ({ path, fields: await readKubeconfigFields(path) })),
  );
  return { path: read.join(':'), file: mergedKubeconfig(files) };
};

const requireServer = (path: string, server: string): void => {
  const protocol = URL.canParse(server) ? new URL(server).protocol : '';
  if (protocol !== 'https:') throw fault(path, `server "${server}" is not an https URL`);
};

const clusterOf = (cluster: Fields, overrides: KubeconfigOverrides): Fields => {
  const { server, certificateAuthority, insecureSkipTlsVerify, tlsServerName } = overrides;
  return {
    ...cluster,
    // A name that was for the other server says nothing of this one.
    ...(server === undefined ? {} : { server, 'tls-server-name': undefined }),
    ...(tlsServerName === undefined ? {} : { 'tls-server-name': tlsServerName }),
    ...(certificateAuthority === undefined
      ? {}
      : {
          'certificate-authority': certificateAuthority,
          'certificate-authority-data': undefined,
          'insecure-skip-tls-verify': false,
        }),
    ...(insecureSkipTlsVerify === undefined
      ? {}
      : { 'insecure-skip-tls-verify': insecureSkipTlsVerify }),
  };
};

/** Credentials on the command line are all there is: kubectl's file wins over its flag, to many's surprise. */
const userOf = (user: Fields, overrides: KubeconfigOverrides): Fields => {
  const { token, clientCertificate, clientKey } = overrides;
  const given = {
    ...(token === undefined ? {} : { token }),
    ...(clientCertificate === undefined ? {} : { 'client-certificate': clientCertificate }),
    ...(clientKey === undefined ? {} : { 'client-key': clientKey }),
  };
  if (Object.keys(given).length === 0) return user;
  const impersonation = ['as', 'as-groups', 'as-uid'].map((name) => [name, user[name]] as const);
  return { ...Object.fromEntries(impersonation), ...given };
};

const credentialsOf = async (
  path: string,
  user: Fields,
  cluster: Fields,
  signal: AbortSignal | undefined,
): Promise<Pick<ClientConfig, 'cert' | 'key' | 'authorization'>> => {
  if (user['auth-provider'] !== undefined && user['auth-provider'] !== null) {
    throw fault(path, 'auth-provider is not supported, as in kubectl since 1.26: use exec');
  }
  const cert = pemOf(path, user, 'client-certificate');
  const key = pemOf(path, user, 'client-key');
  const file = text(user, 'tokenFile');
  const token = file === undefined ? text(user, 'token') : readFile(path, file).trim();
  const name = text(user, 'username');
  if (token !== undefined) return { cert, key, authorization: `Bearer ${token}` };
  if (name !== undefined) {
    const pair = Buffer.from(`${name}:${text(user, 'password') ?? ''}`).toString('base64');
    return { cert, key, authorization: `Basic ${pair}` };
  }
  const { exec } = user;
  if (!isJsonObject(exec)) return { cert, key, authorization: undefined };
  const ca = pemOf(path, cluster, 'certificate-authority');
  const got = await runExecCredential({ path, exec, cluster, ca, signal });
  return {
    cert: got.cert ?? cert,
    key: got.key ?? key,
    authorization: got.token === undefined ? undefined : `Bearer ${got.token}`,
  };
};

/** `contexts: [{name, context: {...}}]` and its two siblings. */
const entry = (path: string, file: Fields, list: ListName, name: string): Fields => {
  const field = KUBECONFIG_LISTS[list];
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
  return file === undefined ? undefined : readFile(path, file);
};
