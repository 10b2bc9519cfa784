import { hasReason } from '../../api/errors';
import { groupOf } from '../../api/owners';
import { pathOf } from '../../api/resources';
import type { ApiObject } from '../../api/types';
import { queryOf } from '../../client/rest-client';
import { systemClock } from '../../lib/clock';
import type { CliContext } from '../context';
import { formatViews, listDocument, outputFormat, type OutputFormat } from '../output/format';
import { sorterBy, type Sorter } from '../output/sorting';
import { targetsFor } from '../selection';
import { namespaceFor, type PlacedTarget } from '../targets';
import { reasonLine } from '../tree/readiness';
import { UsageError } from '../usage-error';
import type { NamedResource } from '../well-known';
import { collectFound } from './found';
import { renderTable, TABLE, tableOf, type Table, type TableStyle } from './server-table';

export interface GetOptions {
  readonly selector?: string;
  readonly fieldSelector?: string;
  readonly output?: string;
  readonly watch?: boolean;
  readonly headers?: boolean;
  readonly showLabels?: boolean;
  readonly labelColumns?: readonly string[];
  readonly sortBy?: string;
  readonly ignoreNotFound?: boolean;
  readonly showKind?: boolean;
  readonly raw?: string;
  readonly subresource?: string;
  readonly showReason?: boolean;
  readonly filename?: readonly string[];
  readonly recursive?: boolean;
  readonly showManagedFields?: boolean;
  readonly outputWatchEvents?: boolean;
}

export const get = async (
  context: CliContext,
  args: readonly string[],
  options: GetOptions,
): Promise<void> => {
  if (options.raw !== undefined) return getRaw(context, args, options.raw);
  const format = outputFormat(options.output);
  const order = options.sortBy === undefined ? undefined : sorterBy(options.sortBy);
  const targets = await targetsFor(context, args, options);
  if (options.subresource !== undefined) refuseBulk(targets, options);
  if (options.watch === true) {
    const [target] = targets;
    if (targets.length !== 1 || target === undefined)
      throw new UsageError('--watch takes one kind');
    const { watch } = await import('./watch.js');
    return watch(context, target, options, format);
  }
  if (format === 'table' || format === 'wide')
    await printTables(context, targets, options, { format, order });
  else await printObjects(context, targets, options, { format, order });
};

/** Subresources are read one by one, and not watched. @throws UsageError */
const refuseBulk = (
  targets: readonly PlacedTarget[],
  { selector, fieldSelector, watch }: GetOptions,
): void => {
  const isNamed = targets.every(({ name }) => name !== undefined);
  if (!isNamed || (selector ?? fieldSelector) !== undefined)
    throw new UsageError('subresource cannot be used when bulk resources are specified');
  if (watch === true) throw new UsageError('--watch takes no --subresource');
};

/** What the server answers at a path, as it is. @throws UsageError */
const getRaw = async (
  { client, terminal, signal }: CliContext,
  args: readonly string[],
  path: string,
): Promise<void> => {
  if (args.length > 0) {
    throw new UsageError('arguments may not be passed when --raw is specified');
  }
  if (!path.startsWith('/')) throw new UsageError(`--raw takes a path: /healthz, not "${path}"`);
  const response = await client.http.open({ method: 'GET', path, accept: '*/*', signal });
  for await (const chunk of response as AsyncIterable<Buffer>) {
    if (!terminal.out.write(chunk)) {
      await new Promise((resolve) => terminal.out.once('drain', resolve));
    }
  }
};

interface Printing {
  readonly format: OutputFormat;
  readonly order: Sorter | undefined;
}

/** One table a kind. What is not there is told after what is. */
const printTables = async (
  context: CliContext,
  targets: readonly PlacedTarget[],
  options: GetOptions,
  { format, order }: Printing,
): Promise<void> => {
  const { found, failure } = await collectFound(targets, (target) =>
    fetchTable(context, target, {
      ...options,
      wantsObjects: order !== undefined || options.showReason === true,
    }),
  );
  const isPrefixed = options.showKind === true || areMixed(targets);
  const printed = [...tablesByKind(found)].map(([info, { rows, ...table }]) => {
    const sorted = order === undefined ? rows : order(rows, ({ object }) => object);
    const style = tableStyle(context, info, options, format, isPrefixed);
    return renderTable({ ...table, rows: sorted }, style);
  });
  const failed = unlessIgnored(failure, options);
  if (printed.length > 0) context.terminal.out.write(printed.join('\n'));
  else if (failed === undefined && options.ignoreNotFound !== true)
    context.terminal.err.write(`${nothingFound(context, targets)}\n`);
  if (failed !== undefined) throw failed;
};

/** What `--ignore-not-found` leaves of what failed. */
const unlessIgnored = (
  failure: Error | undefined,
  { ignoreNotFound }: GetOptions,
): Error | undefined => {
  if (ignoreNotFound !== true || failure === undefined) return failure;
  const all: readonly Error[] =
    failure instanceof AggregateError ? (failure.errors as Error[]) : [failure];
  return all.find((error) => !hasReason(error, 'NotFound'));
};

