import { ApiError } from '../../api/errors';
import { pathOf } from '../../api/resources';
import type { ApiObject } from '../../api/types';
import { linesOf, queryOf } from '../../client/rest-client';
import { systemClock } from '../../lib/clock';
import { parseJson, stringifyJson } from '../../lib/json';
import type { CliContext } from '../context';
import { formatViews, type OutputFormat } from '../output/format';
import { formatRow } from '../output/table';
import { namespaceFor, type PlacedTarget } from '../targets';
import { qualifiedKind, tableStyle, withoutManagedFields, type GetOptions } from './get';
import { layOut, TABLE, type Table, type TableStyle } from './server-table';

/** What a list, and each event of a watch, is printed by. */
type Print = (answer: Listed, event: string) => void;

type Listed = Partial<Table> & { readonly items?: readonly ApiObject[] };

/**
 * Prints what is there, then changes as they come, until the user interrupts. A connection that is
 * lost is made again; what was missed meanwhile is told.
 */
export const watch = async (
  context: CliContext,
  { info, name, namespace }: PlacedTarget,
  options: GetOptions,
  format: OutputFormat,
): Promise<void> => {
  const { client, signal } = context;
  const isTable = format === 'table' || format === 'wide';
  const request = { method: 'GET', signal, ...(isTable ? { accept: TABLE } : {}) } as const;
  const named = name === undefined ? [] : [`metadata.name=${name}`];
  const query = {
    labelSelector: options.selector,
    includeObject: isTable && options.showReason === true ? 'Object' : undefined,
    fieldSelector: [...(options.fieldSelector?.split(',') ?? []), ...named].join(','),
  };
  const path = pathOf(info, namespaceFor(context, info, namespace));
  const print = isTable
    ? tablePrinter(context, tableStyle(context, info, options, format, false), options)
    : objectPrinter(context, qualifiedKind(info), options, format);
  const list = async () => {
    const listed = await client.json<Listed>({ ...request, path: path + queryOf(query) });
    print(listed, 'ADDED');
    return listed.metadata?.resourceVersion ?? '0';
  };
  let resourceVersion = await list();
  while (!signal.aborted) {
    const watching = queryOf({ ...query, watch: 'true', resourceVersion });
    try {
      const response = await client.http.open({ ...request, path: path + watching });
      for await (const line of linesOf(response)) {
        resourceVersion = printEvent(line, print) ?? resourceVersion;
      }
    } catch (error) {
      // Aborted: the loop ends by itself.
      if (error instanceof HistoryGoneError) resourceVersion = await list();
      else if (error instanceof ApiError && error.reason !== 'ServiceUnavailable') throw error;
    }
    await systemClock.sleep(RECONNECT_MS, signal).catch(() => undefined);
  }
};

/** The server has forgotten what came after our last version: list again. */
class HistoryGoneError extends Error {}

/** Resolves with the version that the watch is at after this event. */
const printEvent = (line: string, print: Print): string | undefined => {
  const { type, object } = parseJson(line) as { type: string; object: Listed & ApiObject };
  if (type === 'ERROR') throw new HistoryGoneError();
  if (type !== 'BOOKMARK') print(object, type);
  const [row] = object.rows ?? [];
  return row?.object?.metadata.resourceVersion ?? object.metadata.resourceVersion;
};

/** Prints rows as they come; columns keep their first widths so that the lines stay aligned. */
const tablePrinter = (
  { terminal }: CliContext,
  style: TableStyle,
  { outputWatchEvents: isTold = false }: GetOptions,
): Print => {
  let definitions: Table['columnDefinitions'];
  let widths: readonly number[] | undefined;
  return ({ columnDefinitions = definitions, rows: given = [] }, event) => {
    definitions = columnDefinitions;
    const known = definitions === undefined ? {} : { columnDefinitions: definitions };
    const laidOut = layOut({ ...known, rows: given }, style);
    const titles = isTold ? ['EVENT', ...laidOut.titles] : laidOut.titles;
    const rows = isTold ? laidOut.rows.map((row) => [event, ...row]) : laidOut.rows;
    if (rows.length === 0) return;
    const isFirst = widths === undefined;
    const all = [titles, ...rows];
    widths ??= titles.map((_title, i) => Math.max(...all.map((row) => row[i]?.length ?? 0)));
    for (const line of isFirst && style.showHeader ? all : rows) {
      terminal.out.write(`${formatRow(line, widths)}\n`);
    }
  };
};

/** Prints whole objects: YAML documents, JSON of one line each, or names. */
const objectPrinter =
  (
    { terminal }: CliContext,
    kind: string,
    { outputWatchEvents, showManagedFields }: GetOptions,
    format: OutputFormat,
  ): Print =>
  (listed, type) => {
    for (const object of listed.items ?? [listed as unknown as ApiObject]) {
      const shown = showManagedFields === true ? object : withoutManagedFields(object);
      const document = outputWatchEvents === true ? { object: shown, type } : shown;
      const names = [`${kind}/${object.metadata.name}`];
      terminal.out.write(
        format === 'json'
          ? `${stringifyJson(document)}\n`
          : (format === 'yaml' ? '---\n' : '') +
              formatViews({ document, names, table: () => '' }, format),
      );
    }
  };

const RECONNECT_MS = 1000;
