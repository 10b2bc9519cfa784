import { qualifiedResource } from '../../../api/errors';
import type { KindInfo } from '../../../api/kind-info';
import type { ApiObject } from '../../../api/types';
import type { VirtualResource } from '../../../client/virtual-resource';
import type { MutableObject } from './mutable';
import type { Int64 } from '../../../api/int64';

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

/** What differs between kinds when objects are written. */
export interface Strategy {
  /** `metadata.generation` counts changes of everything but metadata and status. */
  readonly hasGeneration: boolean;
  /** Status is written through /status only, and /status writes nothing else. */
  readonly hasStatus: boolean;
  /** May a PUT create the object? */
  readonly createsOnUpdate: boolean;
  /** Fills in what the server alone decides, before defaults and validation. */
  prepareCreate?(object: MutableObject): void;
  /** Of the main resource: /status and /finalize change only what they name. */
  prepareUpdate?(object: MutableObject, old: ApiObject): void;
  /** Seconds to wait before the object may vanish; undefined: at once. */
  graceSeconds?(object: ApiObject, requested: Int64 | undefined): Int64;
}

/** All the server knows about one kind: the scheme's entry, and how it is written and printed. */
export interface ServedKind extends KindInfo {
  readonly strategy: Strategy;
  readonly printer: Printer;
  /** Served by its owner instead of the store. */
  readonly virtual?: VirtualResource;
}

/** The name under which the store keeps the kind, and messages call it: `deployments.apps`. */
export const storeNameOf = ({ resource }: Pick<ServedKind, 'resource'>): string =>
  qualifiedResource(resource.plural, resource.group);
