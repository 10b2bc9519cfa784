import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { Readable } from 'node:stream';
import { createGunzip, createGzip } from 'node:zlib';
import { TimeSlice } from '../../../lib/async/time-slice';
import { systemClock } from '../../../lib/clock';
import { takesGzip } from './compression';
import type { ApiResponse } from './exchange';

/**
 * A large document that is asked for now and then, kept as small as gzip makes it: those of a thousand
 * kinds would take a hundred megabytes.
 */
export class PackedDocument {
  private constructor(
    /** SHA-512 of the document, in capitals. */
    readonly hash: string,
    private readonly gzipped: readonly Uint8Array[],
  ) {}

  /** Takes the pieces in short steps, others in between. */
  static async of(pieces: Iterable<string | Uint8Array>): Promise<PackedDocument> {
    const hash = createHash('sha512');
    const gzip = createGzip({ level: FASTEST });
    const chunks: Buffer[] = [];
    gzip.on('data', (chunk: Buffer) => chunks.push(chunk));
    const slice = new TimeSlice(systemClock);
    for (const batch of batchesOf(pieces)) {
      hash.update(batch);
      if (!gzip.write(batch)) await once(gzip, 'drain');
      if (slice.isOver) await slice.turn();
    }
    gzip.end();
    await once(gzip, 'end');
    return new PackedDocument(hash.digest('hex').toUpperCase(), chunks);
  }

  /** The document as an answer, for who accepts `encoding`. */
  response(encoding: string | undefined, headers: ApiResponse['headers'] = {}): ApiResponse {
    const vary = [headers['vary'] ?? [], 'Accept-Encoding'].flat().join(', ');
    if (takesGzip(encoding))
      return {
        status: 200,
        headers: { ...headers, vary, 'content-encoding': 'gzip' },
        body: Buffer.concat(this.gzipped),
      };
    return {
      status: 200,
      headers: { ...headers, vary },
      body: Readable.from(this.gzipped).pipe(createGunzip()),
    };
  }
}

/** Pieces of some size: each costs a turn of a thread. */
function* batchesOf(pieces: Iterable<string | Uint8Array>): Generator<Buffer, void> {
  let [batch, bytes]: [Buffer[], number] = [[], 0];
  for (const piece of pieces) {
    const next = Buffer.from(piece);
    batch.push(next);
    bytes += next.length;
    // An empty piece tells of work: it may be time for others.
    if (bytes < BATCH_BYTES && batch.length < BATCH_COUNT) continue;
    yield Buffer.concat(batch);
    [batch, bytes] = [[], 0];
  }
  if (bytes > 0) yield Buffer.concat(batch);
}

const FASTEST = 1;
const BATCH_BYTES = 32 * 1024;
const BATCH_COUNT = 16;
