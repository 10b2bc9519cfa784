import { Readable } from 'node:stream';
import { createGzip } from 'node:zlib';
import { onAbort } from '../../../lib/async/on-abort';
import type { ApiResponse } from './exchange';

/**
 * Makes large documents smaller for who asks for it, as upstream from 128 KiB on. The work is done in
 * threads beside the event loop, a piece at a time as the reader takes it. Only so many are compressed at
 * a time, for each needs memory and a thread: the others are sent as they are, and nobody waits.
 */
export class Compression {
  private runningCount = 0;

  constructor(private readonly runningMax = RUNNING_MAX) {}

  /** The answer, compressed if it may be. `signal` ends with the request. */
  apply(answer: ApiResponse, acceptEncoding: string | undefined, signal: AbortSignal): ApiResponse {
    const { body, headers = {} } = answer;
    if (body === undefined || !isLarge(answer)) return answer;
    const vary = [headers['vary'] ?? [], 'Accept-Encoding'].flat().join(', ');
    const varied = { ...answer, headers: { ...headers, vary } };
    const isFull = this.runningCount >= this.runningMax;
    if (isFull || !takesGzip(acceptEncoding) || signal.aborted) return varied;
    return {
      ...varied,
      headers: { ...varied.headers, 'content-encoding': 'gzip' },
      body: this.compressed(piecesOf(body), signal),
    };
  }

  private async *compressed(
    pieces: AsyncIterable<Uint8Array>,
    signal: AbortSignal,
  ): AsyncGenerator<Uint8Array> {
    this.runningCount++;
    const gzip = createGzip({ level: FASTEST });
    const source = Readable.from(pieces);
    onAbort(signal, () => gzip.destroy());
    source.on('error', (error) => gzip.destroy(error));
    try {
      yield* source.pipe(gzip) as AsyncIterable<Uint8Array>;
    } finally {
      source.destroy();
      gzip.destroy();
      this.runningCount--;
    }
  }
}

/** One document, and not a stream of events. */
const isLarge = ({ status, headers, body, isDocument = false }: ApiResponse): boolean => {
  if (status !== 200 || body === undefined || headers?.['content-encoding'] !== undefined)
    return false;
  const isBytes = typeof body === 'string' || body instanceof Uint8Array;
  return isBytes ? body.length > LARGE_BYTES : isDocument;
};

export const takesGzip = (header = ''): boolean =>
  header.split(',', ENCODINGS_MAX).some((token) => {
    const [name = '', quality = ''] = token.split(';', 2);
    return name.trim().toLowerCase() === 'gzip' && !/^\s*q=0(\.0*)?\s*$/.test(quality);
  });

async function* piecesOf(
  body: NonNullable<ApiResponse['body']>,
): AsyncGenerator<Uint8Array, void, undefined> {
  if (typeof body !== 'string' && !(body instanceof Uint8Array)) {
    yield* body;
    return;
  }
  const bytes = typeof body === 'string' ? Buffer.from(body) : body;
  for (let from = 0; from < bytes.length; from += PIECE_BYTES)
    yield bytes.subarray(from, from + PIECE_BYTES);
}

const LARGE_BYTES = 128 * 1024;
const PIECE_BYTES = 64 * 1024;
const FASTEST = 1;
/** There are four threads, which files and names need too. */
const RUNNING_MAX = 3;
const ENCODINGS_MAX = 32;
