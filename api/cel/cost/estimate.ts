import type { Call, Expr, Fold, OptionalMap, Select } from '../syntax';
import type { CelType } from '../types';
import { callCost, type Argument } from './calls';
import type { ValueSize } from './sizes';
import { plus, SCALAR, times, UNKNOWN, widest, type Size } from './size';

/*
 * What evaluating an expression costs at most, before there is anything to evaluate it with. Source:
 * cel-go's checker/cost.go, whose units and shares these are.
 */

export interface CostContext {
  typeOf(expr: Expr): CelType;
  /** How large the variables may be. */
  readonly variables: ReadonlyMap<string, ValueSize>;
}

/** The highest cost of an expression; infinite where nothing bounds it. */
export const estimateCost = (expr: Expr, context: CostContext): number =>
  new Estimator(context).of(expr, undefined).cost;

/** A part of an expression. */
interface Estimated {
  readonly cost: number;
  /** As it follows from the expression; absent where only the schema may tell. */
  readonly size?: Size;
  /** What the schema says of it. */
  readonly at?: ValueSize | undefined;
  /** Of the items of a list or map that the expression makes. */
  readonly item?: Size | undefined;
}

interface Local {
  readonly name: string;
  readonly size: Size | undefined;
  readonly at: ValueSize | undefined;
  readonly outer: Local | undefined;
}

class Estimator {
  constructor(private readonly context: CostContext) {}

  of(expr: Expr, scope: Local | undefined): Estimated {
    switch (expr.kind) {
      case 'literal':
        return { cost: 0, size: literalSize(expr.value) };
      case 'ident':
        return this.variable(expr.name, scope);
      case 'select':
        return this.select(expr, scope);
      case 'call':
        return this.call(expr, scope);
      case 'list':
        return this.list(
          expr.items.map(({ value }) => value),
          scope,
        );
      case 'map':
        return this.map(expr.entries, scope);
      case 'message':
        return this.message(expr.fields, scope);
      case 'fold':
        return this.fold(expr, scope);
      case 'optMap':
        return this.optionalMap(expr, scope);
    }
  }

  private variable(name: string, scope: Local | undefined): Estimated {
    for (let local = scope; local !== undefined; local = local.outer) {
      if (local.name !== name) continue;
      const { size, at } = local;
      return { cost: 1, at, ...(size === undefined ? {} : { size }) };
    }
    return { cost: 1, at: this.context.variables.get(name) };
  }

  private select({ operand, field, mode }: Select, scope: Local | undefined): Estimated {
    const { cost, at } = this.of(operand, scope);
    if (mode === 'has') return { cost, size: SCALAR };
    const { kind } = this.context.typeOf(operand);
    const isLookUp = kind === 'map' || kind === 'object' || kind === 'param' || mode !== 'get';
    return { cost: cost + (isLookUp ? 1 : 0), at: at?.fields?.get(field) };
  }

  private call({ name, target, args }: Call, scope: Local | undefined): Estimated {
    const given = args.map((arg) => this.argument(arg, scope));
    const on = target && this.argument(target, scope);
    const before = [...(on === undefined ? [] : [on]), ...given]
      .map(({ cost }) => cost)
      .reduce(plus, 0);
    if (name === '_?_:_') {
      const [condition, then, otherwise] = given as [Argument, Argument, Argument];
      const cost = plus(condition.cost, Math.max(then.cost, otherwise.cost));
      return { cost, size: widest(then.size, otherwise.size) };
    }
    if (name === '_&&_' || name === '_||_') return { cost: before, size: SCALAR };
    const { cost, size } = callCost(name, on, given);
    const [first] = given;
    const isIndex = name === '_[_]' || name === '_[?_]';
    return {
      cost: plus(before, cost),
      ...(size === undefined ? {} : { size }),
      ...(isIndex ? { at: first?.at?.item } : {}),
    };
  }

  private argument(expr: Expr, scope: Local | undefined): Argument {
    const estimated = this.of(expr, scope);
    const type = this.context.typeOf(expr);
    return {
      ...{ cost: estimated.cost, type, at: estimated.at, size: sizeOf(estimated, type) },
      item: estimated.item ?? sizeAt(estimated.at?.item),
      ...(expr.kind === 'literal' ? { literal: expr.value } : {}),
    };
  }

  private list(items: readonly Expr[], scope: Local | undefined): Estimated {
    const given = items.map((item) => this.argument(item, scope));
    return {
      cost: given.map(({ cost }) => cost).reduce(plus, LIST_COST),
      size: { min: given.length, max: given.length },
      item: given.map(({ size }) => size).reduce(widest, { min: Infinity, max: 0 }),
    };
  }

