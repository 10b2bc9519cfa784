import { KUBECONFIG_LISTS, type Fields, type ListName } from '../../client/kubeconfig/files';
import { isJsonObject } from '../../lib/json';

interface Entry {
  readonly name: string;
  readonly content: Fields;
}

/** The items of a list that have a name, in order. */
export const entriesOf = (file: Fields, list: ListName): readonly Entry[] => {
  const items = file[list];
  if (!Array.isArray(items)) return [];
  return items.flatMap((item: unknown) => {
    if (!isJsonObject(item) || typeof item['name'] !== 'string') return [];
    const content = item[KUBECONFIG_LISTS[list]];
    return [{ name: item['name'], content: isJsonObject(content) ? content : {} }];
  });
};

export const entryOf = (file: Fields, list: ListName, name: string): Fields | undefined =>
  entriesOf(file, list).find((entry) => entry.name === name)?.content;

/**
 * The file with an item changed, or added at the end. Fields of `changes` that are undefined stay as
 * they are, and so does all that nobody knows.
 */
export const withEntry = (
  file: Fields,
  list: ListName,
  name: string,
  changes: Readonly<Record<string, unknown>>,
): Fields => {
  const given = Object.entries(changes).filter(([, value]) => value !== undefined);
  const changed = (content: Fields): Fields =>
    Object.fromEntries(
      Object.entries({ ...content, ...Object.fromEntries(given) }).filter(
        ([, value]) => value !== REMOVED,
      ),
    );
  const items = itemsOf(file, list);
  const isThere = items.some((item) => isNamed(item, name));
  const next = isThere
    ? items.map((item) =>
        isNamed(item, name)
          ? { ...item, [KUBECONFIG_LISTS[list]]: changed(contentOf(item, KUBECONFIG_LISTS[list])) }
          : item,
      )
    : [...items, { name, [KUBECONFIG_LISTS[list]]: changed({}) }];
  return { ...DEFAULTS, ...file, [list]: next };
};

/** What `withEntry` takes for a field that goes. */
export const REMOVED = Symbol('removed');

export const withoutEntry = (file: Fields, list: ListName, name: string): Fields => ({
  ...file,
  [list]: itemsOf(file, list).filter((item) => !isNamed(item, name)),
});

export const withRenamed = (file: Fields, list: ListName, from: string, to: string): Fields => ({
  ...file,
  [list]: itemsOf(file, list).map((item) =>
    isNamed(item, from) && isJsonObject(item) ? { ...item, name: to } : item,
  ),
});

/** Without what opens doors: keys, tokens and passwords. */
export const redacted = (file: Fields): Fields => {
  const hidden = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(hidden);
    if (!isJsonObject(value)) return value;
    return Object.fromEntries(
      Object.entries(value).map(([key, inner]) => [key, HIDDEN.get(key) ?? hidden(inner)]),
    );
  };
  return hidden(file) as Fields;
};

/** Only what one context needs. */
export const minified = (file: Fields, context: string): Fields => {
  const { cluster, user } = entryOf(file, 'contexts', context) ?? {};
  const only = (list: ListName, name: unknown) =>
    itemsOf(file, list).filter((item) => typeof name === 'string' && isNamed(item, name));
  return {
    ...file,
    'current-context': context,
    contexts: only('contexts', context),
    clusters: only('clusters', cluster),
    users: only('users', user),
  };
};

const itemsOf = (file: Fields, list: ListName): readonly unknown[] => {
  const items = file[list];
  return Array.isArray(items) ? items : [];
};

const isNamed = (item: unknown, name: string): item is Fields =>
  isJsonObject(item) && item['name'] === name;

const contentOf = (item: Fields, field: string): Fields => {
  const content = item[field];
  return isJsonObject(content) ? content : {};
};

const HIDDEN: ReadonlyMap<string, string> = new Map([
  ['certificate-authority-data', 'DATA+OMITTED'],
  ['client-certificate-data', 'DATA+OMITTED'],
  ['client-key-data', 'DATA+OMITTED'],
  ['token', 'REDACTED'],
  ['password', 'REDACTED'],
]);

const DEFAULTS: Fields = { apiVersion: 'v1', kind: 'Config' };
