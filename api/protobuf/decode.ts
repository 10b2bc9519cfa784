import { rfc3339 } from '../../lib/clock';
import { parseJson } from '../../lib/json';
import { ApiError } from '../errors';
import { int64, type Int64 } from '../int64';
import { messageOf, type Message, type WireType } from './messages';
import { fieldsOf, WireError, type WireField } from './wire';

/** The media type of Kubernetes' protobuf bodies. */
export const PROTOBUF_MEDIA_TYPE = 'application/vnd.kubernetes.protobuf';

/** `k8s` and a zero byte begin every protobuf body. */
const MAGIC = Buffer.from('k8s\0', 'latin1');
/** How deep messages nest: no known kind comes near, and hostile bytes must not overflow the stack. */
const DEPTH_MAX = 128;
/** Unread fields that are named. */
const UNREAD_MAX = 100;

export interface ProtobufBody {
  /** In the form that JSON bodies have; decoding checks and completes it. */
  readonly object: Readonly<Record<string, unknown>> & {
    readonly apiVersion: string;
    readonly kind: string;
  };
  /** Fields that hold something and that no message has, by path and number: a newer client's. */
  readonly unread: readonly string[];
}

/**
 * Reads a protobuf request body of at most `fieldCountMax` fields: a million empty ones fit into 2 MB.
 * @throws ApiError BadRequest for bytes that are none, UnsupportedMediaType for kinds without a
 *   message: their clients must send JSON; RequestEntityTooLarge
 */
export const decodeProtobuf = (body: Uint8Array, fieldCountMax = Infinity): ProtobufBody => {
  try {
    return decodeBody(body, { fieldCountMax, left: fieldCountMax });
  } catch (error) {
    if (!(error instanceof WireError)) throw error;
    throw new ApiError('BadRequest', `the body is no protobuf message: ${error.message}`, {
      cause: error,
    });
  }
};

/** The refusal of a body of which a part would be lost. */
export const unreadable = (what: string): ApiError =>
  new ApiError(
    'UnsupportedMediaType',
    `${what} cannot be read as ${PROTOBUF_MEDIA_TYPE}; send it as application/json`,
  );

const decodeBody = (body: Uint8Array, budget: Budget): ProtobufBody => {
  if (body.length < MAGIC.length || !MAGIC.equals(body.subarray(0, MAGIC.length))) {
    throw new ApiError(
      'BadRequest',
      'provided data does not appear to be a protobuf message, expected prefix [107 56 115 0]',
    );
  }
  const { apiVersion, kind, raw } = envelopeOf(body.subarray(MAGIC.length), budget);
  const slash = apiVersion.indexOf('/');
  const message = messageOf({
    group: apiVersion.slice(0, Math.max(slash, 0)),
    version: apiVersion.slice(slash + 1),
    kind,
  });
  if (message === undefined) throw unreadable(kind === '' ? 'an object without kind' : kind);
  const reader = new MessageReader(budget);
  const object: Fields = {};
  reader.read(message, raw, object, ROOT);
  return { object: { ...object, apiVersion, kind }, unread: reader.unread };
};

/** `runtime.Unknown`: the type, and the object as bytes. */
const envelopeOf = (bytes: Uint8Array, budget: Budget) => {
  let [apiVersion, kind] = ['', ''];
  let raw: Uint8Array = new Uint8Array();
  for (const field of fieldsOf(bytes)) {
    spend(budget);
    if (field.number === 1) {
      apiVersion = memberOf(budget, field, 1, textOf) ?? '';
      kind = memberOf(budget, field, 2, textOf) ?? '';
    } else if (field.number === 2) raw = bytesOf(field);
    else if (field.number === 3 && !isZero(field)) throw unreadable('an encoded object');
  }
  return { apiVersion, kind, raw };
};

type Fields = Record<string, unknown>;

/** How many more fields may be read. */
interface Budget {
  readonly fieldCountMax: number;
  left: number;
}

/** @throws ApiError RequestEntityTooLarge */
const spend = (budget: Budget): void => {
  if (budget.left-- > 0) return;
  throw new ApiError(
    'RequestEntityTooLarge',
    `Request entity too large: limit is ${budget.fieldCountMax} fields in a body`,
  );
};

/** Where the reader is. Texts are made only for what it cannot read. */
interface Place {
  readonly parent: Place | undefined;
  readonly step: string | number;
  readonly depth: number;
}

const ROOT: Place = { parent: undefined, step: '', depth: 0 };

const below = (parent: Place, step: string | number): Place => ({
  parent,
  step,
  depth: parent.depth + 1,
});

/** `spec.containers[0].` */
const prefixOf = ({ parent, step }: Place): string => {
  if (parent === undefined) return '';
  const before = prefixOf(parent);
  if (step === '') return before;
  return typeof step === 'number' ? `${before.slice(0, -1)}[${step}].` : `${before}${step}.`;
};

class MessageReader {
  readonly unread: string[] = [];

  constructor(private readonly budget: Budget) {}

