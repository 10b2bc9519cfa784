import { randomUUID } from 'node:crypto';
import { ApiError } from '../../../api/errors';
import type { Compare, RequestOp } from '../../../proto/gen/etcd/rpc';
import type { EtcdConnection } from './connection';
import { LEADER_KEY } from './keys';
import { deleteOp, isCreatedAt, putOp } from './operations';
import { stringifyJson } from '../../../lib/json';

export interface Leadership {
  /** True while this server is the one that writes: goes into every write's transaction. */
  readonly fence: readonly Compare[];
  readonly identity: string;
}

/**
 * Makes this server the one that may write, by recreating the leader key. Whoever held it before
 * has its next write refused, whatever its clock says: the fence compares the key's creation. The
 * key has no lease, so a server that etcd does not hear from for a while is still the leader.
 */
export const acquireLeadership = async (
  connection: EtcdConnection,
  signal?: AbortSignal,
): Promise<Leadership> => {
  const identity = randomUUID();
  const value = Buffer.from(stringifyJson({ identity, pid: process.pid }));
  const commit = (op: RequestOp, compare: readonly Compare[]) =>
    connection.callKv(
      (kv) => kv.txn.bind(kv),
      { compare: [...compare], success: [op], failure: [] },
      signal,
    );
  for (let attempts = 0; attempts < ATTEMPTS_MAX; attempts++) {
    signal?.throwIfAborted();
    await commit(deleteOp(LEADER_KEY), []);
    const { succeeded, header } = await commit(putOp(LEADER_KEY, value), [
      isCreatedAt(LEADER_KEY, 0),
    ]);
    if (succeeded) return { identity, fence: [isCreatedAt(LEADER_KEY, header?.revision ?? 0)] };
  }
  throw new ApiError('ServiceUnavailable', 'the lead of the store cannot be had: others take it');
};

/**
 * For an etcd that is out of space and takes no key: this server carries on as the one before it.
 * It is fenced by the next that takes over, but does not fence that one before, should it live.
 */
export const inheritLeadership = async (
  connection: EtcdConnection,
  signal?: AbortSignal,
): Promise<Leadership> => {
  const { kvs } = await connection.range({ key: LEADER_KEY }, signal);
  return { identity: randomUUID(), fence: [isCreatedAt(LEADER_KEY, kvs[0]?.createRevision ?? 0)] };
};

/** Servers that start together need one each; whoever is no etcd never gives it. */
const ATTEMPTS_MAX = 20;
