import {
  type Compare,
  type ResponseOp,
  type TxnRequest,
  type TxnResponse,
} from '../../../proto/gen/etcd/rpc';
import type { KeyValue } from '../../../proto/gen/etcd/kv';
import { encodeHead, setIndex } from './envelope';
import { headKey } from './keys';
import { deleteOp, isModifiedAt, putOp, rangeOp, txnOp } from './operations';

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

/** The object, or its guard, was not at the expected revision. */
export interface Conflict {
  readonly outcome: 'conflict';
  /** What it was, without its value. */
  readonly current: KeyValue | undefined;
  /** Etcd's revision then. */
  readonly revision: number;
}

/**
 * Independent writes in one transaction: each is nested, with its own comparison and result, and
 * all share one round trip and one fsync. The outer comparison fences: it fails for all. Beside the
 * writes goes one put of each resource's head, so that a watcher of a resource sees an event for
 * every revision that may concern it, and learns the indexes of deletions.
 *
 * @param withHeads False when etcd is out of space, where it takes deletions but no puts.
 */
export const batchRequest = (
  writes: readonly Write[],
  fence: readonly Compare[],
  withHeads = true,
): TxnRequest => ({
  compare: [...fence],
  success: [...writes.map(nestedWrite), ...(withHeads ? headOps(writes) : [])],
  failure: [],
});

/** The result of each write in order; undefined when the fence held the batch back. */
export const batchResults = (
  writes: readonly Write[],
  { header, succeeded, responses }: TxnResponse,
): readonly WriteResult[] | undefined =>
  succeeded
    ? writes.map((_write, index) => nestedResult(responses[index], header?.revision ?? 0, index))
    : undefined;

/** Where the indexes of deletions begin that no head tells of. Batches stay below. */
export const HEADLESS_INDEX = 100;

export const sizeBytesOf = ({ key, value }: Write): number =>
  2 * key.length + (value?.length ?? 0) + OVERHEAD_BYTES;

const OVERHEAD_BYTES = 64;

const nestedWrite = ({ key, value, expectedRevision, guards = [] }: Write, index: number) => {
  if (value !== undefined) setIndex(value, index);
  return txnOp({
    compare: [
      isModifiedAt(key, expectedRevision),
      ...guards.map((guard) => isModifiedAt(guard.key, guard.revision)),
    ],
    success: [value === undefined ? deleteOp(key) : putOp(key, value)],
    failure: [rangeOp({ key, keysOnly: true })],
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
  response: ResponseOp | undefined,
  revision: number,
  index: number,
): WriteResult => {
  if (response?.response?.$case !== 'responseTxn') throw new Error('etcd answered out of form');
  const { succeeded, responses } = response.response.value;
  const inner = responses[0]?.response;
  if (!succeeded)
    return {
      outcome: 'conflict',
      revision,
      current: inner?.$case === 'responseRange' ? inner.value.kvs[0] : undefined,
    };
  const previous = inner?.$case === 'responseDeleteRange' ? inner.value.prevKvs[0] : undefined;
  return { outcome: 'done', revision, index, ...(previous === undefined ? {} : { previous }) };
};
