import { z } from 'zod';
import { hasReason } from '../../../api/errors';
import type { EtcdConnection } from './connection';
import { STORE_SCHEMA_KEY } from './keys';
import { isModifiedAt, putOp } from './operations';
import { parseJson, stringifyJson } from '../../../lib/json';

/**
 * How this release writes the store: keys, envelopes, heads. A release that writes otherwise counts it up.
 * It goes in two steps: one release reads both and writes the old, the next writes the new.
 */
const STORE_SCHEMA = 1;
/** The oldest release that reads what this one writes, by its schema. */
const MIN_READER = 1;

const SCHEMA = z.object({
  schema: z.number().int().min(1),
  minReader: z.number().int().min(1),
  /** A release that can read it. */
  writtenBy: z.string().max(128),
});

/** Why this release must not touch the store; undefined for one that it can read, or that says nothing. */
export const schemaRefusal = (text: string | undefined): string | undefined => {
  if (text === undefined) return undefined;
  const found = parsed(text);
  if (found === undefined)
    return 'it says in a way that is not known here how it is written: a newer release of Dhow wrote it';
  return found.minReader > STORE_SCHEMA
    ? `it is written in schema ${found.schema}, which releases of schema ${found.minReader} or newer read, ` +
        `and this one is of schema ${STORE_SCHEMA}: use Dhow ${found.writtenBy}, or restore a snapshot ` +
        'that was saved before it was upgraded'
    : undefined;
};

export interface StoredSchema {
  /** Undefined where nobody has said it. */
  readonly schema?: number;
  readonly writtenBy?: string;
  /** Why this release must not touch it. */
  readonly refusal?: string;
}

/** What a store says of itself, and whether this release can read it. Only reads. */
export const readSchema = async (
  connection: EtcdConnection,
  signal?: AbortSignal,
): Promise<StoredSchema> => {
  const { kvs } = await connection.range({ key: STORE_SCHEMA_KEY }, signal);
  const text = kvs[0]?.value.toString();
  const found = text === undefined ? undefined : parsed(text);
  const refusal = schemaRefusal(text);
  return {
    ...(found === undefined ? {} : { schema: found.schema, writtenBy: found.writtenBy }),
    ...(refusal === undefined ? {} : { refusal }),
  };
};

/** Only reads. @throws Error when a release that is newer by too much wrote the store */
export const checkSchema = async (
  connection: EtcdConnection,
  signal?: AbortSignal,
): Promise<void> => {
  const { refusal } = await readSchema(connection, signal);
  if (refusal !== undefined) throw new Error(`${connection.name}: ${refusal}. Nothing was changed`);
};

/** Leaves word of how this release writes, unless what is there says that or more. */
export const claimSchema = async (
  connection: EtcdConnection,
  writtenBy: string,
  signal?: AbortSignal,
): Promise<void> => {
  const { kvs } = await connection.range({ key: STORE_SCHEMA_KEY }, signal);
  const [stored] = kvs;
  const found = stored && parsed(stored.value.toString());
  if (found !== undefined && found.schema >= STORE_SCHEMA) return;
  const value = stringifyJson({ schema: STORE_SCHEMA, minReader: MIN_READER, writtenBy });
  const request = {
    // Another that starts at the same time says the same.
    compare: [isModifiedAt(STORE_SCHEMA_KEY, stored?.modRevision ?? 0)],
    success: [putOp(STORE_SCHEMA_KEY, Buffer.from(value))],
    failure: [],
  };
  try {
    await connection.callKv((kv) => kv.txn.bind(kv), request, signal);
  } catch (error) {
    // A full store is told of elsewhere; the next start says it.
    if (!hasReason(error, 'InsufficientStorage')) throw error;
  }
};

const parsed = (text: string): z.output<typeof SCHEMA> | undefined => {
  try {
    return SCHEMA.parse(parseJson(text));
  } catch {
    return undefined;
  }
};
