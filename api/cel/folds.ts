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
        eachChosen(frame, parts, () => count++);
        return count === 1;
      };
    case 'filter':
      return (frame) => {
        const items: CelValue[] = [];
        eachChosen(frame, parts, (item) => items.push(item));
        return new ArrayList(items);
      };
    case 'map':
    case 'transformList':
      return (frame) => {
        const items: CelValue[] = [];
        eachChosen(frame, parts, () => items.push(transformed(frame, parts)));
        return new ArrayList(items);
      };
    case 'transformMap':
      return (frame) => {
        const map = new EntryMap();
        eachChosen(frame, parts, (key) => map.add(key, transformed(frame, parts)));
        return map;
      };
    case 'transformMapEntry':
      return (frame) => mergeEntries(frame, parts);
  }
};

/** Errors count only when no item decides. */
const quantify = (frame: Frame, parts: FoldParts, deciding: boolean): CelValue => {
  const { predicate } = parts;
  const wrong: CelRuntimeError[] = [];
  const isDecided = !each(frame, parts, () => {
    const answer = predicate === undefined ? true : truth(predicate, frame);
    if (typeof answer !== 'boolean' && wrong.length === 0) wrong.push(answer);
    return answer !== deciding;
  });
  if (isDecided) return deciding;
  if (wrong[0] !== undefined) throw wrong[0];
  return !deciding;
};

/** Those items that the predicate takes, by what a one-variable macro calls them. */
const eachChosen = (frame: Frame, parts: FoldParts, visit: (item: CelValue) => unknown): void => {
  const { predicate } = parts;
  each(frame, parts, (item) => {
    const taken = predicate === undefined || predicate(frame);
    if (typeof taken !== 'boolean') throw noSuchOverload();
    if (taken) visit(item);
    return true;
  });
};

/**
 * Puts each item into the variables in turn, and pays for it. False when the visitor had enough before
 * the last.
 */
const each = (frame: Frame, parts: FoldParts, visit: (item: CelValue) => boolean): boolean => {
  const container = parts.range(frame);
  if (container instanceof CelList) return eachItem(frame, parts, container, visit);
  if (container instanceof CelMap) return eachEntry(frame, parts, container, visit);
  throw noSuchOverload();
};

const eachItem = (
  { meter, slots }: Frame,
  { first, second }: FoldParts,
  list: CelList,
  visit: (item: CelValue) => boolean,
): boolean => {
  const { size } = list;
  for (let i = 0; i < size; i++) {
    meter.charge(STEP_COST);
    const item = list.at(i);
    const named = second === undefined ? item : BigInt(i);
    slots[first] = named;
    if (second !== undefined) slots[second] = item;
    if (!visit(named)) return false;
  }
  return true;
};

const eachEntry = (
  { meter, slots }: Frame,
  { first, second }: FoldParts,
  map: CelMap,
  visit: (item: CelValue) => boolean,
): boolean => {
  meter.charge(Math.ceil(map.size / 10));
  for (const key of map.keys()) {
    meter.charge(STEP_COST);
    slots[first] = key;
    if (second !== undefined) slots[second] = map.get(key) ?? null;
    if (!visit(key)) return false;
  }
  return true;
};

const transformed = (frame: Frame, { transform }: FoldParts): CelValue =>
  transform === undefined ? null : transform(frame);

const mergeEntries = (frame: Frame, parts: FoldParts): CelValue => {
  const merged = new EntryMap();
  eachChosen(frame, parts, () => {
    const entries = transformed(frame, parts);
    if (!(entries instanceof CelMap)) throw noSuchOverload();
    for (const key of entries.keys()) {
      frame.meter.charge(1);
      if (!merged.add(key, entries.get(key) ?? null))
        throw new CelRuntimeError('insert failed: key already exists');
    }
  });
  return merged;
};

const notARange = (type: string): string =>
  `expression of type '${type}' cannot be range of a comprehension (must be list, map, or dynamic)`;

// An item costs what upstream's expansion of a macro does around it: the accumulator and the condition.
const STEP_COST = 3;
