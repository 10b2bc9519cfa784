import {
  Compare_CompareResult,
  Compare_CompareTarget,
  type Compare,
  type PutRequest,
  type RangeRequest,
  type RequestOp,
  type TxnRequest,
} from '../../../proto/gen/etcd/rpc';

// The messages of etcd with the fields Dhow sets; the generated types want every field.

export type RangeFields = Partial<RangeRequest> & { readonly key: Buffer };

export const rangeRequest = (fields: RangeFields): RangeRequest => ({
  rangeEnd: NO_BYTES,
  limit: 0,
  revision: 0,
  serializable: false,
  keysOnly: false,
  ...fields,
});

export const rangeOp = (fields: RangeFields): RequestOp => ({
  request: { $case: 'requestRange', value: rangeRequest(fields) },
});

/** @param lease The key goes with it. Default: it stays. */
export const putOp = (key: Buffer, value: Buffer, lease = 0n): RequestOp => ({
  request: { $case: 'requestPut', value: { key, value, lease } satisfies PutRequest },
});

export const deleteOp = (key: Buffer): RequestOp => ({
  request: { $case: 'requestDeleteRange', value: { key, rangeEnd: NO_BYTES, prevKv: true } },
});

export const txnOp = (txn: TxnRequest): RequestOp => ({
  request: { $case: 'requestTxn', value: txn },
});

/** True while `key` is as the write at `revision` left it; 0: while it is absent. */
export const isModifiedAt = (key: Buffer, revision: number): Compare => ({
  result: Compare_CompareResult.EQUAL,
  target: Compare_CompareTarget.MOD,
  key,
  targetUnion: { $case: 'modRevision', value: BigInt(revision) },
});

/** True while `key` is the one created at `revision`; 0: while it is absent. */
export const isCreatedAt = (key: Buffer, revision: number): Compare => ({
  result: Compare_CompareResult.EQUAL,
  target: Compare_CompareTarget.CREATE,
  key,
  targetUnion: { $case: 'createRevision', value: BigInt(revision) },
});

const NO_BYTES = Buffer.alloc(0);
