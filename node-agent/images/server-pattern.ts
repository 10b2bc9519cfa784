/**
 * What a docker configuration calls a server, in the form that is compared: `https://` and an API
 * version are left out, and Docker Hub has one name.
 */
export const serverKey = (server: string): string => {
  const [host, path] = hostAndPath(server.replace(/^https?:\/\//, ''));
  const bare = path.replace(/^\/v[12](?=\/|$)/, '');
  return (host === 'index.docker.io' ? 'docker.io' : host) + (bare === '/' ? '' : bare);
};

/**
 * True when credentials of `key` are for `repository` (`registry.example:5000/team/web`), by the rules
 * of the kubelet: as many labels in the host, each of which may have wildcards; the same port; a path
 * that begins alike.
 */
export const matchesServer = (key: string, repository: string): boolean => {
  const [server, pathStart] = hostAndPath(key);
  const [registry, path] = hostAndPath(repository);
  if (server === registry) return path.startsWith(pathStart);
  const [patternHost, patternPort] = hostAndPort(server);
  const [host, port] = hostAndPort(registry);
  const patterns = patternHost.split('.');
  const labels = host.split('.');
  return (
    patternPort === port &&
    patterns.length === labels.length &&
    path.startsWith(pathStart) &&
    patterns.every((pattern, i) => matchesLabel(pattern, labels[i] ?? ''))
  );
};

const hostAndPath = (name: string): readonly [string, string] => {
  const slash = name.indexOf('/');
  return slash < 0 ? [name, ''] : [name.slice(0, slash), name.slice(slash)];
};

const hostAndPort = (server: string): readonly [string, string] => {
  const match = /^(.*):([0-9]*)$/.exec(server);
  return match === null ? [server, ''] : [match[1] ?? '', match[2] ?? ''];
};

type Token = '*' | ((character: string) => boolean);

/**
 * Shell patterns: `*`, `?`, `[a-z]`, `[^a]`, `\*`. Takes time in proportion to both lengths at most,
 * whatever the pattern: tenants write them.
 */
const matchesLabel = (pattern: string, label: string): boolean => {
  const tokens = tokensOf(pattern);
  if (tokens === undefined) return false;
  let [at, token] = [0, 0];
  let retry: { readonly token: number; at: number } | undefined;
  while (at < label.length) {
    const wanted = tokens[token];
    if (wanted === '*') {
      retry = { token: ++token, at };
    } else if (wanted?.(label.charAt(at)) === true) {
      at++;
      token++;
    } else if (retry === undefined) {
      return false;
    } else {
      // The star before takes one character more.
      at = ++retry.at;
      token = retry.token;
    }
  }
  return tokens.slice(token).every((rest) => rest === '*');
};

/** Undefined when the pattern is malformed. */
const tokensOf = (pattern: string): readonly Token[] | undefined => {
  const tokens: Token[] = [];
  let end = 0;
  for (const { 0: text, 1: ranges, 2: escaped, index } of pattern.matchAll(TOKEN)) {
    if (index !== end) return undefined;
    end += text.length;
    if (text === '*') tokens.push('*');
    else if (text === '?') tokens.push(() => true);
    else if (ranges !== undefined) tokens.push(oneOf(ranges));
    else tokens.push((character) => character === (escaped ?? text));
  }
  return end === pattern.length ? tokens : undefined;
};

const oneOf = (ranges: string): ((character: string) => boolean) => {
  const isNegated = ranges.startsWith('^');
  const bounds = [...(isNegated ? ranges.slice(1) : ranges).matchAll(/(.)(?:-(.))?/g)];
  return (character) =>
    bounds.some(([, low = '', high = low]) => low <= character && character <= high) !== isNegated;
};

const TOKEN = /\*|\?|\[(\^?[^\]\\^][^\]\\]*)\]|\\(.)|[^[\]\\*?]/gs;
