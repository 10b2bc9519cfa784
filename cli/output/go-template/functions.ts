import { printf } from './printf';
import { TemplateError } from './template-error';
import {
  compareText,
  floatOf,
  isTrue,
  kindOf,
  memberOf,
  plainText,
  sizeOf,
  sliceOf,
  typeName,
  type Value,
} from './values';

type Parameter = 'any' | 'string';

/** A function of templates. Those that stand for a nil get `undefined`. */
export interface TemplateFunction {
  readonly fixed: readonly Parameter[];
  readonly isVariadic: boolean;
  /** @throws TemplateError saying why not */
  readonly call: (...args: Value[]) => Value;
  /** Is this argument the result already? Then those after it are not looked at. */
  readonly isDecided?: (arg: Value) => boolean;
}

const of = (
  fixed: readonly Parameter[],
  isVariadic: boolean,
  call: (...args: Value[]) => Value,
): TemplateFunction => ({ fixed, isVariadic, call });

/** The first argument that decides, or the last one. */
const decidedBy = (isDecided: (arg: Value) => boolean): TemplateFunction => ({
  ...of(['any'], true, (...args) => args.at(-1)),
  isDecided,
});

const fail = (message: string): never => {
  throw new TemplateError(message);
};

/** As Go's Sprint: a space between two of which neither is a text. */
const sprint = (args: readonly Value[]): string =>
  args
    .map((arg, index) => {
      const isApart = index > 0 && kindOf(arg) !== 'string' && kindOf(args[index - 1]) !== 'string';
      return (isApart ? ' ' : '') + plainText(arg);
    })
    .join('');

/** What a function of texts makes of its arguments: of a value that is not there, what is printed of it. */
const argumentText = (args: readonly Value[]): string =>
  sprint(args.map((arg) => (arg === undefined ? '<no value>' : arg)));

const place = (key: Value, length: number, isUpTo: boolean): number => {
  if (key === undefined || key === null) fail('cannot index slice/array with nil');
  if (kindOf(key) !== 'int') fail(`cannot index slice/array with type ${typeName(key)}`);
  const at = Number(key);
  if (at < 0 || (isUpTo ? at > length : at >= length)) fail(`index out of range: ${String(key)}`);
  return at;
};

const step = (item: Value, key: Value): Value => {
  switch (kindOf(item)) {
    case 'nil':
      return fail('index of nil pointer');
    case 'string': {
      const bytes = Buffer.from(item as string);
      return bytes[place(key, bytes.length, false)];
    }
    case 'slice':
      return sliceOf(item)[place(key, sliceOf(item).length, false)];
    case 'map':
      if (key === undefined || key === null) fail('value is nil; should be of type string');
      if (kindOf(key) !== 'string') fail(`value has type ${typeName(key)}; should be string`);
      return memberOf(item, key as string);
    default:
      return fail(`can't index item of type ${typeName(item)}`);
  }
};

const index = (item: Value, ...keys: Value[]): Value => {
  if (item === undefined) fail('index of untyped nil');
  return keys.reduce(step, item);
};

/** Whether `index` would find something. Source: kubectl's `exists`. */
const exists = (item: Value, ...keys: Value[]): boolean => {
  try {
    return kindOf(keys.reduce(step, item)) !== 'nil';
  } catch (error) {
    if (error instanceof TemplateError) return false;
    throw error;
  }
};

const slice = (item: Value, ...keys: Value[]): Value => {
  const kind = kindOf(item);
  if (item === undefined) fail('slice of untyped nil');
  if (keys.length > 3) fail(`too many slice indexes: ${keys.length}`);
  if (kind === 'string' && keys.length === 3) fail('cannot 3-index slice a string');
  if (kind !== 'string' && kind !== 'slice') fail(`can't slice item of type ${typeName(item)}`);
  const size = length(item);
  const [from = 0, to = size] = keys.map((key) => place(key, size, true));
  if (from > to) fail(`invalid slice index: ${from} > ${to}`);
  return kind === 'string'
    ? Buffer.from(item as string)
        .subarray(from, to)
        .toString()
    : sliceOf(item).slice(from, to);
};

const length = (item: Value): number => {
  switch (kindOf(item)) {
    case 'nil':
      return fail('len of nil pointer');
    case 'string':
      return Buffer.byteLength(item as string);
    case 'slice':
      return sliceOf(item).length;
    case 'map':
      return sizeOf(item);
    default:
      return fail(`len of type ${typeName(item)}`);
  }
};

