import { onAbort } from '../../../lib/async/on-abort';
import { ApiError, hasReason } from '../../../api/errors';
import { backoffMs } from '../../../lib/async/backoff';
import type { Clock } from '../../../lib/clock';
import { systemRandom } from '../../../lib/random';
import {
  batchRequest,
  batchResults,
  HEADLESS_INDEX,
  sizeBytesOf,
  type Write,
  type WriteResult,
} from './batch';
import type { EtcdConnection } from './connection';
import { indexIn, isSameWrite } from './envelope';
import { isDefinite, isUncertain, OutcomeUnknownError } from './errors';

export interface GroupCommitDeps {
  readonly connection: EtcdConnection;
  readonly clock: Clock;
}

export type CommitResult = WriteResult & {
  /** An earlier attempt had an unknown outcome, so a conflict may be with our own write. */
  readonly wasUncertain: boolean;
};

/**
 * Collects the writes of a moment into batches, at most `IN_FLIGHT_MAX` of them under way. There
 * is no timer: a batch leaves on the next turn of the event loop, or when another returns, so its
 * size follows the load.
 */
export class GroupCommit {
  private queue: Pending[] = [];
  private queuedBytes = 0;
  private inFlightCount = 0;
  private isScheduled = false;

  constructor(private readonly deps: GroupCommitDeps) {}

  /**
   * @throws OutcomeUnknownError when etcd gave no answer, `ServiceUnavailable` when it was never
   * reached, any other ApiError when it refused
   */
  commit(write: Write, signal?: AbortSignal): Promise<CommitResult> {
    if (this.queue.length >= QUEUE_COUNT_MAX || this.queuedBytes >= QUEUE_BYTES_MAX)
      return Promise.reject(busyError());
    return new Promise((resolve, reject) => {
      const giveUp = () => reject(asError(signal?.reason));
      const settled = () => signal?.removeEventListener('abort', giveUp);
      onAbort(signal, giveUp);
      const pending: Pending = {
        write,
        signal,
        sizeBytes: sizeBytesOf(write),
        wasUncertain: false,
        resolve: (result) => {
          settled();
          resolve(result);
        },
        reject: (error) => {
          settled();
          reject(pending.wasUncertain ? asUnknown(error) : asError(error));
        },
      };
      this.queue.push(pending);
      this.queuedBytes += pending.sizeBytes;
      this.schedule();
    });
  }

  private schedule(): void {
    if (this.isScheduled || this.inFlightCount >= IN_FLIGHT_MAX || this.queue.length === 0) return;
    this.isScheduled = true;
    setImmediate(() => {
      this.isScheduled = false;
      const batch = this.takeBatch();
      if (batch.length > 0) void this.send(batch);
      this.schedule();
    });
  }

  /** A key occurs once in a batch; its later writes wait for the next. */
  private takeBatch(): Pending[] {
    const batch: Pending[] = [];
    const later: Pending[] = [];
    const keys = new Set<string>();
    const resources = new Set<string>();
    let sizeBytes = 0;
    let position = 0;
    for (; position < this.queue.length && batch.length < BATCH_COUNT_MAX; position++) {
      const pending = this.queue[position] as Pending;
      const { write, signal } = pending;
      if (signal?.aborted === true) {
        this.queuedBytes -= pending.sizeBytes;
        pending.reject(signal.reason);
        continue;
      }
      const key = write.key.toString('latin1');
      const isFull = batch.length > 0 && sizeBytes + pending.sizeBytes > BATCH_BYTES_MAX;
      if (isFull) break;
      resources.add(write.resource);
      if (keys.has(key) || resources.size > BATCH_RESOURCES_MAX) {
        later.push(pending);
        continue;
      }
      keys.add(key);
      sizeBytes += pending.sizeBytes;
      batch.push(pending);
    }
    this.queue = later.concat(this.queue.slice(position));
    this.queuedBytes -= sizeBytes;
    return batch;
  }

  private async send(batch: readonly Pending[]): Promise<void> {
    this.inFlightCount++;
    try {
      await this.settle(batch);
    } finally {
      this.inFlightCount--;
      this.schedule();
    }
  }

