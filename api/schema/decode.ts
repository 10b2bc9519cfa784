import { ApiError } from '../errors';
import { formatQuantity, parseQuantity, QuantityError } from '../quantity';
import type { ApiObject } from '../types';
import { withEmbedded } from '../structural/embedded';
import type { JsonSchema } from '../structural/json-schema';
import { pruned, withoutNulls } from '../structural/prune';
import { definitionNamed, definitionOf, type KindName } from './definitions';
import { shapeOfDefinition, type Shape, type StructShape } from './shapes';
import { int64, isInt64, type Int64 } from '../int64';
import { ahead, placesOf, type Place } from './decode-ahead';
import { isJsonObject } from '../../lib/json';

/** What to do with fields the kind does not have: drop, drop and warn, or refuse. */
export type FieldValidation = 'Ignore' | 'Warn' | 'Strict';

export interface DecodeOptions {
  readonly fieldValidation?: FieldValidation;
  /** Paths that the body held twice, as the JSON reader reports them: treated like unknown fields. */
  readonly duplicateFields?: readonly string[];
  /** Only what the value names: nothing is filled in, and zeros and nulls stay. */
  readonly isPartial?: boolean;
}

export interface Decoded<T extends ApiObject = ApiObject> {
  readonly object: T;
  /** For `Warning:` headers. */
  readonly warnings: readonly string[];
}

/** The value is not of the kind's type. `message` is the decoder's wording, without what was decoded. */
export class DecodeError extends Error {
  override readonly name = 'DecodeError';
  /** `spec.containers[0].resources.limits.memory`: upstream's words do not always say where. */
  fields: readonly string[] = [];
}

/**
 * A value as an object of the kind: types checked, nulls and unknown fields dropped, quantities in
 * canonical form, zero values as upstream stores them. `apiVersion` and `kind` are filled in.
 * @throws ApiError BadRequest in upstream's words
 */
export const decode = <T extends ApiObject = ApiObject>(
  kind: KindName,
  value: unknown,
  options: DecodeOptions = {},
  parts?: Parts,
): Decoded<T> => {
  try {
    return convert<T>(kind, value, options, parts);
  } catch (error) {
    throw asBadRequest(kind, error);
  }
};

/**
 * `decode` in steps of some milliseconds, however large the value: others may run between them. What
 * users define comes in one. @throws ApiError as `decode`
 */
export function* decodeInSteps(
  kind: KindName,
  value: unknown,
  options: DecodeOptions = {},
): Generator<void, Decoded, void> {
  const parts: Parts = new Map();
  yield* decodedAhead(kind, value, options, parts);
  return decode(kind, value, options, parts);
}

const asBadRequest = (kind: KindName, error: unknown): unknown =>
  error instanceof DecodeError
    ? new ApiError(
        'BadRequest',
        `${kind.kind} in version "${kind.version}" cannot be handled as a ${kind.kind}: ${error.message}`,
        { cause: error, ...detailsOf(error) },
      )
    : error;

const detailsOf = ({ fields, message }: DecodeError) =>
  fields.length === 0
    ? {}
    : {
        details: {
          causes: fields.map((field) => ({ reason: 'FieldValueInvalid', message, field })),
        },
      };

/** `decode` for the result of a patch, where the caller words the refusal. @throws DecodeError */
export const convert = <T extends ApiObject = ApiObject>(
  kind: KindName,
  value: unknown,
  options: DecodeOptions = {},
  parts?: Parts,
): Decoded<T> => {
  const definition = definitionOf(kind);
  if (definition.structural !== undefined)
    return convertCustom<T>(kind, definition.structural, value, options);
  const shape = shapeOfDefinition(definition);
  if (shape.kind !== 'struct') throw new Error(`${definition.name} is no object`);
  if (!isJsonObject(value)) {
    throw new DecodeError(
      `json: cannot unmarshal ${jsonKind(value)} into Go value of type v1.${kind.kind}`,
    );
  }
  const decoder = new Decoder(options.isPartial ?? false, parts);
  const body = decoder.struct(shape, value, ROOT);
  const warnings = judged(decoder, options);
  // The kind's validation turns this into the type it promises.
  const metadata = shape.field('metadata') === undefined ? {} : { metadata: {} };
  return { object: { ...metadata, ...body, ...typeOf(kind) } as unknown as T, warnings };
};

/** What was decoded before the whole, by its value, with what there was to note of it. */
type Parts = Map<unknown, Part>;

interface Part extends Pick<Decoder, 'unknown' | 'remarks'> {
  readonly shape: Shape;
  readonly path: Path;
  readonly decoded: unknown;
}

/** One value may stand in two places, as YAML has it: then what is noted of it names another. */
const isFor = (part: Part, shape: Shape, path: Path): boolean =>
  part.shape === shape &&
  ((part.unknown.length === 0 && part.remarks.length === 0) || textOf(part.path) === textOf(path));

