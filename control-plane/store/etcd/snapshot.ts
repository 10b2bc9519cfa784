import { createHash } from 'node:crypto';
import {
  credentials as grpcCredentials,
  Metadata,
  type ChannelCredentials,
  type ClientReadableStream,
} from '@grpc/grpc-js';
import { onAbort } from '../../../lib/async/on-abort';
import type { Clock } from '../../../lib/clock';
import { MaintenanceClient, type SnapshotResponse } from '../../../proto/gen/etcd/rpc';
import { describeEtcdError } from './errors';

export interface SnapshotSource {
  /** `host:port`, or `unix:/path`: the copy is that member's. */
  readonly endpoint: string;
  /** Plaintext by default. */
  readonly credentials?: ChannelCredentials;
  readonly clock: Clock;
}

/**
 * A copy of all that one member of etcd holds, as a file of its storage, piece by piece. It is whole only
 * when the iteration ends without an error: etcd's hash comes last.
 * @throws ApiError when etcd fails, falls silent, or the hash is not that of what came
 */
export async function* snapshotPieces(
  { endpoint, credentials, clock }: SnapshotSource,
  signal: AbortSignal,
): AsyncGenerator<Buffer> {
  const client = new MaintenanceClient(endpoint, credentials ?? grpcCredentials.createInsecure(), {
    'grpc.max_receive_message_length': PIECE_BYTES_MAX,
    'grpc.use_local_subchannel_pool': 1,
  });
  const call = client.snapshot({}, new Metadata());
  const forget = onAbort(signal, () => call.cancel());
  try {
    yield* hashed(piecesOf(call, clock));
  } catch (error) {
    signal.throwIfAborted();
    throw error instanceof Error && 'code' in error ? describeEtcdError(error) : error;
  } finally {
    forget();
    call.cancel();
    client.close();
  }
}

/** The time that the reader takes does not count as silence. */
async function* piecesOf(
  call: ClientReadableStream<SnapshotResponse>,
  clock: Clock,
): AsyncGenerator<Buffer> {
  const iterator: AsyncIterator<SnapshotResponse> = call[Symbol.asyncIterator]();
  for (;;) {
    const callOff = clock.after(SILENCE_MS, () =>
      call.destroy(new Error(`etcd sent nothing of its snapshot for ${SILENCE_MS / 1000} s`)),
    );
    const next = await iterator.next().finally(callOff);
    if (next.done === true) return;
    yield next.value.blob;
  }
}

/** All but the hash at the end, which must be that of what came before it. */
async function* hashed(pieces: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  const hash = createHash('sha256');
  let held: Buffer = Buffer.alloc(0);
  for await (const piece of pieces) {
    held = Buffer.concat([held, piece]);
    const whole = held.subarray(0, Math.max(0, held.length - HASH_BYTES));
    held = held.subarray(whole.length);
    if (whole.length === 0) continue;
    hash.update(whole);
    yield whole;
  }
  if (held.length !== HASH_BYTES || !hash.digest().equals(held))
    throw new Error('what etcd sent is not its whole snapshot: the hash at the end is another');
}

const HASH_BYTES = 32;
/** etcd sends 32 kB at a time. */
const PIECE_BYTES_MAX = 16 * 1024 * 1024;
/** A member whose disk is slow still reads 32 kB of it in this time. */
const SILENCE_MS = 60_000;
