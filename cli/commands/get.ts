import { apiVersionOf, pathOf, type Resource } from '../../api/resources';
import type { ApiObject } from '../../api/types';
import { toYaml } from '../../api/yaml';
import { linesOf, queryOf } from '../../client/rest-client';
import { parseJson, stringifyJson } from '../../lib/json';
import type { CliContext } from '../context';
import type { ApiResourceInfo } from '../discovery';
import { formatRow, formatTable } from '../output/table';
import { printable } from '../output/terminal';
import { parseTargets, type Target } from '../targets';
import { UsageError } from '../usage-error';

export interface GetOptions {
  readonly selector?: string;
  readonly fieldSelector?: string;
  readonly output?: string;
  readonly watch?: boolean;
  readonly headers?: boolean;
  readonly showLabels?: boolean;
}

type Format = 'table' | 'wide' | 'yaml' | 'json' | 'name';

/** A server-side print of a list or an object. Source: KEP-514. */
interface Table {
  readonly metadata?: { readonly resourceVersion?: string };
  readonly columnDefinitions?: readonly { readonly name: string; readonly priority: number }[];
  readonly rows: readonly {
    readonly cells: readonly unknown[];
    readonly object?: { readonly metadata: ApiObject['metadata'] };
  }[];
}

export const get = async (
  context: CliContext,
  args: readonly string[],
  options: GetOptions,
): Promise<void> => {
  const format = formatOf(options.output);
  const targets = await parseTargets(context, args);
  if (options.watch === true) {
    const [target] = targets;
    if (targets.length !== 1 || target === undefined)
      throw new UsageError('--watch takes one kind');
    return watch(context, target, options, format);
  }
  if (format === 'table' || format === 'wide') await printTables(context, targets, options, format);
  else await printObjects(context, targets, options, format);
};

const formatOf = (output: string | undefined): Format => {
  if (output === undefined) return 'table';
  if (['wide', 'yaml', 'json', 'name'].includes(output)) return output as Format;
  throw new UsageError(
    `unable to match a printer suitable for the output format "${output}", allowed formats are: json,name,wide,yaml`,
  );
};

const printTables = async (
  context: CliContext,
  targets: readonly Target[],
  options: GetOptions,
  format: Format,
): Promise<void> => {
  const printed: string[] = [];
  for (const target of targets) {
    const table = await fetchTable(context, target, options);
    if (table.rows.length === 0) continue;
    const names = targets.length > 1 ? `${qualified(target.info)}/` : '';
    printed.push(renderTable(context, target.info, table, options, format, names));
  }
  if (printed.length > 0) context.terminal.out.write(printed.join('\n'));
  else context.terminal.err.write(`${nothingFound(context, targets)}\n`);
};

const qualified = ({ kind, group }: Resource): string =>
  `${kind.toLowerCase()}${group === '' ? '' : `.${group}`}`;

const nothingFound = ({ namespace }: CliContext, targets: readonly Target[]): string =>
  targets.some(({ info }) => info.isNamespaced) && namespace !== undefined
    ? `No resources found in ${namespace} namespace.`
    : 'No resources found';

const fetchTable = async (
  context: CliContext,
  { info, name }: Target,
  options: GetOptions,
): Promise<Table> => {
  const { client, signal } = context;
  const path = pathOf(info, namespaceFor(context, info), name ?? '');
  return client.json<Table>({
    method: 'GET',
    path: path + selectorQuery(options),
    accept: TABLE,
    signal,
  });
};

const selectorQuery = ({ selector, fieldSelector }: GetOptions): string =>
  queryOf({ labelSelector: selector, fieldSelector });

const namespaceFor = ({ namespace }: CliContext, info: ApiResourceInfo): string =>
  info.isNamespaced ? (namespace ?? '') : '';

/** Which cells to print, and their titles: priority 0 always, the others with `-o wide`. */
const columnsOf = (
  { namespace }: CliContext,
  info: ApiResourceInfo,
  table: Table,
  options: GetOptions,
  format: Format,
) => {
  const indices = (table.columnDefinitions ?? []).flatMap(({ priority }, i) =>
    priority === 0 || format === 'wide' ? [i] : [],
  );
  const showNamespace = info.isNamespaced && namespace === undefined;
  const titles = [
    ...(showNamespace ? ['NAMESPACE'] : []),
    ...indices.map((i) => table.columnDefinitions?.[i]?.name.toUpperCase() ?? ''),
    ...(options.showLabels === true ? ['LABELS'] : []),
  ];
  const cellsOf = ({ cells, object }: Table['rows'][number], prefix: string): string[] => [
    ...(showNamespace ? [object?.metadata.namespace ?? ''] : []),
    ...indices.map((i) => (i === 0 ? prefix : '') + printable(cellText(cells[i]))),
    ...(options.showLabels === true ? [labelText(object?.metadata.labels)] : []),
  ];
  return { titles, cellsOf };
};

const cellText = (cell: unknown): string =>
  cell === null || cell === undefined
    ? '<none>'
    : typeof cell === 'string'
      ? cell
      : stringifyJson(cell);

