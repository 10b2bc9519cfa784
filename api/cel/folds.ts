import type { Checked, Checker, Scope } from './checker';
import { CelRuntimeError, noSuchOverload } from './errors';
import type { Frame, Plan } from './frame';
import { truth } from './plan-parts';
import type { Fold, OptionalMap } from './syntax';
import { BOOL, DYN, formatType, INT, listOf, mapOf, optionalOf, type CelType } from './types';
import { ArrayList, CelList, CelMap, CelOptional, EntryMap, type CelValue } from './values';

type At<T> = T & { readonly at: number };

/** The type of a macro that goes through a list or a map, and how it does. */
export const checkFold = (checker: Checker, expr: At<Fold>, scope: Scope | undefined): Checked => {
  const range = checker.check(expr.range, scope);
  const types = itemTypes(checker, checker.bindings.resolve(range.type), expr.variables.length);
  if (types === undefined)
    return checker.refuse(expr.range.at, notARange(formatType(checker.bindings.final(range.type))));
  let inner = scope;
  const slots = expr.variables.map((name, i) => {
    inner = checker.declare(name, types[i] ?? DYN, inner);
    return inner.slot;
  });
  const predicate = expr.predicate && checker.check(expr.predicate, inner);
  const transform = expr.transform && checker.check(expr.transform, inner);
  const type = resultType(checker, expr, { range, predicate, transform });
  const [first = 0, second] = slots;
  const parts = { range: range.run, first, second, predicate: predicate?.run };
  return { type, run: planFold(expr, { ...parts, transform: transform?.run }) };
};

/** `optMap` and `optFlatMap`: nothing of nothing, else of what is there. */
export const checkOptionalMap = (
  checker: Checker,
  expr: At<OptionalMap>,
  scope: Scope | undefined,
): Checked => {
  const { bindings } = checker;
  const target = checker.check(expr.target, scope);
  const item = bindings.fresh();
  if (!bindings.accepts([optionalOf(item)], [target.type]))
    return checker.noOverload(expr.at, 'hasValue', [target.type], true);
  const inner = checker.declare(expr.variable, bindings.resolve(item), scope);
  const body = checker.check(expr.body, inner);
  const result = bindings.fresh();
  if (expr.isFlat && !bindings.accepts([optionalOf(result)], [body.type]))
    return checker.noOverload(expr.at, '_?_:_', [BOOL, body.type, optionalOf(result)]);
  const run: Plan = (frame) => {
    const optional = target.run(frame);
    if (!(optional instanceof CelOptional)) throw noSuchOverload();
    if (optional.value === undefined) return CelOptional.NONE;
    frame.slots[inner.slot] = optional.value;
    const value = body.run(frame);
    return expr.isFlat ? value : new CelOptional(value);
  };
  return { type: expr.isFlat ? optionalOf(bindings.resolve(result)) : optionalOf(body.type), run };
};

const itemTypes = (
  checker: Checker,
  range: CelType,
  count: number,
): readonly CelType[] | undefined => {
  switch (range.kind) {
    case 'list':
      return count === 1 ? [range.of] : [INT, range.of];
    case 'map':
      return [range.key, range.of];
    case 'dyn':
    case 'error':
      return [range, range];
    case 'param':
      return checker.bindings.accepts([range], [DYN]) ? [DYN, DYN] : undefined;
    default:
      return undefined;
  }
};

const resultType = (
  checker: Checker,
  { fold, at, predicate: asking }: At<Fold>,
  parts: { range: Checked; predicate?: Checked | undefined; transform?: Checked | undefined },
): CelType => {
  const { range, predicate, transform } = parts;
  const { bindings } = checker;
  const given = bindings.resolve(range.type);
  const isTruth = predicate === undefined || bindings.accepts([BOOL], [predicate.type]);
  const asked = predicate?.type ?? BOOL;
  const refuse = (name: string, types: readonly CelType[]): CelType =>
    checker.noOverload(at, name, types).type;
  const of = transform === undefined ? DYN : bindings.resolve(transform.type);
  switch (fold) {
    case 'all':
    case 'exists':
      if (!isTruth) checker.mismatch(asking?.at ?? at, BOOL, asked);
      return BOOL;
    case 'exists_one':
      return isTruth ? BOOL : refuse('_?_:_', [asked, INT, INT]);
    case 'filter': {
      const type = given.kind === 'list' ? listOf(given.of) : listOf(keyType(given));
      return isTruth ? type : refuse('_?_:_', [asked, type, type]);
    }
    case 'map':
    case 'transformList':
      return isTruth ? listOf(of) : refuse('_?_:_', [asked, listOf(of), listOf(of)]);
    case 'transformMap': {
      const type = mapOf(keyType(given), of);
      return isTruth ? type : refuse('_?_:_', [asked, type, type]);
    }
    case 'transformMapEntry':
      if (of.kind !== 'map' && of.kind !== 'dyn' && of.kind !== 'error')
        return refuse('cel.@mapInsert', [mapOf(DYN, DYN), of]);
      return isTruth ? of : refuse('_?_:_', [asked, of, of]);
  }
};

