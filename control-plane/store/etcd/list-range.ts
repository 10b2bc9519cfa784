import { hasReason } from '../../../api/errors';
import type { KeyValue } from '../../../proto/gen/etcd/kv';
import type { EtcdConnection } from './connection';
import { rangeRequest } from './operations';

/** Every key of a range at one revision, read in pages. */
export const listRange = async (
  connection: EtcdConnection,
  range: { readonly key: Buffer; readonly rangeEnd: Buffer },
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
  { key, rangeEnd }: { readonly key: Buffer; readonly rangeEnd: Buffer },
  signal: AbortSignal | undefined,
) => {
  const keyValues: KeyValue[] = [];
  let from = key;
  let limit = PAGE_COUNT_MAX;
  let revision = 0;
  for (;;) {
    const request = rangeRequest({ key: from, rangeEnd, limit, revision });
    const page = await connection.readKv((kv) => kv.range.bind(kv), request, signal);
    for (const keyValue of page.kvs) keyValues.push(keyValue);
    if (revision === 0) revision = page.header?.revision ?? 0;
    const last = page.kvs.at(-1);
    if (!page.more || last === undefined) return { keyValues, revision };
    from = Buffer.concat([last.key, Buffer.from([0])]);
    limit = nextLimit(page.kvs);
  }
};

/** As many as fit in a page if they are as large as those of the last. */
const nextLimit = (kvs: readonly KeyValue[]): number => {
  const bytes = kvs.reduce((sum, { key, value }) => sum + key.length + value.length, 1);
  const fitting = Math.floor((PAGE_BYTES_MAX * kvs.length) / bytes);
  return Math.max(1, Math.min(PAGE_COUNT_MAX, fitting));
};

const PAGE_COUNT_MAX = 500;
const PAGE_BYTES_MAX = 2 * 1024 * 1024;
const ATTEMPT_COUNT_MAX = 3;