const equalPair = (a: Value, b: Value): boolean => {
  const kind = kindOf(a);
  if (kind !== kindOf(b)) {
    if (kind === 'nil' || kindOf(b) === 'nil') return false;
    return fail('incompatible types for comparison');
  }
  switch (kind) {
    case 'slice':
    case 'map':
      return fail(`non-comparable type ${plainText(a)}: ${typeName(a)}`);
    case 'float':
      return floatOf(a) === floatOf(b);
    case 'nil':
      return true;
    default:
      return a === b;
  }
};

const equal = (a: Value, ...others: Value[]): boolean => {
  if (others.length === 0) fail('missing argument for comparison');
  return others.some((other) => equalPair(a, other));
};

const less = (a: Value, b: Value): boolean => {
  const comparable = ['int', 'float', 'string', 'bool'];
  const [kind, other] = [kindOf(a), kindOf(b)];
  if (!comparable.includes(kind) || !comparable.includes(other))
    fail('invalid type for comparison');
  if (kind !== other) fail('incompatible types for comparison');
  if (kind === 'bool') fail('invalid type for comparison');
  if (kind === 'string') return compareText(a as string, b as string) < 0;
  return kind === 'float'
    ? floatOf(a) < floatOf(b)
    : (a as number | bigint) < (b as number | bigint);
};

const lessOrEqual = (a: Value, b: Value): boolean => less(a, b) || equal(a, b);

const base64decode = (text: Value): string => {
  const source = (text as string).replace(/[\r\n]/g, '');
  const bad = source.search(/[^A-Za-z0-9+/]/);
  const isWhole = source.length % 4 === 0 && /^[A-Za-z0-9+/]*={0,2}$/.test(source);
  if (!isWhole) {
    const at = bad < 0 ? source.length - (source.length % 4) : bad;
    fail(`base64 decode failed: illegal base64 data at input byte ${at}`);
  }
  const bytes = Buffer.from(source, 'base64');
  const decoded = bytes.toString();
  // A byte order mark is kept by toString, and what is no text would be changed by it.
  if (!Buffer.from(decoded).equals(bytes)) fail('base64 decode failed: the data is no text');
  return decoded;
};

const html = (text: string): string => text.replace(/[\0"'&<>]/g, (c) => HTML[c] ?? c);

const HTML: Readonly<Record<string, string>> = {
  ...{ '\0': '\uFFFD', '"': '&#34;', "'": '&#39;' },
  ...{ '&': '&amp;', '<': '&lt;', '>': '&gt;' },
};

const js = (text: string): string =>
  text.replace(/[\\'"<>&=\u0000-\u001f]|[^\P{C}\p{Cn}]/gu, (c) => {
    const hex = (c.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0');
    return /[\\'"]/.test(c) ? `\\${c}` : `\\u${hex}`;
  });

const urlquery = (text: string): string =>
  encodeURIComponent(Buffer.from(text).toString())
    .replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`)
    .replaceAll('%20', '+');

/** Those of Go's text/template, and two of kubectl's. */
export const FUNCTIONS: ReadonlyMap<string, TemplateFunction> = new Map(
  Object.entries({
    and: decidedBy((arg) => !isTrue(arg)),
    or: decidedBy(isTrue),
    not: of(['any'], false, (value) => !isTrue(value)),
    len: of(['any'], false, length),
    index: of(['any'], true, index),
    slice: of(['any'], true, slice),
    exists: of(['any'], true, exists),
    print: of([], true, (...args) => sprint(args)),
    println: of([], true, (...args) => `${args.map(plainText).join(' ')}\n`),
    printf: of(['string'], true, (format, ...args) => printf(format as string, args)),
    html: of([], true, (...args) => html(argumentText(args))),
    js: of([], true, (...args) => js(argumentText(args))),
    urlquery: of([], true, (...args) => urlquery(argumentText(args))),
    base64decode: of(['string'], false, base64decode),
    eq: of(['any'], true, equal),
    ne: of(['any', 'any'], false, (a, b) => !equal(a, b)),
    lt: of(['any', 'any'], false, less),
    le: of(['any', 'any'], false, lessOrEqual),
    gt: of(['any', 'any'], false, (a, b) => !lessOrEqual(a, b)),
    ge: of(['any', 'any'], false, (a, b) => !less(a, b)),
    call: of(['any'], true, (value) =>
      fail(
        value === undefined
          ? 'call of nil'
          : `non-function ${plainText(value)} of type ${typeName(value)}`,
      ),
    ),
  }),
);
