import { stringifyJson } from '../../lib/json';
import type { KindName } from '../schema/definitions';
import { messageOf, type Message, type WireType } from './messages';

type Fields = Readonly<Record<string, unknown>>;

/** An object as a client writes it on the wire, and `more` fields behind its own. */
export const encodeProtobuf = (
  kind: KindName,
  object: object,
  more: Uint8Array = new Uint8Array(),
): Buffer => {
  const message = messageOf(kind);
  if (message === undefined) throw new Error(`${kind.kind} has no message`);
  const { apiVersion, kind: name } = object as Record<string, string>;
  const typeMeta = Buffer.concat([part(1, text(apiVersion ?? '')), part(2, text(name ?? ''))]);
  const raw = Buffer.concat([encodeMessage(message, object as Fields), more]);
  return Buffer.concat([Buffer.from('k8s\0'), part(1, typeMeta), part(2, raw)]);
};

const encodeMessage = ({ fields }: Message, object: Fields): Buffer =>
  Buffer.concat(
    [...fields].flatMap(([number, { name, type }]) => {
      if (name === '' && type.kind === 'message')
        return [part(number, encodeMessage(type.message, object))];
      const value = Object.hasOwn(object, name) ? object[name] : undefined;
      return value === undefined || value === null ? [] : encodeField(number, type, value);
    }),
  );

const encodeField = (number: number, type: WireType, value: unknown): Buffer[] => {
  switch (type.kind) {
    case 'list':
      return (value as unknown[]).flatMap((item) => encodeField(number, type.item, item));
    case 'map':
      return Object.entries(value as Fields).map(([key, item]) =>
        part(number, Buffer.concat([part(1, text(key)), ...encodeField(2, type.value, item)])),
      );
    case 'int':
      return [Buffer.concat([varint(BigInt(number) << 3n), varint(BigInt(value as number))])];
    case 'bool':
      return [Buffer.concat([varint(BigInt(number) << 3n), varint(value === true ? 1n : 0n)])];
    default:
      return [part(number, encodeBytes(type, value))];
  }
};

const encodeBytes = (type: WireType, value: unknown): Buffer => {
  switch (type.kind) {
    case 'message':
      return encodeMessage(type.message, value as Fields);
    case 'items':
      return Buffer.concat((value as unknown[]).flatMap((each) => encodeField(1, type.item, each)));
    case 'bytes':
      return Buffer.from(value as string, 'base64');
    case 'time':
    case 'microTime':
      return encodeTime(value as string);
    case 'quantity':
      return part(1, text(value as string));
    case 'intOrString':
      return typeof value === 'string'
        ? Buffer.concat([Buffer.from([8, 1]), part(3, text(value))])
        : Buffer.concat([Buffer.from([8, 0, 16]), varint(BigInt(value as number))]);
    case 'json':
      return part(1, text(stringifyJson(value)));
    default:
      return text(value as string);
  }
};

const encodeTime = (value: string): Buffer => {
  const micros = Number(/\.(\d{6})Z$/.exec(value)?.[1] ?? 0);
  const seconds = BigInt(Math.floor(Date.parse(value) / 1000));
  return Buffer.concat([
    Buffer.from([8]),
    varint(seconds),
    Buffer.from([16]),
    varint(BigInt(micros * 1000)),
  ]);
};

const text = (value: string): Buffer => Buffer.from(value, 'utf8');

const part = (number: number, bytes: Buffer): Buffer =>
  Buffer.concat([varint((BigInt(number) << 3n) | 2n), varint(BigInt(bytes.length)), bytes]);

const varint = (value: bigint): Buffer => {
  const bytes: number[] = [];
  let rest = BigInt.asUintN(64, value);
  do {
    const more = rest >> 7n;
    bytes.push(Number(rest & 0x7fn) | (more === 0n ? 0 : 0x80));
    rest = more;
  } while (rest !== 0n);
  return Buffer.from(bytes);
};
