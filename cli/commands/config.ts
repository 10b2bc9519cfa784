import { dirname, resolve } from 'node:path';
import type { Fields, ListName } from '../../client/kubeconfig/files';
import { readWithin } from '../../lib/files';
import {
  entriesOf,
  entryOf,
  minified,
  redacted,
  REMOVED,
  withEntry,
  withoutEntry,
  withRenamed,
} from '../config/entries';
import {
  changeConfig,
  fileOf,
  filePaths,
  fileWith,
  readConfig,
  type FileOptions,
} from '../config/file';
import { formatViews, outputFormat } from '../output/format';
import { formatTable } from '../output/table';
import { printable, type Terminal } from '../output/terminal';
import { UsageError } from '../usage-error';

export interface ViewOptions extends FileOptions {
  readonly context?: string;
  readonly raw?: boolean;
  readonly minify?: boolean;
  readonly flatten?: boolean;
  readonly output?: string;
}

/** Prints the kubeconfig; without `--raw`, not what opens doors. */
export const view = async (terminal: Terminal, options: ViewOptions): Promise<void> => {
  const format = outputFormat(options.output ?? 'yaml');
  const paths = filePaths(options);
  const file = await readConfig(paths);
  const context = options.context ?? currentOf(file);
  if (options.minify === true) requireContext(file, context);
  const small = options.minify === true ? minified(file, context) : file;
  const whole = options.flatten === true ? flattened(small, paths[0]) : small;
  const document = options.raw === true ? whole : redacted(whole);
  terminal.out.write(formatViews({ document, names: [], table: () => '' }, format));
};

/** Files become their content. */
const flattened = (file: Fields, path: string): Fields => {
  const lists: readonly ListName[] = ['clusters', 'users'];
  let changed: Fields = file;
  for (const list of lists) {
    for (const { name, content } of entriesOf(file, list)) {
      changed = withEntry(changed, list, name, embedded(content, dirname(path)));
    }
  }
  return changed;
};

const embedded = (content: Fields, folder: string): Readonly<Record<string, unknown>> =>
  Object.fromEntries(
    FILE_FIELDS.flatMap((field): readonly (readonly [string, unknown])[] => {
      const file = content[field];
      if (typeof file !== 'string' || file === '') return [];
      return [
        [field, REMOVED],
        [`${field}-data`, contentOf(resolve(folder, file)).toString('base64')],
      ];
    }),
  );

const contentOf = (file: string): Buffer => {
  try {
    return readWithin(file, FILE_BYTES_MAX);
  } catch (error) {
    throw new UsageError(`cannot read ${file}: ${(error as Error).message}`, { cause: error });
  }
};

export const getContexts = async (
  terminal: Terminal,
  names: readonly string[],
  options: FileOptions & { readonly output?: string; readonly headers?: boolean },
): Promise<void> => {
  const { output = '' } = options;
  if (output !== '' && output !== 'name') {
    throw new UsageError(`output must be one of '' or 'name': ${output}`);
  }
  const file = await readConfig(filePaths(options));
  for (const name of names) {
    if (entryOf(file, 'contexts', name) === undefined) {
      throw new UsageError(`context ${name} not found`);
    }
  }
  const contexts = entriesOf(file, 'contexts')
    .filter(({ name }) => names.length === 0 || names.includes(name))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
  if (output === 'name') {
    terminal.out.write(contexts.map(({ name }) => `${printable(name)}\n`).join(''));
    return;
  }
  const rows = contexts.map(({ name, content }) =>
    [
      name === currentOf(file) ? '*' : '',
      name,
      ...['cluster', 'user', 'namespace'].map((field) => textIn(content, field)),
    ].map(printable),
  );
  terminal.out.write(formatTable(options.headers === false ? undefined : TITLES, rows));
};

