import { onAbort } from '../../../lib/async/on-abort';
import { ApiError, hasReason } from '../../../api/errors';
import { backoffMs } from '../../../lib/async/backoff';
import type { Clock } from '../../../lib/clock';
import type { Log } from '../../../lib/log';
import { systemRandom } from '../../../lib/random';
import type { WatchRequest, WatchResponse } from '../../../proto/gen/etcd/rpc';
import type { EtcdConnection } from './connection';
import { describeEtcdError } from './errors';
import { RevisionAssembler, type WatchItem } from './revision-assembler';

export interface WatchRangeDeps {
  readonly connection: EtcdConnection;
  readonly clock: Clock;
  readonly log: Log;
  /** False on versions of etcd whose progress replies may overtake events. */
  readonly trustsProgress: boolean;
  /** True if the range changed at `revision` or later. */
  readonly hasChangedSince: (revision: number) => Promise<boolean>;
}

export interface WatchedRange {
  readonly key: Buffer;
  readonly rangeEnd: Buffer;
}

/**
 * Every change of a range from `startRevision` on, one whole revision at a time, across lost
 * connections. It resumes after the last revision whose events were seen, never after the revision
 * in a header: while it catches up etcd stamps replies with revisions it has yet to send.
 *
 * etcd sends what a watcher missed in pieces of up to 2 MB, and nobody can ask for smaller ones. When
 * link after link dies under the first piece, the reader is told to list again: a list has pages of
 * any size.
 * @throws Expired when that history is compacted, or cannot be had over these links;
 * `ServiceUnavailable` when etcd came back with another one.
 */
export async function* watchRange(
  deps: WatchRangeDeps,
  range: WatchedRange,
  startRevision: number,
  signal: AbortSignal,
): AsyncGenerator<WatchItem, void> {
  const { replaced } = deps.connection;
  const assembler = new RevisionAssembler(startRevision, deps.trustsProgress);
  let barrenCount = 0;
  for (let failureCount = 0; !signal.aborted; failureCount++) {
    const nextRevision = assembler.nextRevision;
    try {
      yield* watchOnce(deps, range, assembler, signal, () => barrenCount++);
    } catch (error) {
      replaced.throwIfAborted();
      if (hasAborted(signal)) return;
      if (hasReason(error, 'Expired')) throw error;
      deps.log.debug({ err: error, nextRevision }, 'etcd watch interrupted');
    }
    if (assembler.nextRevision > nextRevision) failureCount = barrenCount = 0;
    else if (barrenCount >= BARREN_MAX) {
      await assertIdle(deps, nextRevision);
      barrenCount = 0;
    }
    await deps.clock.sleep(backoffMs(failureCount, RETRY, systemRandom), signal);
  }
}

async function* watchOnce(
  { connection, clock }: WatchRangeDeps,
  range: WatchedRange,
  assembler: RevisionAssembler,
  signal: AbortSignal,
  onAnswer: () => void,
): AsyncGenerator<WatchItem, void> {
  const { replaced } = connection;
  const { stream, noteFailure } = connection.openWatch();
  const stop = () => stream.cancel();
  // Cancelling fails the stream once more than the iterator reads.
  stream.on('error', () => undefined);
  for (const ending of [signal, replaced]) onAbort(ending, stop);
  const silence = new SilenceWatch(clock, () => stream.write(progressRequest()), stop);
  try {
    assembler.begin();
    stream.write(createRequest(range, assembler.nextRevision));
    const responses = (stream as AsyncIterable<WatchResponse>)[Symbol.asyncIterator]();
    for (;;) {
      silence.startWaiting();
      const next = await responses.next();
      silence.stopWaiting();
      if (next.done === true || signal.aborted || replaced.aborted) return;
      connection.checkCluster(next.value.header);
      throwIfCanceled(next.value);
      if (next.value.created) onAnswer();
      yield* assembler.add(next.value);
    }
  } catch (error) {
    if (!signal.aborted) noteFailure();
    throw describeEtcdError(error);
  } finally {
    silence.end();
    for (const ending of [signal, replaced]) ending.removeEventListener('abort', stop);
    stream.cancel();
  }
}

/** Asks a silent stream for a sign of life, and ends it when none comes: TCP would wait for ever. */
class SilenceWatch {
  private readonly ended = new AbortController();
  private waitingSinceMs = Infinity;

  constructor(
    private readonly clock: Clock,
    private readonly ask: () => void,
    private readonly giveUp: () => void,
  ) {
    void this.run();
  }

  startWaiting(): void {
    this.waitingSinceMs = this.clock.monotonicMs();
  }

  stopWaiting(): void {
    this.waitingSinceMs = Infinity;
  }

  end(): void {
    this.ended.abort();
  }

  private async run(): Promise<void> {
    const { signal } = this.ended;
    for (;;) {
      await this.clock.sleep(SILENCE_MAX_MS / 2, signal);
      if (signal.aborted) return;
      const silentMs = this.clock.monotonicMs() - this.waitingSinceMs;
      if (silentMs >= 2 * SILENCE_MAX_MS) this.giveUp();
      else if (silentMs >= SILENCE_MAX_MS) this.ask();
    }
  }
}

/** Throws if the watch brought nothing though there is something to bring. */
const assertIdle = async ({ hasChangedSince }: WatchRangeDeps, revision: number): Promise<void> => {
  // Unknown: etcd is away, and that is another matter.
  if (!(await hasChangedSince(revision).catch(() => false))) return;
  throw new ApiError(
    'Expired',
    `links to etcd die before the changes since ${revision} are through`,
  );
};

/** So many streams in a row that etcd answered and that brought nothing. */
const BARREN_MAX = 10;
const SILENCE_MAX_MS = 10_000;
const RETRY = { initialMs: 20, maxMs: 2_000 };

// A function, as the compiler takes a property that it saw false to stay so.
const hasAborted = (signal: AbortSignal): boolean => signal.aborted;

const throwIfCanceled = ({ canceled, compactRevision, cancelReason }: WatchResponse): void => {
  if (compactRevision > 0)
    throw new ApiError('Expired', `history before revision ${compactRevision} is compacted`);
  if (canceled) throw new ApiError('ServiceUnavailable', `etcd ended the watch: ${cancelReason}`);
};

const createRequest = ({ key, rangeEnd }: WatchedRange, startRevision: number): WatchRequest => ({
  requestUnion: {
    $case: 'createRequest',
    value: { key, rangeEnd, startRevision, progressNotify: true, prevKv: true, fragment: true },
  },
});

const progressRequest = (): WatchRequest => ({
  requestUnion: { $case: 'progressRequest', value: {} },
});
