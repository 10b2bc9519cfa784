import type { IncomingMessage } from 'node:http';

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
  const valuesOf = (name: string) =>
    [...pairsOf(rawHeaders)].flatMap(([each, value]) =>
      each.toLowerCase() === name ? [value] : [],
    );
  const [lengths, encodings] = [valuesOf('content-length'), valuesOf('transfer-encoding')];
  if (lengths.length + encodings.length > 1) return 'more than one length';
  if (lengths.some((length) => !/^\d{1,15}$/.test(length))) return 'no such length';
  if (encodings.some((encoding) => encoding.toLowerCase() !== 'chunked')) return 'unknown encoding';
  if (encodings.length > 0 && httpVersion === '1.0') return 'an encoding that HTTP/1.0 has not';
  if (valuesOf('host').length > 1) return 'more than one host';
  return undefined;
};

type Ambiguous = Pick<IncomingMessage, 'rawHeaders' | 'httpVersion'>;

/** Pure: what a backend is sent, with who asked for it: what clients say of that themselves is dropped. */
export const requestHeaders = (
  { rawHeaders, host }: { readonly rawHeaders: RawHeaders; readonly host: string },
  { address, proto, port }: Arrival,
): string[] => [
  ...['Host', host],
  ...endToEnd(rawHeaders).flatMap(([name, value]) =>
    REPLACED.has(name.toLowerCase().replaceAll('_', '-')) ? [] : [name, value],
  ),
  ...['X-Forwarded-For', address, 'X-Forwarded-Host', host, 'X-Forwarded-Port', String(port)],
  ...['X-Forwarded-Proto', proto, 'X-Real-Ip', address],
];

/** Pure: what a client is answered. */
export const responseHeaders = (rawHeaders: RawHeaders): string[] => endToEnd(rawHeaders).flat();

/** Without those that are said to the next hop only (RFC 9110, 7.6.1). */
const endToEnd = (rawHeaders: RawHeaders): readonly (readonly [string, string])[] => {
  const pairs = [...pairsOf(rawHeaders)];
  const named = pairs.flatMap(([name, value]) =>
    name.toLowerCase() === 'connection' ? value.split(',').map((each) => each.trim()) : [],
  );
  const dropped = new Set([...HOP_BY_HOP, ...named.map((name) => name.toLowerCase())]);
  // Whoever names these wants them lost.
  for (const name of ['content-length', 'host']) dropped.delete(name);
  return pairs.filter(([name]) => !dropped.has(name.toLowerCase()));
};

function* pairsOf(rawHeaders: RawHeaders): Iterable<readonly [string, string]> {
  for (let i = 0; i + 1 < rawHeaders.length; i += 2)
    yield [rawHeaders[i] ?? '', rawHeaders[i + 1] ?? ''];
}

const HOP_BY_HOP = [
  ...['connection', 'keep-alive', 'proxy-authenticate', 'proxy-authorization'],
  ...['proxy-connection', 'te', 'trailer', 'transfer-encoding', 'upgrade'],
];

/** With `_` as `-`: to many backends they are one. `Expect` has been met by then. */
const REPLACED = new Set([
  ...['host', 'expect', 'forwarded', 'x-forwarded-for', 'x-forwarded-host', 'x-forwarded-port'],
  ...['x-forwarded-proto', 'x-real-ip'],
]);