const keyType = (range: CelType): CelType =>
  range.kind === 'map' ? range.key : range.kind === 'list' ? INT : DYN;

interface FoldParts {
  readonly range: Plan;
  readonly first: number;
  readonly second: number | undefined;
  readonly predicate: Plan | undefined;
  readonly transform: Plan | undefined;
}

const planFold = ({ fold }: Fold, parts: FoldParts): Plan => {
  switch (fold) {
    case 'all':
      return (frame) => quantify(frame, parts, false);
    case 'exists':
      return (frame) => quantify(frame, parts, true);
    case 'exists_one':
      return (frame) => {
        let count = 0;
        for (const _key of chosen(frame, parts)) count++;
        return count === 1;
      };
    case 'filter':
      return (frame) => new ArrayList([...chosen(frame, parts)]);
    case 'map':
    case 'transformList':
      return (frame) => {
        const items: CelValue[] = [];
        for (const _key of chosen(frame, parts)) items.push(transformed(frame, parts));
        return new ArrayList(items);
      };
    case 'transformMap':
      return (frame) => {
        const map = new EntryMap();
        for (const key of chosen(frame, parts)) map.add(key, transformed(frame, parts));
        return map;
      };
    case 'transformMapEntry':
      return (frame) => mergeEntries(frame, parts);
  }
};

/** Errors count only when no item decides. */
const quantify = (frame: Frame, parts: FoldParts, deciding: boolean): CelValue => {
  const { predicate } = parts;
  let wrong: CelRuntimeError | undefined;
  for (const _key of step(frame, parts)) {
    const answer = predicate === undefined ? true : truth(predicate, frame);
    if (answer === deciding) return deciding;
    if (typeof answer !== 'boolean') wrong ??= answer;
  }
  if (wrong !== undefined) throw wrong;
  return !deciding;
};

/** Those items that the predicate takes, by what a one-variable macro calls them. */
function* chosen(frame: Frame, parts: FoldParts): Generator<CelValue> {
  for (const key of step(frame, parts)) {
    const taken = parts.predicate === undefined || parts.predicate(frame);
    if (typeof taken !== 'boolean') throw noSuchOverload();
    if (taken) yield key;
  }
}

/** Puts each item into the variables in turn, and pays for it. */
function* step(frame: Frame, { range, first, second }: FoldParts): Generator<CelValue> {
  const container = range(frame);
  if (container instanceof CelList) {
    for (let i = 0; i < container.size; i++) {
      frame.meter.charge(STEP_COST);
      const item = container.at(i);
      frame.slots[first] = second === undefined ? item : BigInt(i);
      if (second !== undefined) frame.slots[second] = item;
      yield frame.slots[first];
    }
    return;
  }
  if (!(container instanceof CelMap)) throw noSuchOverload();
  frame.meter.charge(Math.ceil(container.size / 10));
  for (const key of container.keys()) {
    frame.meter.charge(STEP_COST);
    frame.slots[first] = key;
    if (second !== undefined) frame.slots[second] = container.get(key) ?? null;
    yield key;
  }
}

const transformed = (frame: Frame, { transform }: FoldParts): CelValue =>
  transform === undefined ? null : transform(frame);

const mergeEntries = (frame: Frame, parts: FoldParts): CelValue => {
  const merged = new EntryMap();
  for (const _key of chosen(frame, parts)) {
    const entries = transformed(frame, parts);
    if (!(entries instanceof CelMap)) throw noSuchOverload();
    for (const key of entries.keys()) {
      frame.meter.charge(1);
      if (!merged.add(key, entries.get(key) ?? null))
        throw new CelRuntimeError('insert failed: key already exists');
    }
  }
  return merged;
};

const notARange = (type: string): string =>
  `expression of type '${type}' cannot be range of a comprehension (must be list, map, or dynamic)`;

// An item costs what upstream's expansion of a macro does around it: the accumulator and the condition.
const STEP_COST = 3;