  private async settle(batch: readonly Pending[]): Promise<void> {
    try {
      const results = await this.attempt(batch);
      for (const [index, { resolve, wasUncertain }] of batch.entries())
        resolve({ ...(results[index] as WriteResult), wasUncertain });
    } catch (error) {
      if (hasReason(error, 'InsufficientStorage'))
        for (const pending of batch) await this.settleWithoutSpace(pending, error);
      // One write that etcd refuses must not take the others of its batch down.
      else if (batch.length > 1 && isDefinite(error))
        for (const pending of batch) await this.settle([pending]);
      else for (const { reject } of batch) reject(error);
    }
  }

  /**
   * The write that makes etcd run out of space is refused and carried out all the same. Deletions
   * it takes further on, if nothing is put beside them.
   */
  private async settleWithoutSpace(pending: Pending, refusal: unknown) {
    const { write, resolve, reject } = pending;
    try {
      if (write.value === undefined) {
        const [result] = await this.once([write], false);
        resolve({ ...withoutHead(result as WriteResult), wasUncertain: true });
        return;
      }
      const { kvs, header } = await this.deps.connection.range({ key: write.key });
      const [found] = kvs;
      // Still as it was: the refusal holds.
      if ((found?.modRevision ?? 0) === write.expectedRevision) throw refusal;
      if (found !== undefined && isSameWrite(found.value, write.value)) {
        const index = indexIn(found.value) ?? 0;
        resolve({ outcome: 'done', revision: found.modRevision, index, wasUncertain: true });
      } else {
        const revision = header?.revision ?? 0;
        resolve({ outcome: 'conflict', current: found, revision, wasUncertain: true });
      }
    } catch (error) {
      if (error !== refusal && isUncertain(error)) pending.wasUncertain = true;
      reject(error);
    }
  }

  /** Repeats after a lost answer: comparisons make a repetition harmless. */
  private async attempt(batch: readonly Pending[]): Promise<readonly WriteResult[]> {
    const writes = batch.map(({ write }) => write);
    const startMs = this.deps.clock.monotonicMs();
    for (let retryCount = 0; ; retryCount++) {
      try {
        return await this.once(writes);
      } catch (error) {
        if (isUncertain(error)) for (const pending of batch) pending.wasUncertain = true;
        if (this.deps.connection.replaced.aborted || isDefinite(error)) throw error;
        if (this.deps.clock.monotonicMs() - startMs > RETRY_FOR_MS) throw error;
        await this.deps.clock.sleep(backoffMs(retryCount, RETRY, systemRandom));
      }
    }
  }

  private async once(writes: readonly Write[], withHeads = true): Promise<readonly WriteResult[]> {
    const { connection } = this.deps;
    const request = batchRequest(writes, withHeads);
    const send = connection.callKv((kv) => kv.txn.bind(kv), request, undefined, ATTEMPT_TIMEOUT_MS);
    return batchResults(writes, await send);
  }
}

const asError = (reason: unknown): Error =>
  reason instanceof Error ? reason : new Error(String(reason));

/** A refusal stands whatever came before: the write found its object as it expected it. */
const asUnknown = (error: unknown): Error =>
  error instanceof OutcomeUnknownError || hasReason(error, 'InsufficientStorage')
    ? error
    : new OutcomeUnknownError({ cause: error });

const withoutHead = (result: WriteResult): WriteResult =>
  result.outcome === 'done' ? { ...result, index: HEADLESS_INDEX, isHeadless: true } : result;

interface Pending {
  readonly write: Write;
  readonly signal: AbortSignal | undefined;
  readonly sizeBytes: number;
  /** An attempt ended without an answer: the write may have happened. */
  wasUncertain: boolean;
  readonly resolve: (result: CommitResult) => void;
  readonly reject: (error: unknown) => void;
}

// etcd allows 128 operations in a transaction: these, and a head for each resource.
const BATCH_COUNT_MAX = HEADLESS_INDEX;
const BATCH_RESOURCES_MAX = 20;
// etcd refuses requests above 1.5 MB.
const BATCH_BYTES_MAX = 512 * 1024;
const IN_FLIGHT_MAX = 3;
const QUEUE_COUNT_MAX = 10_000;
const QUEUE_BYTES_MAX = 64 * 1024 * 1024;
const ATTEMPT_TIMEOUT_MS = 3_000;
const RETRY_FOR_MS = 8_000;
const RETRY = { initialMs: 20, maxMs: 1_000 };

const busyError = (): ApiError =>
  new ApiError('TooManyRequests', 'too many writes are waiting for etcd', {
    details: { retryAfterSeconds: 1 },
  });