/** `pod/a deploy/b`: the rows have to say what they are. */
const areMixed = (targets: readonly PlacedTarget[]): boolean =>
  new Set(targets.map(({ info }) => qualifiedKind(info))).size > 1;

/** The rows of the same kind in one table. */
const tablesByKind = (
  found: readonly (readonly [PlacedTarget, Table])[],
): ReadonlyMap<NamedResource, Table> => {
  const tables = new Map<string, readonly [NamedResource, Table]>();
  for (const [{ info }, table] of found) {
    if (table.rows.length === 0) continue;
    const known = tables.get(qualifiedKind(info))?.[1];
    const rows = [...(known?.rows ?? []), ...table.rows];
    tables.set(qualifiedKind(info), [info, { ...table, rows }]);
  }
  return new Map(tables.values());
};

/** How `options` want the rows of `info` to look. */
export const tableStyle = (
  { namespace }: CliContext,
  info: NamedResource,
  { headers, showLabels, labelColumns = [], showReason }: GetOptions,
  format: OutputFormat,
  isPrefixed: boolean,
): TableStyle => ({
  isWide: format === 'wide',
  showNamespace: info.isNamespaced && namespace === undefined,
  showLabels: showLabels === true,
  labelColumns,
  showHeader: headers !== false,
  prefix: isPrefixed ? `${qualifiedKind(info)}/` : '',
  ...(showReason === true && info.kind === 'Pod' ? { lastColumn: REASONS } : {}),
});

const REASONS = { title: 'REASON', text: reasonLine };

/** `pod`, `deployment.apps` */
export const qualifiedKind = ({ kind, group }: Pick<NamedResource, 'kind' | 'group'>): string =>
  `${kind.toLowerCase()}${group === '' ? '' : `.${group}`}`;

const nothingFound = ({ namespace }: CliContext, targets: readonly PlacedTarget[]): string =>
  targets.some(({ info }) => info.isNamespaced) && namespace !== undefined
    ? `No resources found in ${namespace} namespace.`
    : 'No resources found';

const fetchTable = async (
  context: CliContext,
  { info, name, namespace: own }: PlacedTarget,
  options: GetOptions & { readonly wantsObjects: boolean },
): Promise<Table> => {
  const { client, signal } = context;
  const { selector, fieldSelector, wantsObjects, subresource = '' } = options;
  const path = pathOf(
    info,
    namespaceFor(context, info, own),
    name ?? '',
    encodeURIComponent(subresource),
  );
  const query = {
    labelSelector: selector,
    fieldSelector,
    includeObject: wantsObjects ? 'Object' : undefined,
  };
  const answer = await client.json<Table | ApiObject>({
    method: 'GET',
    path: path + queryOf(query),
    accept: TABLE,
    signal,
  });
  return tableOf(answer, systemClock.now());
};

const printObjects = async (
  context: CliContext,
  targets: readonly PlacedTarget[],
  options: GetOptions,
  { format, order }: Printing,
): Promise<void> => {
  const { found, failure } = await collectFound(targets, (target) =>
    fetchObjects(context, target, options),
  );
  const whole = found.flatMap(([, items]) => items);
  const unsorted = options.showManagedFields === true ? whole : whole.map(withoutManagedFields);
  const objects = order === undefined ? unsorted : order(unsorted, (object) => object);
  const failed = unlessIgnored(failure, options);
  const isSingle = targets.length === 1 && targets[0]?.name !== undefined;
  if (isSingle && objects.length === 0 && failed === undefined) return;
  if (failed === undefined || objects.length > 0) {
    const document = isSingle ? objects[0] : listDocument(objects);
    const names = objects.map(nameOf);
    context.terminal.out.write(formatViews({ document, names, table: () => '' }, format));
  }
  if (failed !== undefined) throw failed;
};

const fetchObjects = async (
  context: CliContext,
  { info, name, namespace: own }: PlacedTarget,
  { selector, fieldSelector, subresource = '' }: GetOptions,
): Promise<readonly ApiObject[]> => {
  const { client, signal } = context;
  const namespace = namespaceFor(context, info, own);
  if (name !== undefined) {
    const path = pathOf(info, namespace, name, encodeURIComponent(subresource));
    return [await client.json<ApiObject>({ method: 'GET', path, signal })];
  }
  const selectors = {
    ...(selector === undefined ? {} : { labelSelector: selector }),
    ...(fieldSelector === undefined ? {} : { fieldSelector }),
  };
  return (await client.list(info, { namespace, ...selectors }, signal)).items;
};

/** `pod/web` */
const nameOf = ({ apiVersion, kind, metadata }: ApiObject): string =>
  `${qualifiedKind({ kind, group: groupOf(apiVersion) })}/${metadata.name}`;

/** Bookkeeping of field owners is noise to a reader. */
export const withoutManagedFields = (object: ApiObject): ApiObject => {
  const { managedFields: _hidden, ...metadata } = object.metadata;
  return { ...object, metadata };
};
