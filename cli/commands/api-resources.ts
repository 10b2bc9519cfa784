import { apiVersionOf, qualifiedName } from '../../api/resources';
import type { CliContext } from '../context';
import type { OfferedResource } from '../discovery';
import { formatViews } from '../output/format';
import { formatTable } from '../output/table';
import { UsageError } from '../usage-error';

export interface ApiResourcesOptions {
  readonly apiGroup?: string;
  readonly namespaced?: string | boolean;
  readonly verbs?: readonly string[];
  readonly categories?: readonly string[];
  readonly output?: string;
  readonly sortBy?: string;
  readonly headers?: boolean;
}

/** The kinds that the server serves. */
export const apiResources = async (
  context: CliContext,
  options: ApiResourcesOptions,
): Promise<void> => {
  const { output = '', sortBy = '' } = options;
  if (!OUTPUTS.has(output)) {
    throw new UsageError(`--output ${output} is not available`);
  }
  if (!ORDERS.has(sortBy)) {
    throw new UsageError(`--sort-by accepts only name or kind, not "${sortBy}"`);
  }
  const kinds = sorted(wanted(await context.allKinds(), options), sortBy);
  context.terminal.out.write(textOf(kinds, options));
};

/** Pure: the kinds that the options leave. */
export const wanted = (
  kinds: readonly OfferedResource[],
  { apiGroup, namespaced, verbs = [], categories = [] }: ApiResourcesOptions,
): readonly OfferedResource[] =>
  kinds.filter(
    (kind) =>
      (apiGroup === undefined || kind.group === apiGroup) &&
      (namespaced === undefined || kind.isNamespaced === isTrue(namespaced)) &&
      verbs.every((verb) => kind.verbs.includes(verb)) &&
      categories.every((category) => kind.categories.includes(category)),
  );

const isTrue = (value: string | boolean): boolean => {
  if (value === true || value === 'true') return true;
  if (value === false || value === 'false') return false;
  throw new UsageError(`--namespaced takes true or false, not "${value}"`);
};

const sorted = (kinds: readonly OfferedResource[], sortBy: string): readonly OfferedResource[] => {
  const key = (kind: OfferedResource): string =>
    sortBy === 'name' ? kind.plural : sortBy === 'kind' ? kind.kind : kind.group;
  return [...kinds].sort(
    (a, b) => compareTexts(key(a), key(b)) || compareTexts(a.plural, b.plural),
  );
};

const compareTexts = (a: string, b: string): number => (a < b ? -1 : Number(a > b));

const textOf = (
  kinds: readonly OfferedResource[],
  { output = '', headers }: ApiResourcesOptions,
): string => {
  if (output === 'name') return kinds.map((kind) => `${qualifiedName(kind)}\n`).join('');
  if (output === 'json' || output === 'yaml') {
    return formatViews({ document: listOf(kinds), names: [], table: () => '' }, output);
  }
  const isWide = output === 'wide';
  return formatTable(
    headers === false ? undefined : [...TITLES, ...(isWide ? ['VERBS', 'CATEGORIES'] : [])],
    kinds.map((kind) => [
      kind.plural,
      kind.shortNames.join(','),
      apiVersionOf(kind),
      String(kind.isNamespaced),
      kind.kind,
      ...(isWide ? [[...kind.verbs].sort().join(','), kind.categories.join(',')] : []),
    ]),
  );
};

const listOf = (kinds: readonly OfferedResource[]) => ({
  kind: 'APIResourceList',
  apiVersion: 'v1',
  groupVersion: '',
  resources: kinds.map(
    ({ plural, group, version, isNamespaced, kind, verbs, shortNames, categories }) => ({
      name: plural,
      ...(group === '' ? {} : { group }),
      version,
      namespaced: isNamespaced,
      kind,
      verbs,
      ...(shortNames.length === 0 ? {} : { shortNames }),
      ...(categories.length === 0 ? {} : { categories }),
    }),
  ),
});

const OUTPUTS: ReadonlySet<string> = new Set(['', 'wide', 'name', 'json', 'yaml']);
const ORDERS: ReadonlySet<string> = new Set(['', 'name', 'kind']);
const TITLES = ['NAME', 'SHORTNAMES', 'APIVERSION', 'NAMESPACED', 'KIND'];
