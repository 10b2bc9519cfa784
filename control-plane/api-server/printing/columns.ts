import type { ApiObject } from '../../../api/types';
import type { Cell, Column, Printer } from '../kinds/served-kind';
import { ageOf } from './ages';

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

export const printer = (...rules: readonly ColumnRule[]): Printer => ({
  columns: rules.map(({ column }) => column),
  cells: (object, nowMs) => rules.map(({ cell }) => cell(object, nowMs)),
});

/** What stands for nothing. */
export const orNone = (value: string): string => (value === '' ? '<none>' : value);

/** For kinds that say nothing of themselves. */
export const NAME_AND_AGE: Printer = printer(NAME, AGE);
