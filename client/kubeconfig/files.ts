import { homedir } from 'node:os';
import { dirname, isAbsolute, join, resolve } from 'node:path';
import { FileTooLargeError, readWithin } from '../../lib/files';
import { isJsonObject, parseJson } from '../../lib/json';

/** The file cannot be used; the message says which file, what is wrong and what to do. */
export class KubeconfigError extends Error {}

/** A mapping of a kubeconfig. What it holds beside what we know stays as it is. */
export type Fields = Readonly<Record<string, unknown>>;

/** The lists of a kubeconfig, and the field in which each of their items has its content. */
export const KUBECONFIG_LISTS = {
  contexts: 'context',
  clusters: 'cluster',
  users: 'user',
} as const;
export type ListName = keyof typeof KUBECONFIG_LISTS;

/**
 * Where a kubeconfig is: `--kubeconfig`, the files of `$KUBECONFIG`, `~/.kube/config`, in this order. Of several
 * files, the first to say a thing counts.
 */
export const kubeconfigPaths = (
  flag: string | undefined,
  env = process.env,
): readonly [string, ...string[]] => {
  if (flag !== undefined) return [flag];
  const named = (env['KUBECONFIG'] ?? '').split(':').filter((path) => path !== '');
  const [first, ...others] = new Set(named);
  return first === undefined ? [join(homedir(), '.kube', 'config')] : [first, ...others];
};

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

/**
 * Several files as one: of entries with one name, and of what is no list, the first counts. Paths in a file are
 * from its folder, and come out absolute. Source: kubectl's rules for $KUBECONFIG.
 */
export const mergedKubeconfig = (
  files: readonly { readonly path: string; readonly fields: Fields }[],
): Fields => {
  const merged: Record<string, unknown> = {};
  for (const { path, fields } of files) {
    for (const [key, value] of Object.entries(withAbsolutePaths(fields, dirname(resolve(path))))) {
      if (isListName(key)) merged[key] = united(merged[key], value);
      else if (isUnset(merged[key])) merged[key] = value;
    }
  }
  return merged;
};

const isListName = (key: string): key is ListName => Object.hasOwn(KUBECONFIG_LISTS, key);
const isUnset = (value: unknown): boolean => value === undefined || value === null || value === '';

const united = (before: unknown, items: unknown): readonly unknown[] => {
  const known: readonly unknown[] = Array.isArray(before) ? before : [];
  const names = new Set(known.map(nameOf));
  const all: readonly unknown[] = Array.isArray(items) ? items : [];
  return [...known, ...all.filter((item) => !names.has(nameOf(item)))];
};

const nameOf = (item: unknown): unknown => (isJsonObject(item) ? item['name'] : undefined);

const withAbsolutePaths = (fields: Fields, folder: string): Fields =>
  Object.fromEntries(
    Object.entries(fields).map(([key, value]) => [
      key,
      isListName(key) && Array.isArray(value)
        ? value.map((item: unknown) => itemFrom(item, KUBECONFIG_LISTS[key], folder))
        : value,
    ]),
  );

const itemFrom = (item: unknown, field: string, folder: string): unknown => {
  const content = isJsonObject(item) ? item[field] : undefined;
  if (!isJsonObject(item) || !isJsonObject(content)) return item;
  const absolute = Object.fromEntries(
    PATH_FIELDS.flatMap((name) => {
      const path = content[name];
      if (typeof path !== 'string' || path === '' || isAbsolute(path)) return [];
      return [[name, resolve(folder, path)] as const];
    }),
  );
  const exec = content['exec'];
  const program = isJsonObject(exec) ? { exec: execFrom(exec, folder) } : {};
  return { ...item, [field]: { ...content, ...absolute, ...program } };
};

/** A bare name is looked for on PATH. */
const execFrom = (exec: Fields, folder: string): Fields => {
  const command = exec['command'];
  return typeof command === 'string' && command.includes('/')
    ? { ...exec, command: resolve(folder, command) }
    : exec;
};

const PATH_FIELDS = ['certificate-authority', 'client-certificate', 'client-key', 'tokenFile'];

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

/** The text of `file`, which is the kubeconfig at `path` or named by it. @throws KubeconfigError */
export const readFile = (path: string, file: string): string => {
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

export const fault = (path: string, why: string, cause?: unknown) =>
  new KubeconfigError(`kubeconfig ${path}: ${why}`, { cause });

/** What a field says; undefined where it is empty, or no text. */
export const text = (fields: Fields, name: string): string | undefined => {
  const value = fields[name];
  return typeof value === 'string' && value !== '' ? value : undefined;
};
