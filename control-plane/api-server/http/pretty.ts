import { parseJson, stringifyJson } from '../../../lib/json';
import { JSON_TYPE, type ApiRequest, type ApiResponse } from './exchange';

/**
 * An answer that people read, if they ask so by `pretty=true`, indented as upstream does it. Long lists, which go
 * out piece by piece, stay as they are: nobody reads them, and they would have to be in memory whole.
 */
export const prettyIfAsked = ({ query }: ApiRequest, response: ApiResponse): ApiResponse => {
  const { body, headers } = response;
  const isText = typeof body === 'string' || body instanceof Uint8Array;
  const isJson = headers?.['content-type'] === JSON_TYPE;
  if (!ASKING.has(query.get('pretty') ?? '') || !isText || !isJson) return response;
  return body.length > BYTES_MAX
    ? response
    : { ...response, body: stringifyJson(parseJson(body), INDENT) };
};

/** Go's ways to say so. */
const ASKING: ReadonlySet<string> = new Set(['1', 't', 'T', 'true', 'TRUE', 'True']);
const INDENT = 2;
const BYTES_MAX = 512 * 1024;
