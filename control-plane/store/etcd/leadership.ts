import { randomUUID } from 'node:crypto';
import type { Compare } from '../../../proto/gen/etcd/rpc';
import type { EtcdConnection } from './connection';
import { LEADER_KEY } from './keys';
import { deleteOp, isCreatedAt, putOp } from './operations';

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
  const value = Buffer.from(JSON.stringify({ identity, pid: process.pid }));
  for (;;) {
    signal?.throwIfAborted();
    const removal = { compare: [], success: [deleteOp(LEADER_KEY)], failure: [] };
    await connection.callKv((kv) => kv.txn.bind(kv), removal, signal);
    const creation = {
      compare: [isCreatedAt(LEADER_KEY, 0)],
      success: [putOp(LEADER_KEY, value)],
      failure: [],
    };
    const { succeeded, header } = await connection.callKv(
      (kv) => kv.txn.bind(kv),
      creation,
      signal,
    );
    if (succeeded) return { identity, fence: [isCreatedAt(LEADER_KEY, header?.revision ?? 0)] };
  }
};
