import { definitionOf, hasDefinition, type KindName } from '../schema/definitions';

/** What a field holds on the wire. */
export type WireType =
  | {
      readonly kind:
        | 'string'
        | 'int'
        | 'bool'
        | 'bytes'
        | 'time'
        | 'microTime'
        | 'quantity'
        | 'intOrString'
        /** A message whose only field holds JSON. */
        | 'json';
    }
  | { readonly kind: 'message'; readonly message: Message }
  /** Repeats: each occurrence is one item. */
  | { readonly kind: 'list'; readonly item: WireType }
  /** Repeats: each occurrence is a message of a key, a text, and a value. */
  | { readonly kind: 'map'; readonly value: WireType }
  /** A named list: a message whose first field is the list. */
  | { readonly kind: 'items'; readonly item: WireType };

export interface MessageField {
  /** The name in JSON; `''` for a message whose fields are its parent's in JSON. */
  readonly name: string;
  readonly type: WireType;
}

/** A message by its OpenAPI name, with its fields by number. */
export interface Message {
  readonly name: string;
  readonly fields: ReadonlyMap<number, MessageField>;
}

/** The message of a kind; undefined for kinds that have none, such as our own. */
export const messageOf = (kind: KindName): Message | undefined => {
  // Every group version has the options of its requests.
  const named = OPTION_KINDS.has(kind.kind) ? { group: '', version: 'v1', kind: kind.kind } : kind;
  if (!hasDefinition(named)) return undefined;
  const { name } = definitionOf(named);
  return name in table() ? messageNamed(name) : undefined;
};

const OPTION_KINDS = new Set(['DeleteOptions']);

type Table = Readonly<
  Record<string, Readonly<Record<string, readonly [name: string, type: string]>>>
>;

let cached: Table | undefined;

/** Generated from upstream's declarations. Read on first use, as the definitions are. */
const table = (): Table =>
  // eslint-disable-next-line @typescript-eslint/no-require-imports
  (cached ??= require('./generated/messages.json') as Table);

const messages = new Map<string, Message>();

const messageNamed = (name: string): Message => {
  const known = messages.get(name);
  if (known !== undefined) return known;
  const numbers = table()[name];
  if (numbers === undefined) throw new Error(`no message ${name}`);
  const fields = new Map<number, MessageField>();
  const message = { name, fields };
  // Set before its fields are: messages reach themselves.
  messages.set(name, message);
  for (const [number, [field, type]] of Object.entries(numbers)) {
    fields.set(Number(number), { name: field, type: wireType(type) });
  }
  return message;
};

/** `string`, `io.k8s.api.core.v1.Container[]`, `map:quantity`, `items:string` */
const wireType = (text: string): WireType => {
  if (text.startsWith('map:')) return { kind: 'map', value: wireType(text.slice(4)) };
  if (text.startsWith('items:')) return { kind: 'items', item: wireType(text.slice(6)) };
  if (text.endsWith('[]')) return { kind: 'list', item: wireType(text.slice(0, -2)) };
  if (text.includes('.')) return { kind: 'message', message: messageNamed(text) };
  return { kind: text as Exclude<WireType['kind'], 'message' | 'list' | 'map' | 'items'> };
};
