import type { CelDuration, CelList, CelMap, CelTimestamp, CelUint, CelValue } from './values';

/**
 * What the checker knows of a value. `dyn` is known only when it is there. The phantom value type lets
 * functions of the libraries be written without casts.
 */
export type CelType<V = CelValue> = Shape & { readonly value?: V };

type Shape =
  | { readonly kind: SimpleKind }
  | ListType
  | MapType
  | ObjectType
  | { readonly kind: 'optional'; readonly of: CelType }
  | { readonly kind: 'type'; readonly of: CelType }
  | { readonly kind: 'opaque'; readonly name: string }
  /** Of a function's signature, or not known yet: bound by what it meets. */
  | { readonly kind: 'param'; readonly name: string };

export type SimpleKind =
  | 'dyn'
  | 'error'
  | 'null'
  | 'bool'
  | 'int'
  | 'uint'
  | 'double'
  | 'string'
  | 'bytes'
  | 'timestamp'
  | 'duration';

export interface ListType {
  readonly kind: 'list';
  readonly of: CelType;
  /** How equal lists are told: `set`, or by the values of these keys. In order when absent. */
  readonly merge?: 'set' | readonly string[];
}

interface MapType {
  readonly kind: 'map';
  readonly key: CelType;
  readonly of: CelType;
}

export interface ObjectType {
  readonly kind: 'object';
  readonly name: string;
  readonly fields: ReadonlyMap<string, ObjectField>;
  /** It may have any other fields too, of which nothing is known. */
  readonly isOpen?: true;
}

export interface ObjectField {
  readonly type: CelType;
  /** As it stands in the JSON; expressions have an escaped name for it. */
  readonly jsonName: string;
}

const simple = <V>(kind: SimpleKind): CelType<V> => ({ kind });

export const DYN = simple<CelValue>('dyn');
export const ERROR = simple<CelValue>('error');
export const NULL = simple<null>('null');
export const BOOL = simple<boolean>('bool');
export const INT = simple<bigint>('int');
export const UINT = simple<CelUint>('uint');
export const DOUBLE = simple<number>('double');
export const STRING = simple<string>('string');
export const BYTES = simple<Uint8Array>('bytes');
export const TIMESTAMP = simple<CelTimestamp>('timestamp');
export const DURATION = simple<CelDuration>('duration');

export const listOf = (of: CelType, merge?: ListType['merge']): CelType<CelList> => ({
  ...{ kind: 'list', of },
  ...(merge === undefined ? {} : { merge }),
});
export const mapOf = (key: CelType, of: CelType): CelType<CelMap> => ({ kind: 'map', key, of });
export const optionalOf = (of: CelType): CelType => ({ kind: 'optional', of });
export const typeOf = (of: CelType): CelType => ({ kind: 'type', of });
export const opaque = <V extends CelValue>(name: string): CelType<V> => ({ kind: 'opaque', name });
export const param = (name: string): CelType => ({ kind: 'param', name });

/** An object whose fields are known. Fields are named as in JSON. */
export const objectType = (name: string, fields: Readonly<Record<string, CelType>>): CelType => ({
  ...{ kind: 'object', name },
  fields: new Map(Object.entries(fields).map(([key, type]) => [key, { type, jsonName: key }])),
});

/** An object that may have any fields. */
export const openObjectType = (name: string): CelType => ({
  ...{ kind: 'object', name, fields: new Map() },
  isOpen: true,
});

/** As messages name it: `list(string)`, `map(string, dyn)`. */
export const formatType = (type: CelType): string => {
  switch (type.kind) {
    case 'list':
      return `list(${formatType(type.of)})`;
    case 'map':
      return `map(${formatType(type.key)}, ${formatType(type.of)})`;
    case 'optional':
      return `optional_type(${formatType(type.of)})`;
    case 'type':
      return `type(${formatType(type.of)})`;
    case 'object':
    case 'opaque':
    case 'param':
      return type.name;
    case 'error':
      return '!error!';
    default:
      return type.kind;
  }
};

/** What `type(x)` says of a value of the type, and what names the type in an expression. */
export const typeName = (type: CelType): string => TYPE_NAMES[type.kind] ?? formatType(type);

const TYPE_NAMES: Readonly<Record<string, string>> = {
  ...{ list: 'list', map: 'map', optional: 'optional_type', type: 'type', null: 'null_type' },
  timestamp: 'google.protobuf.Timestamp',
  duration: 'google.protobuf.Duration',
};
