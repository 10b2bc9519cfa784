import { ApiError } from '../../../api/errors';
import { apiVersionOf, type Resource } from '../../../api/resources';
import { parseJson } from '../../../lib/json';
import type { ApiRequest } from '../http/exchange';
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
  const bytes = await request.body();
  const value = parseBody(request, bytes);
  if (!isFields(value))
    throw new ApiError(
      'BadRequest',
      `the object provided is unrecognized (must be of type ${kind.resource.kind}): ` +
        'it is not a JSON object',
    );
  checkType(kind.resource, value);
  const duplicates =
    context.fieldValidation === 'Ignore' ? [] : duplicateFields(bytes.toString('utf8'));
  return decodeObject(kind, value, context, duplicates);
};

/** The JSON value of a body; undefined when there is none. */
export const readValue = async (request: ApiRequest): Promise<unknown> => {
  return parseBody(request, await request.body());
};

const parseBody = (request: ApiRequest, bytes: Buffer): unknown => {
  if (bytes.length === 0) return undefined;
  const type = mediaTypeOf(request);
  if (!JSON_MEDIA_TYPES.has(type)) throw unsupported(type, [...JSON_MEDIA_TYPES]);
  return parseText(bytes);
};

export const parseText = (bytes: Uint8Array): unknown => {
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
  (headers['content-type'] ?? 'application/json').split(';', 1)[0]?.trim().toLowerCase() ?? '';

export const unsupported = (type: string, accepted: readonly string[]): ApiError =>
  new ApiError(
    'UnsupportedMediaType',
    `the body of the request was in an unknown format - accepted media types include: ` +
      `${accepted.join(', ')} (got ${JSON.stringify(type)})`,
  );

const checkType = (resource: Resource, value: Fields): void => {
  const { apiVersion, kind } = value;
  if (kind !== undefined && kind !== '' && kind !== resource.kind)
    throw new ApiError(
      'BadRequest',
      `the kind in the data (${JSON.stringify(kind)}) does not match the expected kind (${resource.kind})`,
    );
  if (apiVersion !== undefined && apiVersion !== '' && apiVersion !== apiVersionOf(resource))
    throw new ApiError(
      'BadRequest',
      `the API version in the data (${JSON.stringify(apiVersion)}) does not match the expected API ` +
        `version (${apiVersionOf(resource)})`,
    );
};

const JSON_MEDIA_TYPES = new Set(['application/json', '']);
