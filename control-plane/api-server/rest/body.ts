import { ApiError } from '../../../api/errors';
import { decodeProtobuf, PROTOBUF_MEDIA_TYPE } from '../../../api/protobuf/decode';
import { apiVersionOf, type Resource } from '../../../api/resources';
import { readYaml, YamlError } from '../../../api/yaml';
import { parseJson, stringifyJson } from '../../../lib/json';
import type { ApiRequest } from '../http/exchange';
import { isNestedDeeper } from '../http/json-depth';
import { MAX_BODY_BYTES } from '../http/read-body';
import { isFields, type Fields, type MutableObject } from '../kinds/mutable';
import type { ServedKind } from '../kinds/served-kind';
import { duplicateFields } from './duplicate-fields';
import { decodeObject } from '../objects/rules';
import type { WriteContext } from '../objects/write-context';

/** The object in a request's body, as the kind has it. @throws BadRequest, UnsupportedMediaType */
export const readObject = async (
  request: ApiRequest,
  kind: ServedKind,
  context: WriteContext,
): Promise<MutableObject> => {
  const document = await readDocument(request);
  const { value } = document;
  if (!isFields(value))
    throw new ApiError(
      'BadRequest',
      `the object provided is unrecognized (must be of type ${kind.resource.kind}): ` +
        'it is not a JSON object',
    );
  checkType(kind.resource, value);
  const isLenient = context.fieldValidation === 'Ignore';
  return decodeObject(kind, value, context, isLenient ? [] : document.duplicates());
};

/** The value of a body; undefined when there is none. */
export const readValue = async (request: ApiRequest): Promise<unknown> =>
  (await readDocument(request)).value;

/** A parsed body, and the paths of the fields it held twice. */
interface BodyDocument {
  readonly value: unknown;
  duplicates(): readonly string[];
}

const readDocument = async (request: ApiRequest): Promise<BodyDocument> => {
  const bytes = await request.body();
  if (bytes.length === 0) return { value: undefined, duplicates: () => [] };
  const type = mediaTypeOf(request);
  const parse = PARSERS.get(type);
  if (parse === undefined) throw unsupported(type, [...PARSERS.keys()]);
  return parse(bytes);
};

const parseJsonBody = (bytes: Buffer): BodyDocument => ({
  value: parseText(bytes),
  duplicates: () => duplicateFields(bytes.toString('utf8')),
});

const parseYamlBody = (bytes: Buffer): BodyDocument => {
  try {
    const documents = readYaml(bytes, { bytesMax: MAX_BODY_BYTES });
    const [document] = documents;
    if (documents.length > 1) throw new YamlError('one document is expected, not several');
    return {
      value: document?.value,
      duplicates: () => document?.duplicates.map(({ path }) => path) ?? [],
    };
  } catch (error) {
    if (!(error instanceof YamlError)) throw error;
    throw new ApiError('BadRequest', `yaml: ${error.message}`, { cause: error });
  }
};

/** What kubectl's `create` verbs send. A field has one place on the wire: none can be given twice. */
const parseProtobufBody = (bytes: Buffer): BodyDocument => ({
  value: decodeProtobuf(bytes),
  duplicates: () => [],
});

/** YAML where a patch may be YAML: JSON, being faster to read, is tried first. */
export const parseYamlText = (bytes: Buffer): unknown =>
  bytes[0] === OPENING_BRACE ? parseText(bytes) : parseYamlBody(bytes).value;

export const parseText = (bytes: Uint8Array): unknown => {
  if (isNestedDeeper(bytes, DEPTH_MAX))
    throw new ApiError('BadRequest', 'json: exceeded max depth');
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

export const unsupported = (type: string, accepted: readonly string[]): ApiError =>
  new ApiError(
    'UnsupportedMediaType',
    `the body of the request was in an unknown format - accepted media types include: ` +
      `${accepted.join(', ')} (got ${JSON.stringify(type)})`,
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

const PARSERS: ReadonlyMap<string, (bytes: Buffer) => BodyDocument> = new Map([
  ['application/json', parseJsonBody],
  ['application/yaml', parseYamlBody],
  [PROTOBUF_MEDIA_TYPE, parseProtobufBody],
]);
const OPENING_BRACE = 0x7b;
/** Ten times what any kind of the API needs. */
const DEPTH_MAX = 500;
