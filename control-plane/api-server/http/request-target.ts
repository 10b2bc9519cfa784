/** What a path under /api or /apis names. */
export interface ResourceTarget {
  readonly group: string;
  readonly version: string;
  readonly plural: string;
  /** `''` when the path names none: all namespaces, or a cluster-scoped kind. */
  readonly namespace: string;
  /** `''` for a collection. */
  readonly name: string;
  readonly subresource: string;
  /** What follows `proxy/`, as it is written: `stats/summary`. Undefined where not even the slash does. */
  readonly rest?: string;
}

/**
 * Splits `/apis/apps/v1/namespaces/NS/deployments/NAME/scale`. Undefined for any other shape and
 * for text that is not valid percent-encoding.
 */
export const parseResourcePath = (path: string): ResourceTarget | undefined => {
  const [, proxied, rest] = PROXIED.exec(path) ?? [];
  const segments = decodeSegments(proxied ?? path);
  if (segments === undefined) return undefined;
  const target = fromRoot(segments);
  return target?.subresource === 'proxy' && rest !== undefined ? { ...target, rest } : target;
};

const fromRoot = ([root, ...rest]: readonly string[]): ResourceTarget | undefined => {
  if (root === 'api') return fromSegments('', rest);
  if (root === 'apis') return fromSegments(rest[0] ?? '', rest.slice(1));
  return undefined;
};

/** What follows is another server's path, and none of our business. */
const PROXIED = /^(\/api\/v1\/(?:namespaces\/[^/]+\/)?[^/]+\/[^/]+\/proxy)(?:\/(.*))?$/s;

const decodeSegments = (path: string): string[] | undefined => {
  try {
    const parts = path.split('/').slice(1);
    const segments = path.includes('%') ? parts.map(decodeURIComponent) : parts;
    if (segments.at(-1) === '') segments.pop();
    return segments.some((segment) => segment === '' || segment.includes('/'))
      ? undefined
      : segments;
  } catch {
    return undefined;
  }
};

const fromSegments = (group: string, segments: readonly string[]): ResourceTarget | undefined => {
  const [version = '', ...rest] = segments;
  const isInNamespace =
    rest[0] === 'namespaces' && rest.length >= 3 && !NAMESPACE_SUBRESOURCES.has(rest[2] ?? '');
  const namespace = isInNamespace ? (rest[1] ?? '') : '';
  const [plural = '', name = '', subresource = '', ...more] = isInNamespace ? rest.slice(2) : rest;
  if (version === '' || plural === '') return undefined;
  return more.length > 0 ? undefined : { group, version, plural, namespace, name, subresource };
};

const NAMESPACE_SUBRESOURCES = new Set(['status', 'finalize']);
