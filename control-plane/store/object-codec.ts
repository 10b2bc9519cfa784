import { ApiError } from '../../api/errors';
import type { ApiObject } from '../../api/types';
import { parseJson, stringifyJson } from '../../lib/json';
import type { StoreKey, StoredObject } from './store';

/** JSON without a `resourceVersion`, and where in it the version goes once it is known. */
export interface EncodedObject {
  readonly json: Uint8Array;
  readonly versionOffset: number;
  /** What was encoded, where parsing the JSON would make nothing else of it. Nobody changes it any more. */
  readonly source?: ApiObject;
}

/**
 * What etcd takes in one request (1.5 MiB unless it is told otherwise), less the room for what stands
 * beside an object there: its key, twice, the fence, and the head of its resource.
 */
export const OBJECT_BYTES_MAX = 1536 * 1024 - 16 * 1024;

/**
 * The version is known only after the write, so it is spliced in when the object is read.
 * @throws ApiError RequestEntityTooLarge for an object of more than `OBJECT_BYTES_MAX`
 */
export const encodeObject = (object: ApiObject): EncodedObject => {
  const { apiVersion, kind, metadata, ...rest } = object;
  const head = `{"apiVersion":${JSON.stringify(apiVersion)},"kind":${JSON.stringify(kind)},"metadata":{`;
  const restText = stringifyJson(rest);
  const tail = restText === '{}' ? '}' : `,${restText.slice(1)}`;
  const json = Buffer.from(
    head + stringifyJson({ ...metadata, resourceVersion: undefined }).slice(1) + tail,
  );
  if (json.length > OBJECT_BYTES_MAX) throw objectTooLarge();
  const encoded = { json, versionOffset: Buffer.byteLength(head) };
  return isAsParsed(object) ? { ...encoded, source: object } : encoded;
};

/** In upstream's words. No retry helps. */
const objectTooLarge = (): ApiError =>
  new ApiError('RequestEntityTooLarge', `Request entity too large: limit is ${OBJECT_BYTES_MAX}`);

/**
 * One stored version; `object` is parsed on first use. Just written by this process, it is what was
 * written, for whoever asks before the garbage collector has been.
 */
export const decodeObject = (
  key: StoreKey,
  { json, versionOffset, source }: EncodedObject,
  resourceVersion: number,
): StoredObject => {
  const raw = spliceVersion(json, versionOffset, resourceVersion);
  const loose = source === undefined ? undefined : new WeakRef(atVersion(source, resourceVersion));
  return new LazyObject(key, resourceVersion, raw, loose);
};

/** With its members in the order in which `encodeObject` writes them. */
const atVersion = (
  { apiVersion, kind, metadata, ...rest }: ApiObject,
  version: number,
): ApiObject => {
  const resourceVersion = String(version);
  return {
    apiVersion,
    kind,
    metadata: Object.assign({ resourceVersion }, metadata, { resourceVersion }),
    ...rest,
  };
};

/**
 * Like `decodeObject` for what a store holds: undefined unless it is an object of that name. Bytes
 * may have been written by hand, by another release, or by a failing disk; one such object must
 * not fail the lists and watches that it is a part of.
 */
export const decodeStored = (
  key: StoreKey,
  { json, versionOffset }: EncodedObject,
  resourceVersion: number,
): StoredObject | undefined => {
  const raw = spliceVersion(json, versionOffset, resourceVersion);
  try {
    const parsed = parseJson(raw);
    if (!isNamed(parsed, key)) return undefined;
    return new LazyObject(key, resourceVersion, raw, new WeakRef(parsed));
  } catch {
    return undefined;
  }
};

const isNamed = (value: unknown, { namespace, name }: StoreKey): value is ApiObject => {
  const { metadata } = (value ?? {}) as { readonly metadata?: Partial<ApiObject['metadata']> };
  return metadata?.name === name && (metadata.namespace ?? namespace) === namespace;
};

/**
 * Lets go of the parsed form of an object that is no longer the present one: histories and snapshots
 * keep its bytes, and whoever still looks at it parses it again once the garbage collector has been.
 */
export const retire = (stored: StoredObject): void => {
  if (stored instanceof LazyObject) stored.retire();
};

class LazyObject implements StoredObject {
  private parsed: ApiObject | undefined;
  private isRetired = false;

  /** `loose` is what `raw` says: taken up if somebody asks before it is collected. */
  constructor(
    readonly key: StoreKey,
    readonly resourceVersion: number,
    readonly raw: Uint8Array,
    private loose: WeakRef<ApiObject> | undefined,
  ) {}

  get object(): ApiObject {
    const known = this.parsed ?? this.loose?.deref() ?? (parseJson(this.raw) as ApiObject);
    if (!this.isRetired) this.parsed = known;
    else if (this.loose?.deref() !== known) this.loose = new WeakRef(known);
    return known;
  }

  retire(): void {
    this.isRetired = true;
    if (this.parsed !== undefined) this.loose = new WeakRef(this.parsed);
    this.parsed = undefined;
  }
}

const spliceVersion = (json: Uint8Array, offset: number, version: number): Uint8Array => {
  const isAlone = json[offset] === CLOSING_BRACE;
  const field = Buffer.from(`"resourceVersion":"${version}"${isAlone ? '' : ','}`, 'latin1');
  return Buffer.concat([json.subarray(0, offset), field, json.subarray(offset)]);
};

/** Would the value come back from JSON as it is? An absent member would, `undefined` would not. */
const isAsParsed = (value: unknown): boolean => {
  switch (typeof value) {
    case 'string':
    case 'boolean':
      return true;
    case 'number':
      return isNumberAsParsed(value);
    case 'object':
      if (value === null) return true;
      return Array.isArray(value) ? value.every(isAsParsed) : hasMembersAsParsed(value);
    default:
      return false;
  }
};

/** Whole numbers beyond 2^53 come back as `bigint`, the negative zero as zero. */
const isNumberAsParsed = (value: number): boolean =>
  Number.isInteger(value)
    ? Number.isSafeInteger(value) && !Object.is(value, -0)
    : Number.isFinite(value);

const hasMembersAsParsed = (value: object): boolean => {
  for (const name in value)
    if (!isAsParsed((value as Readonly<Record<string, unknown>>)[name])) return false;
  return true;
};

const CLOSING_BRACE = 0x7d;
