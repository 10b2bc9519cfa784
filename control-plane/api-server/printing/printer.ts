import type { ApiObject } from '../../../api/types';

export interface Column {
  readonly name: string;
  readonly type: 'string' | 'integer' | 'date' | 'boolean';
  readonly format?: 'name';
  readonly description?: string;
  /** 0 always; 1 with `-o wide`. */
  readonly priority: 0 | 1;
}

export type Cell = string | number | boolean | null;

/** How a kind prints. `cells` gives one value per column. */
export interface Printer {
  readonly columns: readonly Column[];
  cells(object: ApiObject, nowMs: number): readonly Cell[];
}
