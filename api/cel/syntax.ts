import type { CelType } from './types';
import type { CelValue } from './values';

/** A parsed expression. `at` is where it stands in the text: where upstream points in its messages. */
export type Expr = { readonly at: number } & (
  | { readonly kind: 'literal'; readonly value: CelValue; readonly type: CelType }
  | { readonly kind: 'ident'; readonly name: string }
  | Select
  | Call
  | { readonly kind: 'list'; readonly items: readonly ListItem[] }
  | { readonly kind: 'map'; readonly entries: readonly MapEntry[] }
  | Message
  | Fold
  | OptionalMap
);

export interface Select {
  readonly kind: 'select';
  readonly operand: Expr;
  readonly field: string;
  /** `has(a.b)` asks, `a.?b` may find nothing. */
  readonly mode: 'get' | 'has' | 'optional';
}

export interface Call {
  readonly kind: 'call';
  /** Operators are named as upstream does: `_+_`, `@in`. */
  readonly name: string;
  readonly target?: Expr;
  readonly args: readonly Expr[];
}

export interface ListItem {
  readonly value: Expr;
  readonly isOptional: boolean;
}

export interface MapEntry {
  readonly key: Expr;
  readonly value: Expr;
  readonly isOptional: boolean;
}

/** `Object.spec{replicas: 3}`: a value of a named type. */
export interface Message {
  readonly kind: 'message';
  readonly typeName: string;
  readonly fields: readonly MessageField[];
}

export interface MessageField {
  readonly at: number;
  readonly name: string;
  readonly value: Expr;
  readonly isOptional: boolean;
}

export type FoldKind =
  | 'all'
  | 'exists'
  | 'exists_one'
  | 'map'
  | 'filter'
  | 'transformList'
  | 'transformMap'
  | 'transformMapEntry';

/** A macro that goes through a list or a map. */
export interface Fold {
  readonly kind: 'fold';
  readonly fold: FoldKind;
  readonly range: Expr;
  /** The item; or the index or key, and the item. */
  readonly variables: readonly [string] | readonly [string, string];
  /** What is asked of each item, and which of them are taken. */
  readonly predicate?: Expr;
  readonly transform?: Expr;
}

/** `x.optMap(v, …)`, `x.optFlatMap(v, …)`. */
export interface OptionalMap {
  readonly kind: 'optMap';
  readonly target: Expr;
  readonly variable: string;
  readonly body: Expr;
  readonly isFlat: boolean;
}

/** How deep an expression may be: every step that walks it recurses. */
export const DEPTH_MAX = 250;
