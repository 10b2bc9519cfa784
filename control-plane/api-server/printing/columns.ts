import type { ApiObject } from '../../../api/types';
import { fieldsAt, listAt, textAt, valueAt } from '../kinds/mutable';
import { formatLabelSelector, podSelectorOf } from '../../../api/selectors';
import { ageOf } from './ages';
import type { Cell, Column, Printer } from './printer';

type CellOf = (object: ApiObject, nowMs: number) => Cell;

export interface ColumnRule {
  readonly column: Column;
  readonly cell: CellOf;
}

export const text = (name: string, cell: CellOf, priority: 0 | 1 = 0): ColumnRule => ({
  column: { name, type: 'string', priority },
  cell,
});

export const count = (name: string, cell: CellOf, priority: 0 | 1 = 0): ColumnRule => ({
  column: { name, type: 'integer', priority },
  cell,
});

export const wide = (name: string, cell: CellOf): ColumnRule => text(name, cell, 1);

export const NAME: ColumnRule = {
  column: { name: 'Name', type: 'string', format: 'name', priority: 0 },
  cell: ({ metadata }) => metadata.name,
};

export const AGE: ColumnRule = text('Age', ({ metadata }, nowMs) =>
  ageOf(metadata.creationTimestamp, nowMs),
);

export const CREATED_AT: ColumnRule = text(
  'Created At',
  ({ metadata }) => metadata.creationTimestamp ?? '<unknown>',
);

/** The names of the containers that a workload's template has. */
export const CONTAINERS: ColumnRule = wide('Containers', (object) => containers(object, 'name'));
export const IMAGES: ColumnRule = wide('Images', (object) => containers(object, 'image'));
export const SELECTOR: ColumnRule = wide('Selector', (object) =>
  formatLabelSelector(podSelectorOf(object) ?? {}),
);

export const printer = (...rules: readonly ColumnRule[]): Printer => ({
  columns: rules.map(({ column }) => column),
  cells: (object, nowMs) => rules.map(({ cell }) => cell(object, nowMs)),
});

/** What stands for nothing. */
export const orNone = (value: string): string => (value === '' ? '<none>' : value);

/** What is not there is as good as `false`. */
export const saysAt = (object: ApiObject, ...path: readonly string[]): string =>
  String(valueAt(object, ...path) === true);

/** How many keys a map has. */
export const keyCount = (object: ApiObject, field: string): number =>
  Object.keys(fieldsAt(object, field)).length;

const containers = (object: ApiObject, field: string): string =>
  containersAt(object, field, 'spec', 'template', 'spec', 'containers');

/** One field of each of the containers at a path. */
export const containersAt = (
  object: ApiObject,
  field: string,
  ...path: readonly string[]
): string =>
  listAt(object, ...path)
    .map((container) => textAt(container, field))
    .join(',');

/** For kinds that say nothing of themselves. */
export const NAME_AND_AGE: Printer = printer(NAME, AGE);