  private message(
    fields: Extract<Expr, { kind: 'message' }>['fields'],
    scope: Local | undefined,
  ): Estimated {
    const costs = fields.map(({ value }) => this.of(value, scope).cost);
    return { cost: costs.reduce(plus, MESSAGE_COST) };
  }

  private map(entries: Extract<Expr, { kind: 'map' }>['entries'], scope: Local | undefined) {
    const keys = entries.map(({ key }) => this.argument(key, scope));
    const values = entries.map(({ value }) => this.argument(value, scope));
    return {
      cost: [...keys, ...values].map(({ cost }) => cost).reduce(plus, MAP_COST),
      size: { min: entries.length, max: entries.length },
      item: values.map(({ size }) => size).reduce(widest, { min: Infinity, max: 0 }),
    };
  }

  private fold(expr: Fold, scope: Local | undefined): Estimated {
    const range = this.argument(expr.range, scope);
    const inner = this.itemScope(expr, range, scope);
    const asked = expr.predicate === undefined ? 0 : this.of(expr.predicate, inner).cost;
    const made = expr.transform && this.argument(expr.transform, inner);
    const { once, each } = foldCost(expr.fold, asked, made?.cost ?? 0);
    const cost = plus(range.cost, plus(once, times(range.size.max, each)));
    switch (expr.fold) {
      case 'all':
      case 'exists':
      case 'exists_one':
        return { cost, size: SCALAR };
      case 'filter':
        return { cost, size: { min: 0, max: range.size.max }, item: range.item };
      default:
        return { cost, size: { min: 0, max: range.size.max }, item: made?.size };
    }
  }

  private itemScope({ variables }: Fold, range: Argument, outer: Local | undefined): Local {
    const [first, second] = variables;
    const value = { at: range.at?.item, size: range.at === undefined ? range.item : undefined };
    // Of keys upstream reckons with nothing, and of the index as with any number.
    const key = { at: KEY, size: undefined };
    const isMap = range.type.kind === 'map';
    if (second === undefined) return { name: first, outer, ...(isMap ? key : value) };
    return { name: second, ...value, outer: { name: first, ...key, outer } };
  }

  private optionalMap(
    { target, variable, body }: OptionalMap,
    scope: Local | undefined,
  ): Estimated {
    const on = this.of(target, scope);
    const local = { name: variable, size: on.size, at: on.at, outer: scope };
    const inner = this.of(body, local);
    const made = inner.size === undefined ? {} : { size: inner.size };
    // Asked whether it is there, and taken.
    return { cost: plus(times(2, on.cost), plus(inner.cost, OPTIONAL_COST)), ...made };
  }
}

const sizeOf = ({ size, at }: Estimated, type: CelType): Size =>
  size ?? sizeAt(at) ?? (SCALARS.has(type.kind) ? SCALAR : UNKNOWN);

const sizeAt = (at: ValueSize | undefined): Size | undefined => at && { min: 0, max: at.max };

/** By what a macro stands for: before and after all items, and for each of them. */
const foldCost = (
  fold: Fold['fold'],
  asked: number,
  made: number,
): { readonly once: number; readonly each: number } => {
  switch (fold) {
    case 'all':
      return { once: 1, each: plus(3, asked) };
    case 'exists':
      return { once: 1, each: plus(4, asked) };
    case 'exists_one':
      return { once: 2, each: plus(2, asked) };
    case 'filter':
      return { once: LIST_COST + 1, each: plus(LIST_COST + 3, asked) };
    case 'map':
    case 'transformList':
      return { once: LIST_COST + 1, each: plus(LIST_COST + 2, plus(asked, made)) };
    case 'transformMap':
    case 'transformMapEntry':
      return { once: MAP_COST + 1, each: plus(3, plus(asked, made)) };
  }
};

const literalSize = (value: unknown): Size => {
  const length =
    typeof value === 'string'
      ? Buffer.byteLength(value)
      : value instanceof Uint8Array
        ? value.length
        : 1;
  return { min: length, max: length };
};

const SCALARS: ReadonlySet<string> = new Set([
  ...['bool', 'int', 'uint', 'double', 'timestamp', 'duration'],
]);
const KEY: ValueSize = { max: 0, leastBytes: 2 };
const LIST_COST = 10;
const MAP_COST = 30;
const MESSAGE_COST = 40;
const OPTIONAL_COST = 5;
