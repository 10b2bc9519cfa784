import { CelRuntimeError, noSuchOverload } from './errors';
import type { Plan } from './frame';
import { CelList, CelMap, CelObject, CelOptional, CelUint, type CelValue } from './values';

/** `a.b` */
export const access =
  (operand: Plan, field: string): Plan =>
  (frame) => {
    frame.meter.charge(1);
    const value = fieldOf(operand(frame), field);
    if (value === undefined) throw new CelRuntimeError(`no such key: ${field}`);
    return value;
  };

/** `has(a.b)` */
export const hasField =
  (operand: Plan, field: string): Plan =>
  (frame) => {
    frame.meter.charge(1);
    const container = operand(frame);
    if (!(container instanceof CelOptional)) return fieldOf(container, field) !== undefined;
    return container.value !== undefined && fieldOf(container.value, field) !== undefined;
  };

/** `a.?b`, and what follows on it. */
export const optionalAccess =
  (operand: Plan, field: string): Plan =>
  (frame) => {
    frame.meter.charge(1);
    return through(operand(frame), (container) => fieldOf(container, field));
  };

/** `a[b]` */
export const index =
  (operand: Plan, key: Plan): Plan =>
  (frame) => {
    frame.meter.charge(1);
    const container = operand(frame);
    const at = key(frame);
    const value = itemOf(container, at);
    if (value === undefined) throw notThere(container, at);
    return value;
  };

/** `a[?b]` */
export const optionalIndex =
  (operand: Plan, key: Plan): Plan =>
  (frame) => {
    frame.meter.charge(1);
    const container = operand(frame);
    const at = key(frame);
    return through(container, (inner) => itemOf(inner, at));
  };

const through = (
  container: CelValue,
  find: (inner: CelValue) => CelValue | undefined,
): CelOptional => {
  const inner = container instanceof CelOptional ? container.value : container;
  const value = inner === undefined ? undefined : find(inner);
  return value === undefined ? CelOptional.NONE : new CelOptional(value);
};

const fieldOf = (container: CelValue, field: string): CelValue | undefined => {
  if (container instanceof CelObject) return container.field(field);
  if (container instanceof CelMap) return container.get(field);
  throw noSuchOverload();
};

const itemOf = (container: CelValue, key: CelValue): CelValue | undefined => {
  if (container instanceof CelMap) return container.get(key);
  if (container instanceof CelObject && typeof key === 'string') return container.field(key);
  if (!(container instanceof CelList)) throw noSuchOverload();
  const at = indexOf(key);
  return at >= 0n && at < BigInt(container.size) ? container.at(Number(at)) : undefined;
};

const indexOf = (key: CelValue): bigint => {
  if (typeof key === 'bigint') return key;
  if (key instanceof CelUint) return key.value;
  if (typeof key === 'number' && Number.isInteger(key)) return BigInt(key);
  throw new CelRuntimeError(`unsupported index type`);
};

const notThere = (container: CelValue, key: CelValue): CelRuntimeError =>
  new CelRuntimeError(
    `${container instanceof CelList ? 'index out of bounds' : 'no such key'}: ${describe(key)}`,
  );

const describe = (key: CelValue): string => {
  if (key instanceof CelUint) return key.value.toString();
  return typeof key === 'object' ? 'null' : String(key);
};