/** Fills `parts` in the order of the value. What is wrong is left to whoever decodes the whole. */
function* decodedAhead(
  kind: KindName,
  value: unknown,
  { isPartial = false }: DecodeOptions,
  parts: Parts,
): Generator<void, void, void> {
  const definition = definitionOf(kind);
  if (definition.structural !== undefined) return;
  const decodePart = ({ shape, value: each, path }: Place<Path>): void => {
    if (typeof each !== 'object' || each === null) return;
    const decoder = new Decoder(isPartial, parts);
    const { unknown, remarks } = decoder;
    parts.set(each, { shape, path, decoded: decoder.value(shape, each, path), unknown, remarks });
  };
  const whole = { shape: shapeOfDefinition(definition), value, path: ROOT };
  try {
    yield* ahead(whole, (place) => placesOf(place, below), decodePart);
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error;
  }
}

const typeOf = ({ group, version, kind }: KindName) => ({
  apiVersion: group === '' ? version : `${group}/${version}`,
  kind,
});

/** What the author should hear. @throws DecodeError for what a strict client must not send */
const judged = (
  decoder: Decoder,
  { fieldValidation = 'Ignore', duplicateFields = [] }: DecodeOptions,
): readonly string[] => {
  const problems = [
    ...duplicateFields.map((field) => ({ field, text: `duplicate field "${field}"` })),
    ...decoder.unknown.map((field) => ({ field, text: `unknown field "${field}"` })),
  ].slice(0, PROBLEMS_MAX);
  const texts = problems.map(({ text }) => text);
  if (fieldValidation === 'Strict' && problems.length > 0) {
    const error = new DecodeError(`strict decoding error: ${texts.join(', ')}`);
    error.fields = problems.map(({ field }) => field);
    throw error;
  }
  return [...(fieldValidation === 'Warn' ? texts : []), ...decoder.remarks];
};

/** An object of a kind that users define: metadata is as everywhere, all else as its schema has it. */
const convertCustom = <T extends ApiObject>(
  kind: KindName,
  schema: JsonSchema,
  value: unknown,
  options: DecodeOptions,
): Decoded<T> => {
  if (!isJsonObject(value)) {
    throw new DecodeError(
      `json: cannot unmarshal ${jsonKind(value)} into Go value of type map[string]interface {}`,
    );
  }
  const { isPartial = false } = options;
  const decoder = new Decoder(isPartial);
  const { apiVersion: _version, kind: _kind, metadata, ...rest } = value;
  const known = pruned(rest, schema, (path) => decoder.note(path));
  const body = isPartial ? known : (withoutNulls(known, schema) as Json);
  const object = {
    metadata: decoder.metadata(metadata, kind.kind, ''),
    ...withEmbedded(body, schema, (each, path) => decoder.metadata(each, 'Embedded', path)),
    ...typeOf(kind),
  };
  decoder.unknown.sort();
  return { object: object as unknown as T, warnings: judged(decoder, options) };
};

/** Upstream lists no more either. */
const PROBLEMS_MAX = 100;
const UNKNOWN_MAX = 1000;
const OBJECT_META = 'io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta';

/** Where the decoder is. Texts are made only for errors. */
interface Path {
  readonly parent?: Path;
  readonly struct: string;
  readonly segment: string | number;
}

const ROOT: Path = { struct: '', segment: '' };

const below = (parent: Path, struct: string, segment: string | number): Path => ({
  parent,
  struct,
  segment,
});

const segmentsOf = (path: Path): readonly Path[] =>
  path.parent === undefined ? [] : [...segmentsOf(path.parent), path];

/** `spec.containers[0].image` */
const textOf = (path: Path): string =>
  segmentsOf(path)
    .map(({ segment }, i) =>
      typeof segment === 'number' ? `[${segment}]` : i === 0 ? segment : `.${segment}`,
    )
    .join('');

/** Go's way: the innermost struct, then every field name from the root without indexes and keys. */
const goTextOf = (path: Path): string => {
  const fields = segmentsOf(path).filter(({ struct }) => struct !== '');
  return `${fields.at(-1)?.struct ?? ''}.${fields.map(({ segment }) => segment).join('.')}`;
};

type Json = Readonly<Record<string, unknown>>;

const jsonKind = (value: unknown): string => {
  if (Array.isArray(value)) return 'array';
  if (typeof value === 'boolean') return 'bool';
  if (typeof value === 'bigint') return 'number';
  return value === null ? 'null' : typeof value;
};

class Decoder {
  /** Paths of fields that the kind does not have. */
  readonly unknown: string[] = [];
  /** What the author should hear of values that are kept as something else. */
  readonly remarks: string[] = [];

