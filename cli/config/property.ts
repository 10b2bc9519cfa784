import { KUBECONFIG_LISTS, type Fields, type ListName } from '../../client/kubeconfig/files';
import { UsageError } from '../usage-error';
import { entriesOf } from './entries';

/** What `config set` and `unset` name: a field of an entry, an entry, or a field of the file. */
export type Property =
  | { readonly of: 'file'; readonly field: 'current-context' }
  | { readonly of: 'entry'; readonly list: ListName; readonly name: string }
  | {
      readonly of: 'entry';
      readonly list: ListName;
      readonly name: string;
      readonly field: string;
    };

/**
 * Reads `clusters.NAME.server`, `users.NAME`, `current-context`. Names may have dots: one that is there counts
 * before one that is not. @throws UsageError
 */
export const propertyOf = (text: string, file: Fields): Property => {
  if (text === 'current-context') return { of: 'file', field: text };
  const [list = '', ...rest] = text.split('.');
  if (!isListName(list)) {
    throw new UsageError(
      `"${text}" is not a property: it begins with clusters., contexts. or users., or is current-context`,
    );
  }
  const path = rest.join('.');
  const name = entriesOf(file, list)
    .map((entry) => entry.name)
    .filter((each) => path === each || path.startsWith(`${each}.`))
    .sort((a, b) => b.length - a.length)[0];
  if (name === path && name !== '') return { of: 'entry', list, name };
  const field = name === undefined ? lastOf(path, list) : path.slice(name.length + 1);
  const given =
    name ?? path.slice(0, Math.max(0, path.length - field.length - (field === '' ? 0 : 1)));
  if (given === '') throw new UsageError(`"${text}": the name is missing`);
  if (field === '') return { of: 'entry', list, name: given };
  if (!FIELDS[list].has(field)) {
    const known = [...FIELDS[list].keys()].join(', ');
    throw new UsageError(
      `"${text}": ${KUBECONFIG_LISTS[list]} has no field "${field}"; it has ${known}`,
    );
  }
  return { of: 'entry', list, name: given, field };
};

/** The field at the end of a path whose name is not there yet; empty where the path is a name alone. */
const lastOf = (path: string, list: ListName): string => {
  const last = path.slice(path.lastIndexOf('.') + 1);
  return path.includes('.') || FIELDS[list].has(last) ? last : '';
};

/** What is stored for `text`. @throws UsageError where it does not fit the field */
export const propertyValue = (
  list: ListName,
  field: string,
  text: string,
  isRaw: boolean,
): string | boolean => {
  const type = FIELDS[list].get(field);
  if (type === 'boolean') {
    if (text === 'true' || text === 'false') return text === 'true';
    throw new UsageError(`${field}: "${text}" is neither true nor false`);
  }
  if (type !== 'bytes') return text;
  if (isRaw) return Buffer.from(text).toString('base64');
  if (Buffer.from(text, 'base64').toString('base64') === text) return text;
  throw new UsageError(`${field}: it is not base64; with --set-raw-bytes it is taken as it is`);
};

const isListName = (text: string): text is ListName => Object.hasOwn(KUBECONFIG_LISTS, text);

/** Source: clientcmd/api/v1/types.go. Lists and mappings are for an editor. */
const FIELDS: Readonly<Record<ListName, ReadonlyMap<string, 'string' | 'boolean' | 'bytes'>>> = {
  clusters: new Map([
    ['server', 'string'],
    ['tls-server-name', 'string'],
    ['insecure-skip-tls-verify', 'boolean'],
    ['certificate-authority', 'string'],
    ['certificate-authority-data', 'bytes'],
    ['proxy-url', 'string'],
    ['disable-compression', 'boolean'],
  ]),
  contexts: new Map([
    ['cluster', 'string'],
    ['user', 'string'],
    ['namespace', 'string'],
  ]),
  users: new Map([
    ['client-certificate', 'string'],
    ['client-certificate-data', 'bytes'],
    ['client-key', 'string'],
    ['client-key-data', 'bytes'],
    ['token', 'string'],
    ['tokenFile', 'string'],
    ['as', 'string'],
    ['as-uid', 'string'],
    ['username', 'string'],
    ['password', 'string'],
  ]),
};
