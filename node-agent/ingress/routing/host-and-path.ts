/** What a request is routed by. */
export interface RequestTarget {
  /** In lower case, without port or last dot; empty: none was said. */
  readonly host: string;
  /** Without the query, each character that need not be encoded as itself, and no dot segments. */
  readonly path: string;
  /** What the backend is asked for: what came, unless there were dot segments in it. */
  readonly forwarded: string;
}

/**
 * Pure: undefined for what is no target of a request to an origin server (RFC 9112, 3.2). Dot segments are
 * resolved: a backend would do so, and must not be led out of the path that its rule names.
 */
export const targetOf = (url: string, hostHeader: string): RequestTarget | undefined => {
  const absolute = url.startsWith('/') ? null : /^https?:\/\/([^/?#]*)([^#]*)$/i.exec(url);
  // An absolute form says the host itself, whatever the header says.
  const authority = absolute === null ? hostHeader : (absolute[1] ?? '');
  const given = absolute === null ? url : absolute[2] || '/';
  const origin = given.startsWith('?') ? `/${given}` : given;
  if (!origin.startsWith('/') && origin !== '*') return undefined;
  const host = hostOf(authority);
  if (host === undefined) return undefined;
  const queryAt = origin.indexOf('?');
  const raw = queryAt < 0 ? origin : origin.slice(0, queryAt);
  const decoded = !raw.includes('%') ? raw : raw.replace(/%[0-9a-f]{2}/gi, decodeUnreserved);
  const path = withoutDots(decoded);
  const query = queryAt < 0 ? '' : origin.slice(queryAt);
  return { host, path, forwarded: path === decoded ? origin : `${path}${query}` };
};

/** `Web.Example.:8080` → `web.example`; undefined: it is none. */
export const hostOf = (authority: string): string | undefined => {
  const match = /^(\[[0-9a-f:.]+\]|[a-z0-9._~!$&'()*+,;=%-]*)(?::\d*)?$/i.exec(authority);
  return match === null ? undefined : (match[1] ?? '').toLowerCase().replace(/\.$/, '');
};

/** `a.b.example` → `*.b.example`: the only wildcard that matches it, as upstream's are of one label. */
export const wildcardOf = (host: string): string | undefined => {
  const dot = host.indexOf('.');
  return dot < 1 ? undefined : `*${host.slice(dot)}`;
};

/** The elements of a path as a rule of type Prefix compares them: a slash at the end says nothing. */
export const prefixOf = (path: string): string => path.replace(/\/+$/, '');

const decodeUnreserved = (encoded: string): string => {
  const character = String.fromCharCode(parseInt(encoded.slice(1), 16));
  return /[A-Za-z0-9._~-]/.test(character) ? character : encoded;
};

const withoutDots = (path: string): string => {
  if (!/\/\.\.?(\/|$)/.test(path)) return path;
  const segments = path.split('/').slice(1);
  const kept: string[] = [];
  for (const [i, segment] of segments.entries()) {
    const isLast = i === segments.length - 1;
    if (segment === '..') kept.pop();
    else if (segment !== '.') kept.push(segment);
    if (isLast && (segment === '.' || segment === '..')) kept.push('');
  }
  return `/${kept.join('/')}`;
};
