import type { IncomingHttpHeaders } from 'node:http';
import { HOP_BY_HOP } from '../../../lib/net/hop-by-hop';
import type { ApiRequest, ApiResponse } from '../http/exchange';
import type { Backend } from './backend';

/** What a backend is told of who asks. */
export interface Asked extends Pick<ApiRequest, 'headers' | 'sourceIp' | 'path'> {
  /** Of the service or pod, as the caller named it. */
  readonly backend: Pick<Backend, 'scheme' | 'port' | 'target'>;
}

/**
 * Pure: the headers that a backend gets. With what a caller proves to this server who they are, or asks
 * it to act as someone else, a backend could do the same.
 */
export const backendHeaders = ({
  headers,
  sourceIp,
  path,
  backend,
}: Asked): Record<string, string> => {
  const isOurs = (name: string) => OURS.has(name) || name.startsWith('impersonate-');
  const kept = endToEnd(headers).filter(([name]) => !isOurs(name));
  return {
    ...Object.fromEntries(kept),
    host: `${backend.target.podName}:${backend.port}`,
    ...(headers['host'] === undefined ? {} : { 'x-forwarded-host': headers['host'] }),
    ...(sourceIp === undefined ? {} : { 'x-forwarded-for': sourceIp }),
    ...{ 'x-forwarded-proto': 'https', 'x-forwarded-uri': path },
  };
};

/**
 * Pure: the headers of a backend's answer for the caller. What it says of other origins is not for it to
 * say of this one; where it sends callers on within itself, they come by the same way again.
 */
export const answerHeaders = (
  headers: IncomingHttpHeaders,
  prefix: string,
): NonNullable<ApiResponse['headers']> =>
  Object.fromEntries(
    endToEnd(headers)
      .filter(([name]) => !name.startsWith('access-control-'))
      .map(([name, value]) => [
        name,
        name === 'location' && typeof value === 'string' && /^\/(?!\/)/.test(value)
          ? `${prefix}${value}`
          : value,
      ]),
  );

/** Without what is said to the next hop only. */
const endToEnd = <T extends string | readonly string[]>(
  headers: Readonly<Record<string, T | undefined>>,
): readonly (readonly [string, T])[] => {
  const named = String(headers['connection'] ?? '').toLowerCase();
  const dropped = new Set([...HOP_BY_HOP, ...named.split(',').map((name) => name.trim())]);
  return Object.entries(headers).flatMap(([name, value]) =>
    value === undefined || dropped.has(name) ? [] : [[name, value] as const],
  );
};

/** Said to this server, or said anew. */
const OURS: ReadonlySet<string> = new Set([
  ...['authorization', 'host', 'content-length', 'expect', 'forwarded', 'x-forwarded-for'],
  ...['x-forwarded-host', 'x-forwarded-proto', 'x-forwarded-uri', 'x-forwarded-port'],
]);
