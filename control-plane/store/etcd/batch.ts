import type { ResponseOp, TxnRequest, TxnResponse } from '../../../proto/gen/etcd/rpc';
import type { KeyValue } from '../../../proto/gen/etcd/kv';
import { encodeHead, setIndex } from './envelope';
import { headKey, LEADER_KEY } from './keys';
import { deleteOp, isCreatedAt, isModifiedAt, putOp, rangeOp, txnOp } from './operations';

/** One compare-and-swap on one object. */
export interface Write {
  readonly resource: string;
  readonly key: Buffer;
  /** The revision the object must be at; 0 when it must be absent. */
  readonly expectedRevision: number;
  /** Other keys that must be at their revisions, too. */
  readonly guards?: readonly { readonly key: Buffer; readonly revision: number }[];
  /** A sealed object, or undefined to delete. */
  readonly value: Buffer | undefined;
  /** The revision at which the leader's key must have been created: what a leader writes needs its lead. */
  readonly termRevision?: number;
}

export type WriteResult =
  /** `previous` is what a deletion removed. */
  | {
      readonly outcome: 'done';
      readonly revision: number;
      readonly index: number;
      readonly previous?: KeyValue;
      /** A deletion that no head tells of: it has `HEADLESS_INDEX`. */
      readonly isHeadless?: boolean;
    }
  | Conflict;

/**
 * The object, or its guard, was not at the expected revision; `fenced`: or might have been, but another
 * server leads.
 */
export interface Conflict {
  readonly outcome: 'conflict' | 'fenced';
  /** What it was, without its value. */
  readonly current: KeyValue | undefined;
  /** Etcd's revision then. */
  readonly revision: number;
}

/**
 * Independent writes in one transaction: each is nested, with its own comparison and result, and
 * all share one round trip and one fsync. Those of a leader compare the leader's key, too. Beside the
 * writes goes one put of each resource's head, so that a watcher of a resource sees an event for
 * every revision that may concern it, and learns the indexes of deletions.
 *
 * @param withHeads False when etcd is out of space, where it takes deletions but no puts.
 */
export const batchRequest = (writes: readonly Write[], withHeads = true): TxnRequest => ({
  compare: [],
  success: [...writes.map(nestedWrite), ...(withHeads ? headOps(writes) : [])],
  failure: [],
});

/** The result of each write in order. */
export const batchResults = (
  writes: readonly Write[],
  { header, responses }: TxnResponse,
): readonly WriteResult[] =>
  writes.map((write, index) => nestedResult(write, responses[index], header?.revision ?? 0, index));

/** Where the indexes of deletions begin that no head tells of. Batches stay below. */
export const HEADLESS_INDEX = 100;

export const sizeBytesOf = ({ key, value }: Write): number =>
  2 * key.length + (value?.length ?? 0) + OVERHEAD_BYTES;

const OVERHEAD_BYTES = 64;

const nestedWrite = (write: Write, index: number) => {
  const { key, value, expectedRevision, guards = [], termRevision } = write;
  if (value !== undefined) setIndex(value, index);
  const isLeaders = termRevision !== undefined;
  return txnOp({
    compare: [
      isModifiedAt(key, expectedRevision),
      ...guards.map((guard) => isModifiedAt(guard.key, guard.revision)),
      ...(isLeaders ? [isCreatedAt(LEADER_KEY, termRevision)] : []),
    ],
    success: [value === undefined ? deleteOp(key) : putOp(key, value)],
    failure: [key, ...(isLeaders ? [LEADER_KEY] : [])].map((each) =>
      rangeOp({ key: each, keysOnly: true }),
    ),
  });
};

const headOps = (writes: readonly Write[]) => {
  const heads = new Map<string, Map<string, number>>();
  for (const [index, { resource, key, value }] of writes.entries()) {
    let deletions = heads.get(resource);
    if (deletions === undefined) heads.set(resource, (deletions = new Map<string, number>()));
    if (value === undefined) deletions.set(key.toString(), index);
  }
  return [...heads].map(([resource, deletions]) => putOp(headKey(resource), encodeHead(deletions)));
};

const nestedResult = (
  { termRevision }: Write,
  response: ResponseOp | undefined,
  revision: number,
  index: number,
): WriteResult => {
  if (response?.response?.$case !== 'responseTxn') throw new Error('etcd answered out of form');
  const { succeeded, responses } = response.response.value;
  if (!succeeded) {
    const isFenced =
      termRevision !== undefined && (foundIn(responses[1])?.createRevision ?? 0) !== termRevision;
    const outcome = isFenced ? 'fenced' : 'conflict';
    return { outcome, revision, current: foundIn(responses[0]) };
  }
  const inner = responses[0]?.response;
  const previous = inner?.$case === 'responseDeleteRange' ? inner.value.prevKvs[0] : undefined;
  return { outcome: 'done', revision, index, ...(previous === undefined ? {} : { previous }) };
};

const foundIn = (answer: ResponseOp | undefined): KeyValue | undefined =>
  answer?.response?.$case === 'responseRange' ? answer.response.value.kvs[0] : undefined;
