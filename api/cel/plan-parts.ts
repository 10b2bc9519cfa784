import { CelRuntimeError, noSuchOverload } from './errors';
import type { Frame, Plan } from './frame';
import { ArrayList, CelOptional, EntryMap, type CelValue } from './values';

/** False as soon as one side is, whatever is wrong with the other. */
export const and = (left: Plan, right: Plan): Plan => logical(left, right, false);
export const or = (left: Plan, right: Plan): Plan => logical(left, right, true);

export const choose =
  (condition: Plan, then: Plan, otherwise: Plan): Plan =>
  (frame) => {
    const chosen = condition(frame);
    if (typeof chosen !== 'boolean') throw noSuchOverload();
    return chosen ? then(frame) : otherwise(frame);
  };

interface Item {
  readonly run: Plan;
  readonly isOptional: boolean;
}

export const makeList =
  (items: readonly Item[]): Plan =>
  (frame) => {
    frame.meter.charge(LIST_COST);
    const values: CelValue[] = [];
    for (const { run, isOptional } of items) {
      const value = isOptional ? optionalValue(run(frame)) : run(frame);
      if (value !== undefined) values.push(value);
    }
    return new ArrayList(values);
  };

export const makeMap =
  (entries: readonly { key: { run: Plan }; value: { run: Plan }; isOptional: boolean }[]): Plan =>
  (frame) => {
    frame.meter.charge(MAP_COST);
    const map = new EntryMap();
    for (const { key, value, isOptional } of entries) {
      const name = key.run(frame);
      const item = isOptional ? optionalValue(value.run(frame)) : value.run(frame);
      if (item !== undefined && !map.add(name, item))
        throw new CelRuntimeError(
          map.get(name) === undefined ? 'unsupported key type' : 'Failed with repeated key',
        );
    }
    return map;
  };

/** What an optional holds; undefined for none. @throws CelRuntimeError for what is no optional */
export const optionalValue = (value: CelValue): CelValue | undefined => {
  if (value instanceof CelOptional) return value.value;
  throw noSuchOverload();
};

const logical =
  (left: Plan, right: Plan, deciding: boolean): Plan =>
  (frame) => {
    const first = truth(left, frame);
    if (first === deciding) return deciding;
    const second = truth(right, frame);
    if (second === deciding) return deciding;
    if (first instanceof CelRuntimeError) throw first;
    if (second instanceof CelRuntimeError) throw second;
    return !deciding;
  };

/** What is wrong with one side is told only when the other does not decide. */
export const truth = (plan: Plan, frame: Frame): boolean | CelRuntimeError => {
  try {
    const value = plan(frame);
    return typeof value === 'boolean' ? value : noSuchOverload();
  } catch (error) {
    if (!(error instanceof CelRuntimeError)) throw error;
    frame.meter.charge(ERROR_COST);
    return error;
  }
};

// As upstream's cost model has them.
const LIST_COST = 10;
const MAP_COST = 30;
/** An error takes its time to be made. */
const ERROR_COST = 100;
