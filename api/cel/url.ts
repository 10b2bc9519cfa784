/** The parts of a URL as Go's net/url tells them. */
export interface UrlParts {
  readonly scheme: string;
  readonly host: string;
  readonly hostname: string;
  readonly port: string;
  readonly escapedPath: string;
  readonly query: string;
}

/** An absolute URI or an absolute path; or, as a text, why it is neither, in Go's words. */
export const parseUrl = (text: string): UrlParts | string => {
  const why = problemOf(text);
  if (why !== undefined) return `parse ${JSON_QUOTE(text)}: ${why}`;
  const [, scheme = ''] = SCHEME.exec(text) ?? [];
  const [beforeFragment = ''] = text.split('#', 1);
  const rest = beforeFragment.slice(scheme === '' ? 0 : scheme.length + 1);
  const [beforeQuery = '', ...queries] = rest.split('?');
  const isOpaque = !beforeQuery.startsWith('/');
  const [, authority = ''] = scheme === '' ? [] : (AUTHORITY.exec(beforeQuery) ?? []);
  const hasAuthority = scheme !== '' && beforeQuery.startsWith('//');
  const host = authority.slice(authority.lastIndexOf('@') + 1);
  const path = hasAuthority ? beforeQuery.slice(2 + authority.length) : beforeQuery;
  return {
    scheme: scheme.toLowerCase(),
    ...{ host, hostname: hostnameOf(host), port: portOf(host) },
    escapedPath: isOpaque ? '' : escapePath(path),
    query: queries.join('?'),
  };
};

/** What a query says, by name; parts that cannot be read are left out. */
export const queryOf = (query: string): ReadonlyMap<string, readonly string[]> => {
  const values = new Map<string, string[]>();
  for (const part of query.split('&')) {
    if (part === '' || part.includes(';')) continue;
    const [name = '', ...rest] = part.split('=');
    const [key, value] = [unescapeQuery(name), unescapeQuery(rest.join('='))];
    if (key === undefined || value === undefined) continue;
    values.set(key, [...(values.get(key) ?? []), value]);
  }
  return values;
};

const problemOf = (text: string): string | undefined => {
  if (/[\0-\x1f\x7f]/.test(text)) return 'net/url: invalid control character in URL';
  if (text === '') return 'empty url';
  if (text.startsWith(':')) return 'missing protocol scheme';
  const scheme = SCHEME.exec(text)?.[1] ?? '';
  const rest = text.slice(scheme === '' ? 0 : scheme.length + 1);
  if (!rest.startsWith('/')) return scheme === '' ? 'invalid URI for request' : undefined;
  const authority = scheme === '' ? undefined : AUTHORITY.exec(rest)?.[1];
  const path =
    rest.slice(authority === undefined ? 0 : authority.length + 2).split(/[?#]/)[0] ?? '';
  return (authority === undefined ? undefined : authorityProblem(authority)) ?? badEscape(path);
};

const authorityProblem = (authority: string): string | undefined => {
  const at = authority.lastIndexOf('@');
  if (at >= 0 && !USERINFO.test(authority.slice(0, at))) return 'net/url: invalid userinfo';
  const host = authority.slice(at + 1);
  if (host.startsWith('[')) {
    const close = host.lastIndexOf(']');
    if (close < 0) return "missing ']' in host";
    return portProblem(host.slice(close + 1)) ?? badEscape(host);
  }
  const colon = host.lastIndexOf(':');
  const port = colon < 0 ? undefined : portProblem(host.slice(colon));
  if (port !== undefined) return port;
  const bad = BAD_IN_HOST.exec(host);
  return bad === null ? badEscape(host) : `invalid character ${JSON_QUOTE(bad[0])} in host name`;
};

const portProblem = (port: string): string | undefined =>
  port === '' || /^:\d*$/.test(port) ? undefined : `invalid port ${JSON_QUOTE(port)} after host`;

const badEscape = (text: string): string | undefined => {
  const bad = BAD_ESCAPE.exec(text);
  return bad === null ? undefined : `invalid URL escape ${JSON_QUOTE(bad[0])}`;
};

const hostnameOf = (host: string): string => {
  if (host.startsWith('[')) return host.slice(1, Math.max(1, host.lastIndexOf(']')));
  const colon = host.indexOf(':');
  return colon < 0 ? host : host.slice(0, colon);
};

const portOf = (host: string): string => PORT.exec(host)?.[1] ?? '';

/** As it stands, when it could stand so; else with what may not escaped. */
const escapePath = (path: string): string => {
  if (VALID_PATH.test(path)) return path;
  const bytes = unescapeBytes(path);
  return [...bytes]
    .map((byte) => {
      const char = String.fromCharCode(byte);
      return UNRESERVED_IN_PATH.test(char)
        ? char
        : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`;
    })
    .join('');
};

const unescapeQuery = (text: string): string | undefined =>
  BAD_ESCAPE.test(text) ? undefined : unescapeBytes(text.replaceAll('+', ' ')).toString();

const unescapeBytes = (text: string): Buffer =>
  Buffer.concat(
    text
      .split(/(%[\da-fA-F]{2})/)
      .map((part) =>
        /^%[\da-fA-F]{2}$/.test(part) ? Buffer.from(part.slice(1), 'hex') : Buffer.from(part),
      ),
  );

const JSON_QUOTE = (text: string): string => `"${text.replace(/["\\]/g, '\\$&')}"`;

const SCHEME = /^([a-zA-Z][a-zA-Z0-9+.-]*):/;
const AUTHORITY = /^\/\/([^/?#]*)/;
const USERINFO = /^[A-Za-z0-9\-._:~!$&'()*+,;=%@]*$/;
const BAD_IN_HOST = /[^A-Za-z0-9\-._~!$&'()*+,;=:[\]<>"%\u0080-\uffff]/;
const BAD_ESCAPE = /%(?![\da-fA-F]{2}).{0,2}/;
const PORT = /^(?:\[[^\]]*\]|[^:]*):(\d*)$/;
const VALID_PATH = /^(?:[A-Za-z0-9\-._~!$&'()*+,;=:@/[\]]|%[\da-fA-F]{2})*$/;
const UNRESERVED_IN_PATH = /[A-Za-z0-9\-._~$&+,/:;=@]/;
