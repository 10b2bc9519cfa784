import { rfc3339, rfc3339Micro } from '../../lib/clock';
import { ApiError } from '../errors';
import { MESSAGES, STRICT_MESSAGES, type MessageFields } from './messages';
import { fieldsOf, WireError, type WireField } from './wire';
import { int64, type Int64 } from '../int64';

/** The media type of Kubernetes' protobuf bodies. */
export const PROTOBUF_MEDIA_TYPE = 'application/vnd.kubernetes.protobuf';

/** `k8s` and a zero byte begin every protobuf body. */
const MAGIC = Buffer.from('k8s\0', 'latin1');
/** How deep messages nest: no known kind comes near, and hostile bytes must not overflow the stack. */
const DEPTH_MAX = 64;

/** The object of a body, in the form that JSON bodies have; decoding checks and completes it. */
export type ProtobufObject = Readonly<Record<string, unknown>> & {
  readonly apiVersion: string;
  readonly kind: string;
};

/** Where a decoder is, and how many more fields it may read. */
interface Place {
  readonly depth: number;
  readonly budget: { readonly fieldCountMax: number; left: number };
}

const below = ({ depth, budget }: Place): Place => ({ depth: depth + 1, budget });

/** @throws ApiError RequestEntityTooLarge */
const spend = ({ budget }: Place): void => {
  if (budget.left-- > 0) return;
  throw new ApiError(
    'RequestEntityTooLarge',
    `Request entity too large: limit is ${budget.fieldCountMax} fields in a body`,
  );
};

/**
 * Reads a protobuf request body of at most `fieldCountMax` fields: a million empty ones fit into 2 MB.
 * @throws ApiError BadRequest for bytes that are none, UnsupportedMediaType for kinds without a
 *   table: their clients must send JSON; RequestEntityTooLarge
 */
export const decodeProtobuf = (body: Uint8Array, fieldCountMax = Infinity): ProtobufObject => {
  try {
    return decodeBody(body, fieldCountMax);
  } catch (error) {
    if (!(error instanceof WireError)) throw error;
    throw new ApiError('BadRequest', `the body is no protobuf message: ${error.message}`, {
      cause: error,
    });
  }
};

const decodeBody = (body: Uint8Array, fieldCountMax: number): ProtobufObject => {
  const at: Place = { depth: 0, budget: { fieldCountMax, left: fieldCountMax } };
  if (body.length < MAGIC.length || !MAGIC.equals(body.subarray(0, MAGIC.length))) {
    throw new ApiError(
      'BadRequest',
      'provided data does not appear to be a protobuf message, expected prefix [107 56 115 0]',
    );
  }
  const envelope = decodeMessage(ENVELOPE, body.subarray(MAGIC.length), at);
  const { apiVersion = '', kind = '' } = (envelope['typeMeta'] ?? {}) as Record<string, string>;
  const raw = envelope['raw'];
  const fields = Object.hasOwn(MESSAGES, kind) ? MESSAGES[kind] : undefined;
  if (fields === undefined) {
    throw unreadable(kind === '' ? 'an object without kind' : kind);
  }
  const object = decodeMessage(fields, raw instanceof Uint8Array ? raw : new Uint8Array(), at);
  return { ...object, apiVersion, kind };
};

const unreadable = (what: string): ApiError =>
  new ApiError(
    'UnsupportedMediaType',
    `${what} cannot be read as ${PROTOBUF_MEDIA_TYPE}; send it as application/json`,
  );

/** Writers of proto2 send empty values too; they say nothing. */
const isZero = (field: WireField): boolean => {
  switch (field.kind) {
    case 'varint':
      return field.value === 0n;
    case 'bytes':
      return field.value.length === 0;
    case 'fixed':
      return false;
  }
};

const ENVELOPE: MessageFields = { 1: ['typeMeta', 'TypeMeta'], 2: ['raw', 'raw'] };
const TYPE_META: MessageFields = { 1: ['apiVersion', 'string'], 2: ['kind', 'string'] };

const fieldsOfMessage = (type: string): MessageFields => {
  const fields = type === 'TypeMeta' ? TYPE_META : MESSAGES[type];
  if (fields === undefined) throw new Error(`no message ${type}`);
  return fields;
};