const listNames =
  (list: ListName) =>
  async (terminal: Terminal, options: FileOptions): Promise<void> => {
    const names = entriesOf(await readConfig(filePaths(options)), list).map(({ name }) => name);
    terminal.out.write(
      formatTable(
        ['NAME'],
        names.sort().map((name) => [printable(name)]),
      ),
    );
  };

export const getClusters = listNames('clusters');
export const getUsers = listNames('users');

export const currentContext = async (terminal: Terminal, options: FileOptions): Promise<void> => {
  const current = currentOf(await readConfig(filePaths(options)));
  if (current === '') throw new UsageError('current-context is not set');
  terminal.out.write(`${printable(current)}\n`);
};

export const useContext = async (
  terminal: Terminal,
  name: string,
  options: FileOptions,
): Promise<void> => {
  requireContext(await readConfig(filePaths(options)), name);
  await setCurrent(options, name);
  terminal.out.write(`Switched to context "${name}".\n`);
};

/** Where it is set already, or else where new things go. */
const setCurrent = async (options: FileOptions, name: string): Promise<void> => {
  const path = await fileWith(filePaths(options), (file) => currentOf(file) !== '');
  await changeConfig(path, (file) => ({ ...file, 'current-context': name }));
};

const requireContext = (file: Fields, name: string): void => {
  if (entryOf(file, 'contexts', name) === undefined) {
    throw new UsageError(`no context exists with the name: "${name}"`);
  }
};

export interface SetContextOptions extends FileOptions {
  readonly current?: boolean;
  readonly cluster?: string;
  readonly user?: string;
  readonly namespace?: string;
}

export const setContext = async (
  terminal: Terminal,
  given: string | undefined,
  options: SetContextOptions,
): Promise<void> => {
  if ((given === undefined) !== (options.current === true)) {
    throw new UsageError('you must specify a non-empty context name, or --current');
  }
  const { cluster, user, namespace } = options;
  const name = given ?? currentOf(await readConfig(filePaths(options)));
  if (name === '') throw new UsageError('no current context is set');
  const done = { isThere: false };
  await changeConfig(await fileOf(options, 'contexts', name), (file) => {
    done.isThere = entryOf(file, 'contexts', name) !== undefined;
    return withEntry(file, 'contexts', name, { cluster, user, namespace });
  });
  terminal.out.write(`Context "${name}" ${done.isThere ? 'modified' : 'created'}.\n`);
};

export interface SetClusterOptions extends FileOptions {
  readonly server?: string;
  readonly certificateAuthority?: string;
  readonly embedCerts?: string | boolean;
  readonly insecureSkipTlsVerify?: string | boolean;
  readonly tlsServerName?: string;
  readonly proxyUrl?: string;
}

export const setCluster = async (
  terminal: Terminal,
  name: string,
  options: SetClusterOptions,
): Promise<void> => {
  const { server, certificateAuthority, insecureSkipTlsVerify, tlsServerName, proxyUrl } = options;
  const skips = isSet(insecureSkipTlsVerify);
  if (skips === true && certificateAuthority !== undefined) {
    throw new UsageError('you cannot specify a certificate authority and insecure mode together');
  }
  const changes = {
    server,
    ...fileOrData('certificate-authority', certificateAuthority, options),
    // The one excludes the other.
    ...(skips === true
      ? { 'certificate-authority': REMOVED, 'certificate-authority-data': REMOVED }
      : {}),
    'insecure-skip-tls-verify': skips ?? (certificateAuthority === undefined ? undefined : REMOVED),
    'tls-server-name': tlsServerName,
    'proxy-url': proxyUrl,
  };
  const path = await fileOf(options, 'clusters', name);
  await changeConfig(path, (file) => withEntry(file, 'clusters', name, changes));
  terminal.out.write(`Cluster "${name}" set.\n`);
};

export interface SetCredentialsOptions extends FileOptions {
  readonly clientCertificate?: string;
  readonly clientKey?: string;
  readonly embedCerts?: string | boolean;
  readonly token?: string;
  readonly username?: string;
  readonly password?: string;
}