const labelText = (labels: Readonly<Record<string, string>> | undefined): string =>
  Object.entries(labels ?? {})
    .map(([name, value]) => `${name}=${value}`)
    .sort()
    .join(',') || '<none>';

const renderTable = (
  context: CliContext,
  info: ApiResourceInfo,
  table: Table,
  options: GetOptions,
  format: Format,
  prefix: string,
): string => {
  const { titles, cellsOf } = columnsOf(context, info, table, options, format);
  const rows = table.rows.map((row) => cellsOf(row, prefix));
  return formatTable(options.headers === false ? undefined : titles, rows);
};

const printObjects = async (
  context: CliContext,
  targets: readonly Target[],
  options: GetOptions,
  format: Format,
): Promise<void> => {
  const objects: ApiObject[] = [];
  for (const { info, name } of targets) {
    const namespace = namespaceFor(context, info);
    if (name !== undefined) {
      objects.push(await context.client.get(info, { namespace, name }, context.signal));
      continue;
    }
    const { selector, fieldSelector } = options;
    const list = await context.client.list(
      info,
      {
        namespace,
        ...(selector === undefined ? {} : { labelSelector: selector }),
        ...(fieldSelector === undefined ? {} : { fieldSelector }),
      },
      context.signal,
    );
    objects.push(...list.items);
  }
  const isSingle = targets.length === 1 && targets[0]?.name !== undefined;
  context.terminal.out.write(formatObjects(objects, targets, isSingle, format));
};

const formatObjects = (
  objects: readonly ApiObject[],
  targets: readonly Target[],
  isSingle: boolean,
  format: Format,
): string => {
  if (format === 'name') {
    const infoOf = ({ apiVersion, kind }: ApiObject) =>
      targets.find(({ info }) => info.kind === kind && apiVersionOf(info) === apiVersion)?.info;
    return objects
      .map((object) => {
        const info = infoOf(object);
        const type = info === undefined ? object.kind.toLowerCase() : qualified(info);
        return `${type}/${object.metadata.name}\n`;
      })
      .join('');
  }
  const document: unknown = isSingle
    ? objects[0] && withoutManagedFields(objects[0])
    : {
        apiVersion: 'v1',
        items: objects.map(withoutManagedFields),
        kind: 'List',
        metadata: { resourceVersion: '' },
      };
  return format === 'yaml' ? toYaml(document) : `${stringifyJson(document, 4)}\n`;
};

/** Bookkeeping of field owners is noise to a reader. */
export const withoutManagedFields = (object: ApiObject): ApiObject => {
  const { managedFields: _hidden, ...metadata } = object.metadata;
  return { ...object, metadata };
};

const watch = async (
  context: CliContext,
  { info, name }: Target,
  options: GetOptions,
  format: Format,
): Promise<void> => {
  const namespace = namespaceFor(context, info);
  const fieldSelector = [
    ...(options.fieldSelector === undefined ? [] : [options.fieldSelector]),
    ...(name === undefined ? [] : [`metadata.name=${name}`]),
  ].join(',');
  const query = (more: Readonly<Record<string, string>>) =>
    queryOf({ labelSelector: options.selector, fieldSelector, ...more });
  const request = { method: 'GET', accept: TABLE, signal: context.signal } as const;
  const path = pathOf(info, namespace);
  const first = await context.client.json<Table>({ ...request, path: path + query({}) });
  const print = watchPrinter(context, info, options, format);
  print(first);
  const resourceVersion = first.metadata?.resourceVersion ?? '0';
  const response = await context.client.http.open({
    ...request,
    path: path + query({ watch: 'true', resourceVersion }),
  });
  try {
    for await (const line of linesOf(response)) {
      const event = parseJson(line) as { type: string; object: Table };
      if (event.type === 'ERROR') throw new UsageError('the watch ended: run the command again');
      if (event.type !== 'BOOKMARK') print(event.object);
    }
  } catch (error) {
    if (!context.signal.aborted) throw error;
  }
};

/** Prints rows as they come; columns keep their first widths so that the lines stay aligned. */
const watchPrinter = (
  context: CliContext,
  info: ApiResourceInfo,
  options: GetOptions,
  format: Format,
) => {
  let definitions: Table['columnDefinitions'];
  let widths: number[] | undefined;
  return (table: Table): void => {
    definitions = table.columnDefinitions ?? definitions;
    const known = definitions === undefined ? table : { ...table, columnDefinitions: definitions };
    const { titles, cellsOf } = columnsOf(context, info, known, options, format);
    const rows = known.rows.map((row) => cellsOf(row, ''));
    if (rows.length === 0) return;
    const isFirst = widths === undefined;
    widths ??= titles.map((title, i) =>
      Math.max(title.length, ...rows.map((row) => row[i]?.length ?? 0)),
    );
    const lines = isFirst && options.headers !== false ? [titles, ...rows] : rows;
    for (const line of lines) context.terminal.out.write(`${formatRow(line, widths)}\n`);
  };
};

const TABLE = 'application/json;as=Table;v=v1;g=meta.k8s.io,application/json';
