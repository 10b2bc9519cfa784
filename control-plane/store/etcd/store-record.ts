import { randomUUID } from 'node:crypto';
import { hasReason } from '../../../api/errors';
import type { Clock } from '../../../lib/clock';
import { describeError } from '../../../lib/describe-error';
import { readFileIfPresent, replaceFile } from '../../../lib/files';
import { parseJson, stringifyJson } from '../../../lib/json';
import type { Log } from '../../../lib/log';
import type { EtcdConnection } from './connection';
import { STORE_ID_KEY } from './keys';
import { isCreatedAt, putOp } from './operations';

/** What a server remembers of its store from one start to the next. */
export interface KnownStore {
  /** Made with the store, and kept in it. */
  readonly id: string;
  /** The newest revision that was heard of, about a minute ago at most. */
  readonly revision: number;
}

export interface FoundStore {
  readonly id: string | undefined;
  readonly revision: number;
}

/**
 * Why what etcd holds is not to be believed: undefined when it is what this server knew, gone on. Taken
 * for the truth it would mean that all nodes and pods, or the latest of them, have been deleted.
 */
export const refusalOf = (known: KnownStore | undefined, found: FoundStore): string | undefined => {
  if (known === undefined) return undefined;
  if (found.id === undefined)
    return 'it holds nothing of this cluster: it is another etcd, or its data has been lost';
  if (found.id !== known.id) return `it holds another cluster, ${found.id} in place of ${known.id}`;
  if (found.revision < known.revision)
    return (
      `it is at revision ${found.revision}, and this server has seen ${known.revision}: ` +
      'it was set back, or has lost its latest writes'
    );
  return undefined;
};

export interface StoreRecordDeps {
  readonly connection: EtcdConnection;
  /** Where it is remembered. */
  readonly file: string;
  /** Somebody has said that what etcd holds is the truth, whatever was before. */
  readonly isAccepted: boolean;
  readonly clock: Clock;
  readonly log: Log;
}

/** Tells this cluster's store from any other, and from an older state of it. */
export class StoreRecord {
  private writtenRevision = 0;

  private constructor(
    private readonly deps: StoreRecordDeps,
    private readonly found: FoundStore,
  ) {}

  /** Only reads. @throws Error when this is not the store that the file remembers */
  static async check(deps: StoreRecordDeps, signal?: AbortSignal): Promise<StoreRecord> {
    const { connection, file, isAccepted, log } = deps;
    const known = await readKnown(file);
    const found = await findStore(connection, signal);
    const refusal = refusalOf(known, found);
    if (refusal !== undefined) {
      if (!isAccepted)
        throw new Error(
          `${connection.name}: ${refusal}. Nothing was changed. Give the right etcd, or restore its ` +
            'data; to go on with what is there, start the server once with --accept-etcd-history',
        );
      log.warn({ etcd: connection.name, refusal }, 'what etcd holds is accepted as the truth');
    }
    return new StoreRecord(deps, found);
  }

  /** Gives the store its name, unless it has one, and remembers it. */
  async claim(signal?: AbortSignal): Promise<void> {
    const { connection, log } = this.deps;
    try {
      await this.write(this.found.id ?? (await giveId(connection, randomUUID(), signal)));
    } catch (error) {
      if (!hasReason(error, 'InsufficientStorage')) throw error;
      log.warn({}, 'etcd is full: it cannot be told from another one until it has room');
    }
  }

  /** Remembers how far the store has come, until `signal` aborts and once more then. */
  async keep(signal: AbortSignal): Promise<void> {
    const { clock, log } = this.deps;
    while (!signal.aborted) {
      await clock.sleep(WRITE_EVERY_MS, signal);
      try {
        const known = await readKnown(this.deps.file);
        if (known !== undefined) await this.write(known.id);
      } catch (error) {
        log.debug({ err: describeError(error) }, 'cannot remember how far the store has come');
      }
    }
  }

  private async write(id: string): Promise<void> {
    const { file, connection } = this.deps;
    // Where the history was another, nothing more is to be learned.
    const revision = connection.knownRevision;
    if (revision === this.writtenRevision || connection.replaced.aborted) return;
    await replaceFile(file, stringifyJson({ id, revision } satisfies KnownStore));
    this.writtenRevision = revision;
  }
}

const findStore = async (connection: EtcdConnection, signal?: AbortSignal): Promise<FoundStore> => {
  const { kvs, header } = await connection.range({ key: STORE_ID_KEY }, signal);
  return { id: kvs[0]?.value.toString('utf8'), revision: header?.revision ?? 0 };
};

/** Servers that start together give it once. Returns which it has. */
const giveId = async (
  connection: EtcdConnection,
  id: string,
  signal?: AbortSignal,
): Promise<string> => {
  const request = {
    compare: [isCreatedAt(STORE_ID_KEY, 0)],
    success: [putOp(STORE_ID_KEY, Buffer.from(id))],
    failure: [],
  };
  const { succeeded } = await connection.callKv((kv) => kv.txn.bind(kv), request, signal);
  return succeeded ? id : ((await findStore(connection, signal)).id ?? id);
};

const readKnown = async (file: string): Promise<KnownStore | undefined> => {
  const text = await readFileIfPresent(file);
  if (text === undefined) return undefined;
  const known = parsed(text);
  if (typeof known?.id === 'string' && Number.isSafeInteger(known.revision))
    return known as KnownStore;
  throw new Error(`${file} is damaged: remove it if etcd holds the right cluster`);
};

const parsed = (text: string): Partial<KnownStore> | undefined => {
  try {
    return parseJson(text) ?? undefined;
  } catch {
    return undefined;
  }
};

const WRITE_EVERY_MS = 60_000;
