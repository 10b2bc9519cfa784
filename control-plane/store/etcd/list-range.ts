import { hasReason } from '../../../api/errors';
import type { KeyValue } from '../../../proto/gen/etcd/kv';
import type { EtcdConnection } from './connection';

interface KeyRange {
  readonly key: Buffer;
  readonly rangeEnd: Buffer;
}

/** Every key of a range at one revision, read in pages. */
export const listRange = async (
  connection: EtcdConnection,
  range: KeyRange,
  signal?: AbortSignal,
): Promise<{ keyValues: readonly KeyValue[]; revision: number }> => {
  for (let attemptCount = 1; ; attemptCount++) {
    try {
      return await listOnce(connection, range, signal);
    } catch (error) {
      // Compacted between two pages: a new revision is as good.
      if (!hasReason(error, 'Expired') || attemptCount >= ATTEMPT_COUNT_MAX) throw error;
    }
  }
};

const listOnce = async (
  connection: EtcdConnection,
  { key, rangeEnd }: KeyRange,
  signal: AbortSignal | undefined,
) => {
  const keyValues: KeyValue[] = [];
  const size = new PageSize();
  let from = key;
  let revision = 0;
  for (;;) {
    const ask = (retryCount: number) => ({
      key: from,
      rangeEnd,
      revision,
      limit: size.limitAfter(retryCount),
    });
    const page = await connection.range(ask, signal);
    for (const keyValue of page.kvs) keyValues.push(keyValue);
    if (revision === 0) revision = page.header?.revision ?? 0;
    const last = page.kvs.at(-1);
    if (!page.more || last === undefined) return { keyValues, revision };
    from = Buffer.concat([last.key, Buffer.from([0])]);
    size.learn(page.kvs);
  }
};

/** How many keys to ask for: few while their size is unknown, or while links die under a page. */
class PageSize {
  private bytesMax = PAGE_BYTES_MAX;
  private limit = FIRST_PAGE_COUNT;

  limitAfter(retryCount: number): number {
    if (retryCount > 0) {
      this.bytesMax = Math.max(PAGE_BYTES_MIN, this.bytesMax / 2);
      this.limit = Math.ceil(this.limit / 2);
    }
    return this.limit;
  }

  /** The next page fits if its keys are as large as those of this one. */
  learn(kvs: readonly KeyValue[]): void {
    const bytes = kvs.reduce((sum, { key, value }) => sum + key.length + value.length, 1);
    const fitting = Math.floor((this.bytesMax * kvs.length) / bytes);
    this.limit = Math.max(1, Math.min(PAGE_COUNT_MAX, fitting));
  }
}

const FIRST_PAGE_COUNT = 50;
const PAGE_COUNT_MAX = 500;
const PAGE_BYTES_MAX = 2 * 1024 * 1024;
const PAGE_BYTES_MIN = 64 * 1024;
const ATTEMPT_COUNT_MAX = 3;