  constructor(
    private readonly isPartial: boolean,
    private readonly parts?: Parts,
  ) {}

  /** A field that the kind does not have. */
  note(field: string): void {
    if (this.unknown.length < UNKNOWN_MAX) this.unknown.push(field);
  }

  private remark(text: string): void {
    if (this.remarks.length < PROBLEMS_MAX) this.remarks.push(text);
  }

  /** The metadata of an object that is at `path`; of the whole when that is empty. */
  metadata(value: unknown, struct: string, path: string): unknown {
    const parent = path === '' ? ROOT : { parent: ROOT, struct: '', segment: path };
    const shape = shapeOfDefinition(definitionNamed(OBJECT_META));
    return this.value(shape, value, { parent, struct, segment: 'metadata' }) ?? {};
  }

  struct(shape: StructShape, value: Json, path: Path): Record<string, unknown> {
    const out: Record<string, unknown> = {};
    for (const [name, raw] of Object.entries(value)) {
      const field = shape.field(name);
      const at: Path = { parent: path, struct: shape.name, segment: name };
      if (field === undefined) {
        this.note(textOf(at));
        continue;
      }
      const decoded = this.value(field, raw, at);
      if (this.isPartial) out[name] = decoded ?? null;
      else if (decoded !== undefined && !isDropped(shape, name, field, decoded))
        out[name] = decoded;
    }
    return this.isPartial ? out : filled(shape, out);
  }

  value(shape: Shape, value: unknown, path: Path): unknown {
    const part = this.parts?.get(value);
    if (part !== undefined && isFor(part, shape, path)) return this.taken(part);
    try {
      return this.convert(shape, value, path);
    } catch (error) {
      // The innermost call comes first.
      if (error instanceof DecodeError && error.fields.length === 0) error.fields = [textOf(path)];
      throw error;
    }
  }

  private taken({ decoded, unknown, remarks }: Part): unknown {
    for (const field of unknown) this.note(field);
    for (const text of remarks) this.remark(text);
    return decoded;
  }

  private convert(shape: Shape, value: unknown, path: Path): unknown {
    if (value === null || value === undefined) return undefined;
    switch (shape.kind) {
      case 'struct':
        return isJsonObject(value) ? this.struct(shape, value, path) : mismatch(value, shape, path);
      case 'list':
        return Array.isArray(value) ? this.list(shape, value, path) : mismatch(value, shape, path);
      case 'map':
        return isJsonObject(value) ? this.map(shape, value, path) : mismatch(value, shape, path);
      case 'string':
        return typeof value === 'string' ? value : mismatch(value, shape, path);
      case 'bool':
        return typeof value === 'boolean' ? value : mismatch(value, shape, path);
      case 'float64':
        return typeof value === 'number' ? value : mismatch(value, shape, path);
      case 'int32':
      case 'int64':
        return integer(shape, value, path);
      case 'quantity':
        return this.quantity(value, path);
      case 'intOrString':
        return intOrString(value);
      case 'time':
        return time(value, shape.goType);
      case 'bytes':
        return typeof value === 'string' ? base64(value) : mismatch(value, shape, path);
      case 'schemaOr':
        return this.schemaOr(shape, value, path);
      case 'any':
        return value;
    }
  }

  private schemaOr(shape: Shape & { kind: 'schemaOr' }, value: unknown, path: Path): unknown {
    if (isJsonObject(value)) return this.convert(shape.schema(), value, path);
    if (shape.other === 'boolean' && typeof value === 'boolean') return value;
    if (shape.other === 'boolean') throw new DecodeError('boolean or JSON schema expected');
    if (!Array.isArray(value)) return mismatch(value, shape, path);
    return this.list({ kind: 'list', item: shape.schema(), goType: shape.goType }, value, path);
  }

  private list(shape: Shape & { kind: 'list' }, value: readonly unknown[], path: Path): unknown[] {
    return value.map((item, index) => {
      const at: Path = { parent: path, struct: '', segment: index };
      return this.value(shape.item, item, at) ?? zeroOf(shape.item);
    });
  }

  private map(shape: Shape & { kind: 'map' }, value: Json, path: Path): Json {
    // fromEntries makes own properties, even of `__proto__`.
    return Object.fromEntries(
      Object.entries(value).map(([key, item]) => {
        const at: Path = { parent: path, struct: '', segment: key };
        this.tellOfNull(shape.value, item, at);
        return [key, this.value(shape.value, item, at) ?? zeroOf(shape.value)];
      }),
    );
  }

  /** `owner:` in YAML is null, which the API keeps as an empty text: seldom what was meant. */
  private tellOfNull(shape: Shape, item: unknown, path: Path): void {
    if (item !== null || this.isPartial || shape.kind !== 'string') return;
    this.remark(`${textOf(path)}: null counts as an empty text`);
  }

