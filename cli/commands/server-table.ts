import type { ApiObject } from '../../api/types';
import { ageOf } from '../../lib/age';
import { stringifyJson } from '../../lib/json';
import { formatTable } from '../output/table';
import { printable } from '../output/terminal';

/** What to accept for a `Table`. */
export const TABLE = 'application/json;as=Table;v=v1;g=meta.k8s.io,application/json';

/** A server-side print of a list or an object. Source: KEP-514. */
export interface Table {
  readonly metadata?: { readonly resourceVersion?: string };
  readonly columnDefinitions?: readonly { readonly name: string; readonly priority: number }[];
  readonly rows: readonly Row[];
}

interface Row {
  readonly cells: readonly unknown[];
  readonly object?: Pick<ApiObject, 'metadata'>;
}

export interface TableStyle {
  readonly isWide: boolean;
  readonly showNamespace: boolean;
  readonly showLabels: boolean;
  /** Labels that get a column each. */
  readonly labelColumns: readonly string[];
  readonly showHeader: boolean;
  /** A last column, of rows that hold their whole objects. */
  readonly lastColumn?: {
    readonly title: string;
    readonly text: (object: ApiObject) => string;
  };
  /** Before each name: `pod/` */
  readonly prefix: string;
}

/** An answer as a table, also of one who makes none of this thing: a Scale has its own columns. */
export const tableOf = (answer: Table | ApiObject, nowMs: number): Table => {
  if ('rows' in answer) return answer;
  const { kind, metadata } = answer;
  const { spec, status } = answer as Scale;
  const counts = kind === 'Scale' ? [spec?.replicas ?? 0, status?.replicas ?? 0] : [];
  const names = ['Name', ...(kind === 'Scale' ? ['Desired', 'Available'] : []), 'Age'];
  return {
    columnDefinitions: names.map((name) => ({ name, priority: 0 })),
    rows: [
      {
        cells: [metadata.name, ...counts, ageOf(metadata.creationTimestamp, nowMs)],
        object: { metadata },
      },
    ],
  };
};

interface Scale extends ApiObject {
  readonly spec?: { readonly replicas?: number };
  readonly status?: { readonly replicas?: number };
}

export const renderTable = (table: Table, style: TableStyle): string => {
  const { titles, rows } = layOut(table, style);
  return formatTable(style.showHeader ? titles : undefined, rows);
};

/** The cells to print, and their titles: priority 0 always, the others when wide. */
export const layOut = (
  { columnDefinitions = [], rows }: Table,
  { isWide, showNamespace, showLabels, labelColumns, prefix, lastColumn }: TableStyle,
): { readonly titles: readonly string[]; readonly rows: readonly (readonly string[])[] } => {
  const indices = columnDefinitions.flatMap(({ priority }, i) =>
    priority === 0 || isWide ? [i] : [],
  );
  return {
    titles: [
      ...(showNamespace ? ['NAMESPACE'] : []),
      ...indices.map((i) => columnDefinitions[i]?.name.toUpperCase() ?? ''),
      ...labelColumns.map((label) => (label.split('/').at(-1) ?? '').toUpperCase()),
      ...(showLabels ? ['LABELS'] : []),
      ...(lastColumn === undefined ? [] : [lastColumn.title]),
    ],
    rows: rows.map(({ cells, object }) => [
      ...(showNamespace ? [object?.metadata.namespace ?? ''] : []),
      ...indices.map((i) => (i === 0 ? prefix : '') + cellText(cells[i])),
      ...labelColumns.map((label) => printable(object?.metadata.labels?.[label] ?? '')),
      ...(showLabels ? [labelText(object?.metadata.labels)] : []),
      ...(lastColumn === undefined ? [] : [printable(lastColumn.text(object as ApiObject))]),
    ]),
  };
};

const cellText = (cell: unknown): string =>
  cell === null || cell === undefined
    ? '<none>'
    : printable(typeof cell === 'string' ? cell : stringifyJson(cell));

const labelText = (labels: Readonly<Record<string, string>> | undefined): string =>
  Object.entries(labels ?? {})
    .map(([name, value]) => `${name}=${value}`)
    .sort()
    .join(',') || '<none>';
