import type { IncomingMessage } from 'node:http';

import { HOP_BY_HOP } from '../../../lib/net/hop-by-hop';

/** Names and values in turn, as Node's `rawHeaders`. */
export type RawHeaders = readonly string[];

/** How a client came. */
export interface Arrival {
  readonly address: string;
  readonly proto: 'http' | 'https';
  readonly port: number;
}

/**
 * Pure: why a request must not be passed on: its parts could be told apart in two ways, and what hides in
 * the second is nobody's request (RFC 9112, 6.1 and 11.2). Node's parser refuses most of these itself.
 */
export const ambiguityOf = ({ rawHeaders, httpVersion }: Ambiguous): string | undefined => {
  let [lengthCount, encodingCount, hostCount] = [0, 0, 0];
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    const value = rawHeaders[i + 1] ?? '';
    switch (rawHeaders[i]?.toLowerCase()) {
      case 'content-length':
        lengthCount++;
        if (!/^\d{1,15}$/.test(value)) return 'no such length';
        break;
      case 'transfer-encoding':
        encodingCount++;
        if (value.toLowerCase() !== 'chunked') return 'unknown encoding';
        break;
      case 'host':
        hostCount++;
    }
  }
  if (lengthCount + encodingCount > 1) return 'more than one length';
  if (encodingCount > 0 && httpVersion === '1.0') return 'an encoding that HTTP/1.0 has not';
  return hostCount > 1 ? 'more than one host' : undefined;
};

type Ambiguous = Pick<IncomingMessage, 'rawHeaders' | 'httpVersion'>;

/** Pure: what a backend is sent, with who asked for it: what clients say of that themselves is dropped. */
export const requestHeaders = (
  { rawHeaders, host }: { readonly rawHeaders: RawHeaders; readonly host: string },
  { address, proto, port }: Arrival,
): string[] => {
  const headers = ['Host', host];
  addEndToEnd(headers, rawHeaders, (name) => REPLACED.has(name.replaceAll('_', '-')));
  headers.push('X-Forwarded-For', address, 'X-Forwarded-Host', host);
  headers.push('X-Forwarded-Port', String(port), 'X-Forwarded-Proto', proto, 'X-Real-Ip', address);
  return headers;
};

/** Pure: what a client is answered. */
export const responseHeaders = (rawHeaders: RawHeaders): string[] => {
  const headers: string[] = [];
  addEndToEnd(headers, rawHeaders, () => false);
  return headers;
};

/** Without those that are said to the next hop only (RFC 9110, 7.6.1), and those that `isDropped` names. */
const addEndToEnd = (
  headers: string[],
  rawHeaders: RawHeaders,
  isDropped: (lowerName: string) => boolean,
): void => {
  const named = namedByConnection(rawHeaders);
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    const [given, value] = [rawHeaders[i] ?? '', rawHeaders[i + 1] ?? ''];
    const name = given.toLowerCase();
    if (!HOP_BY_HOP.has(name) && !named.has(name) && !isDropped(name)) headers.push(given, value);
  }
};

/** Which further headers the sender says are for the next hop. */
const namedByConnection = (rawHeaders: RawHeaders): ReadonlySet<string> => {
  let named = NONE;
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    const [name, value] = [rawHeaders[i] ?? '', (rawHeaders[i + 1] ?? '').toLowerCase()];
    if (name.length !== CONNECTION.length || name.toLowerCase() !== CONNECTION) continue;
    if (value === 'keep-alive' || value === 'close') continue;
    named = new Set([...named, ...value.split(',').map((each) => each.trim())]);
  }
  // Whoever names these wants them lost.
  return named === NONE ? NONE : new Set([...named].filter((name) => !KEPT.has(name)));
};

const NONE: ReadonlySet<string> = new Set();
const CONNECTION = 'connection';
const KEPT = new Set(['content-length', 'host']);

/** With `_` as `-`: to many backends they are one. `Expect` has been met by then. */
const REPLACED = new Set([
  ...['host', 'expect', 'forwarded', 'x-forwarded-for', 'x-forwarded-host', 'x-forwarded-port'],
  ...['x-forwarded-proto', 'x-real-ip'],
]);
