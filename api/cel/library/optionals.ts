import { CelRuntimeError, noSuchOverload } from '../errors';
import { BOOL, listOf, optionalOf, param, type CelType } from '../types';
import { ArrayList, CelList, CelMap, CelOptional, CelUint, type CelValue } from '../values';
import { fn, member, type Library } from './function';

const V = param('V');
const OPTIONAL = optionalOf(V) as CelType<CelOptional>;

export const OPTIONAL_LIBRARY: Library = {
  'optional.none': [fn([], OPTIONAL, () => CelOptional.NONE)],
  'optional.of': [fn([V], OPTIONAL, (_meter, value) => new CelOptional(value))],
  'optional.ofNonZeroValue': [
    fn([V], OPTIONAL, (_meter, value) =>
      isZero(value) ? CelOptional.NONE : new CelOptional(value),
    ),
  ],
  hasValue: [member([OPTIONAL], BOOL, (_meter, { value }) => value !== undefined)],
  value: [
    member([OPTIONAL], V, (_meter, { value }) => {
      if (value === undefined) throw new CelRuntimeError('optional.none() dereference');
      return value;
    }),
  ],
  or: [member([OPTIONAL, OPTIONAL], OPTIONAL, (_meter, a, b) => (a.value === undefined ? b : a))],
  orValue: [member([OPTIONAL, V], V, (_meter, { value }, other) => value ?? nothing(value, other))],
};

/** `null` is a value, too. */
const nothing = (value: CelValue | undefined, other: CelValue): CelValue =>
  value === undefined ? other : value;

const isZero = (value: CelValue): boolean => {
  if (value instanceof CelList || value instanceof CelMap) return value.size === 0;
  if (value instanceof CelUint) return value.value === 0n;
  if (value instanceof CelOptional) return value.value === undefined;
  if (value instanceof Uint8Array) return value.length === 0;
  return value === null || value === false || value === '' || value === 0n || value === 0;
};

export const unwrapped = (list: CelList): CelList => {
  const values: CelValue[] = [];
  for (const item of list) {
    if (!(item instanceof CelOptional)) throw noSuchOverload();
    if (item.value !== undefined) values.push(item.value);
  }
  return new ArrayList(values);
};

export const UNWRAP_LIBRARY: Library = {
  'optional.unwrap': [
    fn([listOf(OPTIONAL)], listOf(V), (meter, list) => {
      meter.charge(list.size);
      return unwrapped(list);
    }),
  ],
  unwrapOpt: [
    member([listOf(OPTIONAL)], listOf(V), (meter, list) => {
      meter.charge(list.size);
      return unwrapped(list);
    }),
  ],
};
