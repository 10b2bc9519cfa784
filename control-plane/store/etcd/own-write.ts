import type { KeyValue } from '../../../proto/gen/etcd/kv';
import { HEADLESS_INDEX, type Conflict, type Write } from './batch';
import type { EtcdConnection } from './connection';
import { decodeHead, indexIn, isSameWrite } from './envelope';
import { OutcomeUnknownError } from './errors';
import { headKey } from './keys';

/** Where a write of our own stands in etcd's history. */
export interface OwnWrite {
  readonly revision: number;
  readonly index: number;
}

/**
 * Judges a conflict of a write that was tried before without an answer: was the one it lost to
 * itself? A compare-and-swap can only have been the first change after the revision it expected, so
 * history tells for certain, whatever others wrote since.
 *
 * @param knownRevision A revision that etcd had reached before the first try.
 * @returns Undefined when somebody else was first, and the write never happened.
 * @throws OutcomeUnknownError when that history is compacted, or etcd does not answer
 */
export const findOwnWrite = async (
  connection: EtcdConnection,
  write: Write,
  conflict: Conflict,
  knownRevision: number,
): Promise<OwnWrite | undefined> => {
  // Still as it expected it: its guard held it back.
  if ((conflict.current?.modRevision ?? 0) === write.expectedRevision) return undefined;
  try {
    return write.expectedRevision === 0
      ? await findOwnCreate(connection, write, conflict, knownRevision)
      : await findOwnChange(connection, write, conflict.revision, knownRevision);
  } catch (error) {
    throw error instanceof OutcomeUnknownError ? error : new OutcomeUnknownError({ cause: error });
  }
};

const findOwnCreate = async (
  connection: EtcdConnection,
  write: Write,
  { current }: Conflict,
  knownRevision: number,
): Promise<OwnWrite | undefined> => {
  const createRevision = current?.createRevision ?? 0;
  if (createRevision <= knownRevision) return undefined;
  const created = await stateAt(connection, write.key, createRevision);
  if (isOwn(write, created)) return placeOf(created);
  // Ours may have come and gone before this one was made.
  throw new OutcomeUnknownError();
};

const findOwnChange = async (
  connection: EtcdConnection,
  write: Write,
  changedRevision: number,
  knownRevision: number,
): Promise<OwnWrite | undefined> => {
  const revision = await firstChangeAfter(connection, write, changedRevision);
  // It was lost before we began: the caller had an old state.
  if (revision <= knownRevision) return undefined;
  const changed = await stateAt(connection, write.key, revision);
  if (changed !== undefined) return isOwn(write, changed) ? placeOf(changed) : undefined;
  if (write.value !== undefined) return undefined;
  // Deletions bear no mark. That of another at the same revision did just what ours meant to do.
  const head = await stateAt(connection, headKey(write.resource), revision);
  const indexes = decodeHead(head?.modRevision === revision ? head.value : Buffer.alloc(0));
  return { revision, index: indexes.get(write.key.toString()) ?? HEADLESS_INDEX };
};

/** By bisection: the key is at `expectedRevision` up to some revision, and never again after. */
const firstChangeAfter = async (
  connection: EtcdConnection,
  { key, expectedRevision }: Write,
  changedRevision: number,
): Promise<number> => {
  let [unchanged, changed] = [expectedRevision, changedRevision];
  while (changed - unchanged > 1) {
    const revision = Math.floor((unchanged + changed) / 2);
    const { kvs } = await connection.range({ key, revision, keysOnly: true });
    if (kvs[0]?.modRevision === expectedRevision) unchanged = revision;
    else changed = revision;
  }
  return changed;
};

const stateAt = async (
  connection: EtcdConnection,
  key: Buffer,
  revision: number,
): Promise<KeyValue | undefined> => (await connection.range({ key, revision })).kvs[0];

const isOwn = ({ value }: Write, found: KeyValue | undefined): found is KeyValue =>
  value !== undefined && found !== undefined && isSameWrite(found.value, value);

const placeOf = ({ modRevision, value }: KeyValue): OwnWrite => ({
  revision: modRevision,
  index: indexIn(value) ?? 0,
});