export const setCredentials = async (
  terminal: Terminal,
  name: string,
  options: SetCredentialsOptions,
): Promise<void> => {
  const { token, username, password, clientCertificate, clientKey } = options;
  if (token !== undefined && (username !== undefined || password !== undefined)) {
    throw new UsageError('you cannot specify more than one authentication method at the same time');
  }
  const changes = {
    ...fileOrData('client-certificate', clientCertificate, options),
    ...fileOrData('client-key', clientKey, options),
    ...(token === undefined ? {} : { token, username: REMOVED, password: REMOVED }),
    ...(username === undefined && password === undefined
      ? {}
      : { token: REMOVED, username, password }),
  };
  const path = await fileOf(options, 'users', name);
  await changeConfig(path, (file) => withEntry(file, 'users', name, changes));
  terminal.out.write(`User "${name}" set.\n`);
};

/** A file by its path, or with `--embed-certs` by its content: the one takes the other's place. */
const fileOrData = (
  field: string,
  file: string | undefined,
  { embedCerts }: { readonly embedCerts?: string | boolean },
): Readonly<Record<string, unknown>> => {
  if (file === undefined) return {};
  return isSet(embedCerts) === true
    ? { [field]: REMOVED, [`${field}-data`]: contentOf(file).toString('base64') }
    : { [field]: resolve(file), [`${field}-data`]: REMOVED };
};

const isSet = (flag: string | boolean | undefined): boolean | undefined =>
  flag === undefined ? undefined : flag === true || flag === 'true';

const remove =
  (list: ListName, what: string) =>
  async (terminal: Terminal, name: string, options: FileOptions): Promise<void> => {
    const path = await fileOf(options, list, name);
    await changeConfig(path, (file) => {
      if (entryOf(file, list, name) === undefined) {
        throw new UsageError(`cannot delete ${what} ${name}, not in ${path}`);
      }
      if (list === 'contexts' && currentOf(file) === name) {
        terminal.err.write(
          'warning: this removed your active context, use "dhow config use-context" to select a different one\n',
        );
      }
      return withoutEntry(file, list, name);
    });
    terminal.out.write(`deleted ${what} ${name} from ${path}\n`);
  };

export const deleteContext = remove('contexts', 'context');
export const deleteCluster = remove('clusters', 'cluster');
export const deleteUser = remove('users', 'user');

export const renameContext = async (
  terminal: Terminal,
  from: string,
  to: string,
  options: FileOptions,
): Promise<void> => {
  const path = await fileOf(options, 'contexts', from);
  const refuse = (why: string) => new UsageError(`cannot rename the context "${from}", ${why}`);
  const taken = await fileOf(options, 'contexts', to);
  const other = await readConfig([taken]);
  await changeConfig(path, (file) => {
    if (entryOf(file, 'contexts', from) === undefined) throw refuse(`it's not in ${path}`);
    const isTaken = entryOf(taken === path ? file : other, 'contexts', to) !== undefined;
    if (isTaken) throw refuse(`the context "${to}" already exists in ${taken}`);
    const renamed = withRenamed(file, 'contexts', from, to);
    return currentOf(file) === from ? { ...renamed, 'current-context': to } : renamed;
  });
  // It may be the current one by what another file says.
  if (currentOf(await readConfig(filePaths(options))) === from) await setCurrent(options, to);
  terminal.out.write(`Context "${from}" renamed to "${to}".\n`);
};

const currentOf = (file: Fields): string => textIn(file, 'current-context');

const textIn = (fields: Fields, name: string): string => {
  const value = fields[name];
  return typeof value === 'string' ? value : '';
};

const TITLES = ['CURRENT', 'NAME', 'CLUSTER', 'AUTHINFO', 'NAMESPACE'];
const FILE_FIELDS = ['certificate-authority', 'client-certificate', 'client-key'];
const FILE_BYTES_MAX = 16 * 1024 * 1024;