  private quantity(value: unknown, path: Path): string {
    const text = typeof value === 'string' || typeof value === 'number' ? value : String(value);
    try {
      const parsed = parseQuantity(text);
      const canonical = formatQuantity(parsed);
      if (parsed.isCapped === true)
        this.remark(`${textOf(path)}: ${text} is beyond all range and counts as ${canonical}`);
      return canonical;
    } catch (error) {
      if (error instanceof QuantityError) throw new DecodeError(error.message, { cause: error });
      throw error;
    }
  }
}

const mismatch = (value: unknown, shape: Shape, path: Path, literal = ''): never => {
  throw new DecodeError(
    `json: cannot unmarshal ${jsonKind(value)}${literal} into Go struct field ${goTextOf(path)} ` +
      `of type ${shape.goType}`,
  );
};

const INT32_MAX = 2 ** 31 - 1;

const isInt32 = (value: Int64): boolean => value >= -INT32_MAX - 1 && value <= INT32_MAX;

const integer = (shape: Shape, value: unknown, path: Path): Int64 => {
  if (typeof value !== 'number' && typeof value !== 'bigint') return mismatch(value, shape, path);
  const isInRange = isInt64(value) && (shape.kind === 'int64' || isInt32(value));
  if (!isInRange) return mismatch(value, shape, path, ` ${value}`);
  return typeof value === 'bigint' ? int64(value) : value;
};

const intOrString = (value: unknown): string | number => {
  if (typeof value === 'string') return value;
  if (typeof value === 'number' && Number.isInteger(value) && isInt32(value)) return value;
  const literal = typeof value === 'number' || typeof value === 'bigint' ? ` ${value}` : '';
  throw new DecodeError(
    `json: cannot unmarshal ${jsonKind(value)}${literal} into Go value of type int32`,
  );
};

const RFC3339 = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)$/;

/** Stored in UTC: whole seconds for Time, microseconds for MicroTime. */
const time = (value: unknown, goType: string): string => {
  if (typeof value !== 'string') {
    throw new DecodeError(`json: cannot unmarshal ${jsonKind(value)} into Go value of type string`);
  }
  const layout =
    goType === 'v1.MicroTime' ? '2006-01-02T15:04:05.000000Z07:00' : '2006-01-02T15:04:05Z07:00';
  if (!RFC3339.test(value) || Number.isNaN(Date.parse(value))) {
    throw new DecodeError(
      `parsing time ${JSON.stringify(value)} as "${layout}": cannot parse ${JSON.stringify(value)} as "2006"`,
    );
  }
  const utc = new Date(Date.parse(value)).toISOString();
  if (goType !== 'v1.MicroTime') return `${utc.slice(0, 19)}Z`;
  const fraction = /\.(\d+)/.exec(value)?.[1] ?? '';
  return `${utc.slice(0, 19)}.${fraction.padEnd(6, '0').slice(0, 6)}Z`;
};

const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

const base64 = (value: string): string => {
  // Go ignores line breaks inside base64.
  const text = value.replace(/[\r\n]/g, '');
  if (BASE64.test(text)) return text;
  const wrong = /[^A-Za-z0-9+/]/.exec(text);
  const isPadding = wrong?.[0] === '=';
  const at = wrong === null || isPadding ? Math.floor(text.length / 4) * 4 : wrong.index;
  throw new DecodeError(`illegal base64 data at input byte ${at}`);
};

/** Adds what the struct always has. */
const filled = (shape: StructShape, out: Record<string, unknown>): Record<string, unknown> => {
  for (const [name, as] of shape.always) {
    if (out[name] === undefined) out[name] = as === 'null' ? null : zeroOf(shape.field(name));
  }
  return out;
};

/** A new zero value of the shape: Go's, as it is written in JSON. */
const zeroOf = (shape: Shape | undefined): unknown => {
  switch (shape?.kind) {
    case 'string':
    case 'bytes':
      return '';
    case 'int32':
    case 'int64':
    case 'float64':
    case 'intOrString':
      return 0;
    case 'bool':
      return false;
    case 'quantity':
      return '0';
    case 'struct':
      return filled(shape, {});
    default:
      return null;
  }
};

const isDropped = (struct: StructShape, name: string, shape: Shape, value: unknown): boolean =>
  isZero(shape, value) && !struct.keepsZero(name);

const isZero = (shape: Shape, value: unknown): boolean => {
  switch (shape.kind) {
    case 'list':
      return (value as readonly unknown[]).length === 0;
    case 'map':
      return Object.keys(value as Json).length === 0;
    case 'string':
    case 'bytes':
      return value === '';
    case 'int32':
    case 'int64':
      return value === 0;
    case 'bool':
      return value === false;
    default:
      return false;
  }
};