  /** Adds the message's fields to `into`: parts of one message add up. */
  read(message: Message, bytes: Uint8Array, into: Fields, place: Place): void {
    if (place.depth > DEPTH_MAX) throw new WireError('messages are nested too deeply');
    for (const field of fieldsOf(bytes)) {
      spend(this.budget);
      const known = message.fields.get(field.number);
      if (known === undefined) this.noteUnread(field, place);
      else if (known.name === '' && known.type.kind === 'message')
        this.read(known.type.message, bytesOf(field), into, below(place, ''));
      else {
        const at = below(place, known.name);
        const value = this.combined(into[known.name], known.type, field, at);
        if (value !== undefined) into[known.name] = value;
      }
    }
  }

  private noteUnread(field: WireField, place: Place): void {
    if (isZero(field) || this.unread.length >= UNREAD_MAX) return;
    this.unread.push(`${prefixOf(place)}<protobuf field ${field.number}>`);
  }

  /** What a field becomes when it arrives: lists and maps grow, anything else is replaced. */
  private combined(current: unknown, type: WireType, field: WireField, place: Place): unknown {
    switch (type.kind) {
      case 'list': {
        const list = (current ?? []) as unknown[];
        list.push(this.value(type.item, field, below(place, list.length)));
        return list;
      }
      case 'map': {
        const map = (current ?? {}) as Fields;
        const [key, value] = this.entry(type.value, field, place);
        // Defined, not assigned: the key may be `__proto__`.
        Object.defineProperty(map, key, { ...PLAIN, value });
        return map;
      }
      case 'message': {
        const object = (current ?? {}) as Fields;
        this.read(type.message, bytesOf(field), object, place);
        return object;
      }
      default:
        return this.value(type, field, place);
    }
  }

  private entry(type: WireType, field: WireField, place: Place): readonly [string, unknown] {
    let key = '';
    let value: unknown = emptyOf(type);
    for (const part of fieldsOf(bytesOf(field))) {
      spend(this.budget);
      if (part.number === 1) key = textOf(part);
      if (part.number === 2) value = this.value(type, part, below(place, '*'));
    }
    return [key, value];
  }

  private value(type: WireType, field: WireField, place: Place): unknown {
    switch (type.kind) {
      case 'message':
      case 'list':
      case 'map':
        return this.combined(undefined, type, field, place);
      case 'items': {
        const items: unknown[] = [];
        for (const part of fieldsOf(bytesOf(field))) {
          spend(this.budget);
          if (part.number === 1)
            items.push(this.value(type.item, part, below(place, items.length)));
        }
        return items;
      }
      default:
        return scalarOf(type.kind, field, this.budget);
    }
  }
}

const PLAIN = { configurable: true, enumerable: true, writable: true };

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

/** The value of an entry that has none. */
const emptyOf = ({ kind }: WireType): unknown => {
  if (kind === 'quantity') return '0';
  if (kind === 'items') return [];
  return kind === 'message' ? {} : '';
};

const scalarOf = (
  kind: Exclude<WireType['kind'], 'message' | 'list' | 'map' | 'items'>,
  field: WireField,
  budget: Budget,
): unknown => {
  switch (kind) {
    case 'string':
      return textOf(field);
    case 'int':
      return integerOf(field);
    case 'bool':
      return varintOf(field) !== 0n;
    case 'bytes':
      return Buffer.from(bytesOf(field)).toString('base64');
    case 'time':
    case 'microTime':
      return timeOf(budget, field, kind);
    case 'quantity':
      return memberOf(budget, field, 1, textOf) ?? '0';
    case 'intOrString':
      return memberOf(budget, field, 1, integerOf) === 1
        ? (memberOf(budget, field, 3, textOf) ?? '')
        : int32Of(memberOf(budget, field, 2, integerOf) ?? 0);
    case 'json':
      return jsonOf(memberOf(budget, field, 1, bytesOf));
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

const int32Of = (value: Int64): number => Number(BigInt.asIntN(32, BigInt(value)));

const jsonOf = (bytes: Uint8Array | undefined): unknown => {
  if (bytes === undefined || bytes.length === 0) return undefined;
  try {
    return parseJson(bytes);
  } catch (error) {
    throw new WireError('a field that holds JSON does not', { cause: error });
  }
};

const memberOf = <T>(
  budget: Budget,
  field: WireField,
  number: number,
  read: (member: WireField) => T,
): T | undefined => {
  for (const member of fieldsOf(bytesOf(field))) {
    spend(budget);
    if (member.number === number) return read(member);
  }
  return undefined;
};

/** An empty message is Go's zero time: no time at all. */
const timeOf = (
  budget: Budget,
  field: WireField,
  kind: 'time' | 'microTime',
): string | undefined => {
  const seconds = memberOf(budget, field, 1, integerOf);
  if (seconds === undefined) return undefined;
  if (seconds < SECONDS_MIN || seconds > SECONDS_MAX) throw new WireError('a time is out of range');
  const nanos = int32Of(memberOf(budget, field, 2, integerOf) ?? 0);
  if (nanos < 0 || nanos > 999_999_999) throw new WireError('a time is out of range');
  const whole = rfc3339(Number(seconds) * 1000);
  if (kind === 'time') return whole;
  const micros = String(Math.floor(nanos / 1000)).padStart(6, '0');
  return `${whole.slice(0, -1)}.${micros}Z`;
};

// The years 0 to 9999, which is what the text form holds.
const SECONDS_MIN = -62_167_219_200;
const SECONDS_MAX = 253_402_300_799;
