import { hasReason } from '../../../api/errors';
import { parseJson, stringifyJson } from '../../../lib/json';
import type { KeyValue } from '../../../proto/gen/etcd/kv';
import type { EtcdConnection } from './connection';
import { LEADER_KEY } from './keys';
import { deleteOp, isCreatedAt, putOp, rangeOp } from './operations';

/** Who campaigns. */
export interface Candidate {
  /** Of the server, which keeps it from one start to the next. */
  readonly identity: string;
  /** Of this start. */
  readonly instance: string;
}

/** Who holds the leader's key, as far as its value tells. */
export interface Holder extends Partial<Candidate> {
  readonly createRevision: number;
  /** 0 where the key stays for ever: earlier releases know no other. */
  readonly lease: bigint;
}

export const readHolder = async (
  connection: EtcdConnection,
  signal?: AbortSignal,
): Promise<{ readonly holder: Holder | undefined; readonly revision: number }> => {
  const { kvs, header } = await connection.range({ key: LEADER_KEY }, signal);
  return { holder: kvs[0] && holderOf(kvs[0]), revision: header?.revision ?? 0 };
};

/** Takes the key if nobody has it. Returns who has it now. */
export const createKey = async (
  connection: EtcdConnection,
  candidate: Candidate,
  lease: bigint,
  signal?: AbortSignal,
): Promise<Holder | undefined> => {
  const value = Buffer.from(stringifyJson({ ...candidate, pid: process.pid }));
  const request = {
    compare: [isCreatedAt(LEADER_KEY, 0)],
    success: [putOp(LEADER_KEY, value, lease)],
    failure: [rangeOp({ key: LEADER_KEY })],
  };
  const { succeeded, header, responses } = await connection.callKv(
    (kv) => kv.txn.bind(kv),
    request,
    signal,
  );
  if (succeeded) return { ...candidate, createRevision: header?.revision ?? 0, lease };
  const answer = responses[0]?.response;
  const [found] = answer?.$case === 'responseRange' ? answer.value.kvs : [];
  return found && holderOf(found);
};

/** Takes the key from `holder`, and from nobody who came after. */
export const removeKey = async (
  connection: EtcdConnection,
  { createRevision, lease }: Holder,
  signal?: AbortSignal,
): Promise<void> => {
  const compare = [isCreatedAt(LEADER_KEY, createRevision)];
  const request = { compare, success: [deleteOp(LEADER_KEY)], failure: [] };
  await connection.callKv((kv) => kv.txn.bind(kv), request, signal);
  if (lease !== 0n) await revokeLease(connection, lease, signal);
};

export const grantLease = async (
  connection: EtcdConnection,
  seconds: number,
  signal?: AbortSignal,
): Promise<bigint> => {
  const request = { TTL: seconds, ID: 0n };
  const { ID } = await connection.call(
    ({ lease }) => lease.leaseGrant.bind(lease),
    request,
    signal,
  );
  return ID;
};

/** It may be over already. */
export const revokeLease = async (
  connection: EtcdConnection,
  ID: bigint,
  signal?: AbortSignal,
): Promise<void> => {
  try {
    await connection.call(({ lease }) => lease.leaseRevoke.bind(lease), { ID }, signal);
  } catch (error) {
    if (!hasReason(error, 'NotFound')) throw error;
  }
};

const holderOf = ({ value, createRevision, lease }: KeyValue): Holder => ({
  ...candidateIn(value),
  createRevision,
  lease,
});

const candidateIn = (value: Buffer): Partial<Candidate> => {
  try {
    const { identity, instance } = (parseJson(value.toString('utf8')) ?? {}) as Partial<Candidate>;
    return {
      ...(typeof identity === 'string' ? { identity } : {}),
      ...(typeof instance === 'string' ? { instance } : {}),
    };
  } catch {
    return {};
  }
};
