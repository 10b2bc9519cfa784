import { int64 } from '../int64';
import { CelRuntimeError } from './errors';
import { formatDuration, formatTimestamp } from './time';
import {
  CelDuration,
  CelList,
  CelMap,
  CelObject,
  CelOptional,
  CelTimestamp,
  CelUint,
  kindOf,
  type CelValue,
} from './values';

/** A value that an expression came to, as JSON. @throws CelRuntimeError for what JSON has no form of */
export const toJson = (value: CelValue): unknown => {
  if (typeof value === 'bigint') return int64(value);
  if (typeof value === 'number') return finite(value);
  if (value === null || typeof value !== 'object') return value;
  if (value instanceof CelList) return value.toArray().map(toJson);
  if (value instanceof CelObject)
    return Object.fromEntries(
      [...value.fieldNames()].map((name) => [name, toJson(value.field(name) ?? null)]),
    );
  if (value instanceof CelMap) return fromMap(value);
  if (value instanceof CelOptional) return value.value === undefined ? null : toJson(value.value);
  if (value instanceof CelUint) return int64(value.value);
  if (value instanceof CelTimestamp) return formatTimestamp(value);
  if (value instanceof CelDuration) return formatDuration(value);
  if (value instanceof Uint8Array) return Buffer.from(value).toString('base64');
  throw new CelRuntimeError(`unsupported type: ${kindOf(value)}`);
};

const fromMap = (map: CelMap): unknown =>
  Object.fromEntries(
    [...map.keys()].map((key) => {
      if (typeof key !== 'string')
        throw new CelRuntimeError(`unsupported key type: ${kindOf(key)}`);
      return [key, toJson(map.get(key) ?? null)];
    }),
  );

const finite = (value: number): number => {
  if (!Number.isFinite(value)) throw new CelRuntimeError(`unsupported number: ${value}`);
  return value;
};
