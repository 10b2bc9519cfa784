import { ApiError } from '../../../api/errors';
import { decodeProtobuf, PROTOBUF_MEDIA_TYPE, unreadable } from '../../../api/protobuf/decode';
import { apiVersionOf, type Resource } from '../../../api/resources';
import { readYaml, YamlError } from '../../../api/yaml';
import { parseJson, stringifyJson } from '../../../lib/json';
import type { ApiRequest } from '../http/exchange';
import type { Pace } from '../http/heavy-lane';
import type { JsonLimits } from '../http/json-size';
import { isFields, type Fields, type MutableObject } from '../kinds/mutable';
import type { ServedKind } from '../kinds/served-kind';
import { duplicateFieldsIn } from './duplicate-fields';
import { checkValueCount } from '../objects/object-size';
import { decodeLarge, decodeObject } from '../objects/rules';
import type { WriteContext } from '../objects/write-context';
import { BODY_LIMITS, bodyLimitsOf, checkJsonSize, YAML_LIMITS } from './body-limits';

/** The object in a request's body, as the kind has it. @throws BadRequest, UnsupportedMediaType */
export const readObject = async (
  request: ApiRequest,
  kind: ServedKind,
  context: WriteContext,
): Promise<MutableObject> => {
  const { pace } = context;
  const document = await readDocument(request, pace, bodyLimitsOf(kind));
  const { value } = document;
  if (!isFields(value))
    throw new ApiError(
      'BadRequest',
      `the object provided is unrecognized (must be of type ${kind.resource.kind}): ` +
        'it is not a JSON object',
    );
  checkType(kind.resource, value);
  const valueCount = checkValueCount(kind, value);
  noteUnread(kind, document.unread, context);
  await pace?.pause();
  const duplicates = context.fieldValidation === 'Ignore' ? [] : document.duplicates();
  await pace?.pause();
  const decodeAll = valueCount > LARGE_VALUES ? decodeLarge : decodeObject;
  return decodeAll(kind, value, context, duplicates);
};

/** What only a newer client's message has is never lost in silence, whatever the client asks for. */
const noteUnread = (
  { resource: { kind, version } }: ServedKind,
  unread: readonly string[],
  { fieldValidation, warnings }: WriteContext,
): void => {
  const texts = unread.map((field) => `unknown field "${field}"`);
  if (texts.length > 0 && fieldValidation === 'Strict')
    throw new ApiError(
      'BadRequest',
      `${kind} in version "${version}" cannot be handled as a ${kind}: strict decoding error: ` +
        texts.join(', '),
    );
  warnings.push(...texts);
};

/** The value of a body; undefined when there is none. */
export const readValue = async (request: ApiRequest): Promise<unknown> => {
  const { value, unread } = await readDocument(request);
  // Options and reviews say what may be done: half of one is worse than none.
  if (unread[0] !== undefined) throw unreadable(unread[0]);
  return value;
};

/** A parsed body, and the paths of the fields it held twice. */
interface BodyDocument {
  readonly value: unknown;
  /** Fields of it that could not be read. */
  readonly unread: readonly string[];
  duplicates(): readonly string[];
}

const readDocument = async (
  request: ApiRequest,
  pace?: Pace,
  limits: JsonLimits = BODY_LIMITS,
): Promise<BodyDocument> => {
  const bytes = await request.body();
  if (bytes.length === 0) return { value: undefined, unread: [], duplicates: () => [] };
  const type = mediaTypeOf(request);
  const parse = PARSERS.get(type);
  if (parse === undefined) throw unsupported([...PARSERS.keys()]);
  await pace?.weigh(bytes.length);
  return parse(bytes, limits);
};

const parseJsonBody = (bytes: Buffer, limits: JsonLimits): BodyDocument => {
  const value = parseText(bytes, limits);
  return { value, unread: [], duplicates: () => duplicateFieldsIn(bytes, value) };
};

const parseYamlBody = (bytes: Buffer): BodyDocument => {
  try {
    const documents = readYaml(bytes, YAML_LIMITS);
    const [document] = documents;
    if (documents.length > 1) throw new YamlError('one document is expected, not several');
    return {
      value: document?.value,
      unread: [],
      duplicates: () => document?.duplicates.map(({ path }) => path) ?? [],
    };
  } catch (error) {
    if (!(error instanceof YamlError)) throw error;
    if (error.isOverLimit)
      throw new ApiError('RequestEntityTooLarge', `yaml: ${error.message}`, { cause: error });
    throw new ApiError('BadRequest', `yaml: ${error.message}`, { cause: error });
  }
};

/** What kubectl's `create` verbs send. A field has one place on the wire: none can be given twice. */
const parseProtobufBody = (bytes: Buffer): BodyDocument => {
  const { object, unread } = decodeProtobuf(bytes, BODY_LIMITS.valueCountMax);
  return { value: object, unread, duplicates: () => [] };
};

/** YAML where a patch may be YAML: JSON, being faster to read, is tried first. */
export const parseYamlText = (bytes: Buffer, limits: JsonLimits): unknown =>
  isBraced(bytes) ? parseText(bytes, limits) : parseYamlBody(bytes).value;

/** Is the first character that counts an opening brace? */
const isBraced = (bytes: Uint8Array): boolean => {
  let at = 0;
  while (at < bytes.length && (bytes[at] as number) <= SPACE) at++;
  return bytes[at] === OPENING_BRACE;
};

/** @throws RequestEntityTooLarge, BadRequest */
export const parseText = (bytes: Uint8Array, limits: JsonLimits = BODY_LIMITS): unknown => {
  checkJsonSize(bytes, limits);
  try {
    return parseJson(bytes);
  } catch (error) {
    throw new ApiError('BadRequest', jsonProblem(error), { cause: error });
  }
};

/** Upstream's words where people know them. */
const jsonProblem = (error: unknown): string => {
  const message = error instanceof Error ? error.message : String(error);
  return message.includes('end of JSON input')
    ? 'unexpected end of JSON input'
    : `json parse error: ${message}`;
};

export const mediaTypeOf = ({ headers }: ApiRequest): string =>
  (headers['content-type'] ?? '').split(';', 1)[0]?.trim().toLowerCase() || 'application/json';

export const unsupported = (accepted: readonly string[]): ApiError =>
  new ApiError(
    'UnsupportedMediaType',
    `the body of the request was in an unknown format - accepted media types include: ` +
      accepted.join(', '),
  );

/** @throws BadRequest when the body says that it is of another kind. */
export const checkType = (resource: Resource, value: Fields): void => {
  const { apiVersion, kind } = value;
  if (kind !== undefined && kind !== '' && kind !== resource.kind)
    throw new ApiError(
      'BadRequest',
      `the kind in the data (${stringifyJson(kind)}) does not match the expected kind (${resource.kind})`,
    );
  if (apiVersion !== undefined && apiVersion !== '' && apiVersion !== apiVersionOf(resource))
    throw new ApiError(
      'BadRequest',
      `the API version in the data (${stringifyJson(apiVersion)}) does not match the expected API ` +
        `version (${apiVersionOf(resource)})`,
    );
};

const PARSERS = new Map<string, (bytes: Buffer, limits: JsonLimits) => BodyDocument>([
  ['application/json', parseJsonBody],
  ['application/yaml', parseYamlBody],
  [PROTOBUF_MEDIA_TYPE, parseProtobufBody],
]);
/** Takes a few milliseconds to decode. */
const LARGE_VALUES = 5000;
const OPENING_BRACE = 0x7b;
const SPACE = 0x20;
