import { CelRuntimeError } from '../errors';
import { ArrayList, CelOpaque, EntryMap, type CelMap } from '../values';
import { BOOL, listOf, mapOf, opaque, STRING, type CelType } from '../types';
import { fn, member, type Library } from './function';
import { parseUrl, queryOf, type UrlParts } from '../url';

const URL_TYPE: CelType<UrlValue> = opaque('kubernetes.URL');

class UrlValue extends CelOpaque {
  readonly type: CelType = URL_TYPE;

  constructor(
    readonly text: string,
    readonly parts: UrlParts,
  ) {
    super();
  }

  override equals(other: CelOpaque): boolean {
    return other instanceof UrlValue && other.text === this.text;
  }
}

const queryMap = (query: string): CelMap => {
  const map = new EntryMap();
  for (const [name, values] of queryOf(query)) map.add(name, new ArrayList(values));
  return map;
};

const get = (read: (parts: UrlParts) => string) =>
  member([URL_TYPE], STRING, (meter, { parts, text }) => {
    meter.traverse(text.length);
    return read(parts);
  });

export const URL_LIBRARY: Library = {
  url: [
    fn([STRING], URL_TYPE, (meter, text) => {
      meter.traverse(text.length);
      const parts = parseUrl(text);
      if (typeof parts === 'string')
        throw new CelRuntimeError(`URL parse error during conversion from string: ${parts}`);
      return new UrlValue(text, parts);
    }),
  ],
  isURL: [
    fn([STRING], BOOL, (meter, text) => {
      meter.traverse(text.length);
      return typeof parseUrl(text) !== 'string';
    }),
  ],
  getScheme: [get(({ scheme }) => scheme)],
  getHost: [get(({ host }) => host)],
  getHostname: [get(({ hostname }) => hostname)],
  getPort: [get(({ port }) => port)],
  getEscapedPath: [get(({ escapedPath }) => escapedPath)],
  getQuery: [
    member([URL_TYPE], mapOf(STRING, listOf(STRING)), (meter, { parts, text }) => {
      meter.traverse(text.length * 10);
      return queryMap(parts.query);
    }),
  ],
};