const decodeMessage = (
  fields: MessageFields,
  bytes: Uint8Array,
  at: Place,
  message = '',
): Record<string, unknown> => {
  if (at.depth > DEPTH_MAX) throw new WireError('messages are nested too deeply');
  const values = new Map<string, unknown>();
  for (const field of fieldsOf(bytes)) {
    spend(at);
    const known = fields[field.number];
    if (known === undefined) {
      if (STRICT_MESSAGES.has(message) && !isZero(field))
        throw unreadable(`${message} field ${field.number}`);
      continue;
    }
    const [name, type] = known;
    values.set(name, combined(values.get(name), type, field, at));
  }
  return Object.fromEntries([...values].filter(([, value]) => value !== undefined));
};

/** What a field becomes when it arrives: lists and maps grow, anything else is replaced. */
const combined = (current: unknown, type: string, field: WireField, at: Place): unknown => {
  if (type.endsWith('[]')) {
    const list = (current ?? []) as unknown[];
    list.push(decodeValue(type.slice(0, -2), field, at));
    return list;
  }
  if (type.startsWith('map:')) {
    const [key, value] = decodeEntry(type.slice(4), field, at);
    const map = (current ?? {}) as Record<string, unknown>;
    Object.defineProperty(map, key, {
      value,
      configurable: true,
      enumerable: true,
      writable: true,
    });
    return map;
  }
  return decodeValue(type, field, at);
};

const decodeEntry = (type: string, field: WireField, at: Place): readonly [string, unknown] => {
  let key = '';
  let value: unknown = type === 'quantity' ? '0' : '';
  for (const part of fieldsOf(bytesOf(field))) {
    spend(at);
    if (part.number === 1) key = textOf(part);
    if (part.number === 2) value = decodeValue(type, part, below(at));
  }
  return [key, value];
};

const decodeValue = (type: string, field: WireField, at: Place): unknown => {
  switch (type) {
    case 'string':
      return textOf(field);
    case 'int':
      return integerOf(field);
    case 'bool':
      return varintOf(field) !== 0n;
    case 'bytes':
      return Buffer.from(bytesOf(field)).toString('base64');
    case 'raw':
      return bytesOf(field);
    case 'time':
      return timeOf(at, field, rfc3339);
    case 'microTime':
      return timeOf(at, field, rfc3339Micro);
    case 'quantity':
      return memberOf(at, field, 1, textOf) ?? '0';
    case 'intOrString':
      return memberOf(at, field, 1, integerOf) === 1
        ? (memberOf(at, field, 3, textOf) ?? '')
        : (memberOf(at, field, 2, integerOf) ?? 0);
    default:
      return decodeMessage(fieldsOfMessage(type), bytesOf(field), below(at), type);
  }
};

const bytesOf = (field: WireField): Uint8Array => {
  if (field.kind !== 'bytes') throw new WireError(`field ${field.number} has a wrong wire type`);
  return field.value;
};

const varintOf = (field: WireField): bigint => {
  if (field.kind !== 'varint') throw new WireError(`field ${field.number} has a wrong wire type`);
  return field.value;
};

const textOf = (field: WireField): string => Buffer.from(bytesOf(field)).toString('utf8');

/** Negative numbers arrive as their 64-bit two's complement. */
const integerOf = (field: WireField): Int64 => int64(BigInt.asIntN(64, varintOf(field)));

const memberOf = <T>(
  at: Place,
  field: WireField,
  number: number,
  read: (member: WireField) => T,
): T | undefined => {
  for (const member of fieldsOf(bytesOf(field))) {
    spend(at);
    if (member.number === number) return read(member);
  }
  return undefined;
};

const MILLIS_MAX = 8.64e15;

/** An empty message is Go's zero time: no time at all. */
const timeOf = (
  at: Place,
  field: WireField,
  format: (ms: number) => string,
): string | undefined => {
  const seconds = memberOf(at, field, 1, integerOf);
  if (seconds === undefined) return undefined;
  const nanos = Number(memberOf(at, field, 2, integerOf) ?? 0);
  const ms = Number(seconds) * 1000 + Math.floor(nanos / 1e6);
  if (Math.abs(ms) > MILLIS_MAX) throw new WireError('a time is out of range');
  return format(ms);
};
