import type { ApiObject } from '../../../api/types';

export interface Column {
  readonly name: string;
  readonly type: 'string' | 'integer' | 'number' | 'date' | 'boolean';
  /** `name` for the name itself. */
  readonly format?: string;
  readonly description?: string;
  /** 0 always; more with `-o wide`. */
  readonly priority: number;
}

export type Cell = string | number | boolean | null;

/** How a kind prints. `cells` gives one value per column. */
export interface Printer {
  readonly columns: readonly Column[];
  cells(object: ApiObject, nowMs: number): readonly Cell[];
}
