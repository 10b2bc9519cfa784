import type { ChannelCredentials } from '@grpc/grpc-js';
import { hasReason } from '../../api/errors';
import { onAbort } from '../../lib/async/on-abort';
import { TaskGroup } from '../../lib/async/task-group';
import type { Clock } from '../../lib/clock';
import type { Log } from '../../lib/log';
import { detectBehaviour, type EtcdBehaviour } from './etcd/behaviour';
import { EtcdConnection } from './etcd/connection';
import { Envelopes } from './etcd/envelope';
import { EtcdStore } from './etcd/etcd-store';
import { acquireLeadership, inheritLeadership, type Leadership } from './etcd/leadership';
import { freeSpace, isOutOfSpace, keepCompacting, keepSpace } from './etcd/maintenance';
import { checkKeys } from './etcd/lost-keys';
import { Reencryption, type ReencryptionDeps } from './etcd/reencryption';
import { StoreRecord } from './etcd/store-record';
import { checkSchema, claimSchema } from './etcd/store-schema';
import { superviseEtcd, type SupervisedEtcd } from './etcd/supervise-etcd';
import { ENCRYPTED_RESOURCE, type ValueCipher } from './encryption/value-cipher';
import type { Store } from './store';

export interface OpenStoreOptions {
  /** An etcd that others run, `host:port` each. Without it the server runs one of its own. */
  readonly endpoints?: readonly string[];
  /** For `endpoints`; plaintext by default. */
  readonly credentials?: ChannelCredentials;
  /** For an etcd of our own: its data, kept across restarts. */
  readonly dataDir?: string;
  /** For an etcd of our own: sockets and pid file. */
  readonly runDir?: string;
  /** Where to remember which store this is, and how far it has come. Default: any etcd is believed. */
  readonly recordFile?: string;
  /** Take what etcd holds for the truth, though the file remembers another or a newer store. */
  readonly isHistoryAccepted?: boolean;
  /** Default: everything is stored in the clear. */
  readonly cipher?: ValueCipher;
  /** Delete what is encrypted with a key that `cipher` does not have, in place of not starting. */
  readonly isLossAccepted?: boolean;
  /** Of this program: left in the store for others that cannot read it. */
  readonly release?: string;
  readonly etcdBinary?: string;
  readonly quotaBytes?: number;
  readonly clock: Clock;
  readonly log: Log;
  /** How long to wait for etcd to answer at all. Default 30 s. */
  readonly startTimeoutMs?: number;
}

export interface OpenedStore extends AsyncDisposable {
  readonly store: Store;
  readonly behaviour: EtcdBehaviour;
  /**
   * Aborts when another server has taken over, or etcd holds another history than before: this one
   * can go on no more and has to exit. Its reason is an Error for the operator.
   */
  readonly lost: AbortSignal;
  /** There if there is a cipher. */
  readonly reencryption: Reencryption | undefined;
  /** Of an etcd of our own. */
  readonly etcdPid: number | undefined;
}

/**
 * Connects to etcd, or starts one, takes over from an earlier server, and keeps history short.
 * Dispose after the caches and everything else that reads.
 */
export const openStore = async (
  options: OpenStoreOptions,
  signal?: AbortSignal,
): Promise<OpenedStore> => {
  const etcd = await startEtcd(options);
  const connection = new EtcdConnection({
    endpoints: options.endpoints ?? (etcd === undefined ? [] : [etcd.endpoint]),
    ...(options.credentials === undefined ? {} : { credentials: options.credentials }),
  });
  try {
    return await open(options, connection, etcd, signal);
  } catch (error) {
    connection[Symbol.dispose]();
    await etcd?.[Symbol.asyncDispose]();
    throw error;
  }
};

const open = async (
  options: OpenStoreOptions,
  connection: EtcdConnection,
  etcd: SupervisedEtcd | undefined,
  signal: AbortSignal | undefined,
): Promise<OpenedStore> => {
  const { clock, log } = options;
  const behaviour = await whenUp(options, () => detectBehaviour(connection, log, signal), signal);
  await whenUp(options, () => checkSchema(connection, signal), signal);
  const record = await whenUp(options, () => recordOf(options, connection, signal), signal);
  const { fence } = await whenUp(options, () => lead(connection, log, signal), signal);
  await whenUp(options, async () => record?.claim(signal), signal);
  const { release = '' } = options;
  await whenUp(options, () => claimSchema(connection, release, signal), signal);
  const lost = new AbortController();
  const onFenced = () => {
    log.error({}, 'another server has taken over: this one can write no more');
    lost.abort(new Error('another server has taken over this store: stop one of the two'));
  };
  onAbort(connection.replaced, () => {
    log.error({ err: connection.replaced.reason }, 'etcd was replaced: this server stops');
    lost.abort(connection.replaced.reason);
  });
  const trustsProgress = behaviour.freshness === 'progress';
  const envelopes = new Envelopes(options.cipher);
  const deps = { connection, envelopes, clock, log };
  const store = new EtcdStore({ ...deps, trustsProgress, fence, onFenced });
  const reencryption = await whenUp(
    options,
    () => encrypting(options, { ...deps, store }, signal),
    signal,
  );
  const tasks = new TaskGroup();
  for (const task of [keepCompacting, keepSpace])
    tasks.run((taskSignal) => task({ connection, clock, log }, taskSignal));
  if (record !== undefined) tasks.run((taskSignal) => record.keep(taskSignal));
  if (reencryption !== undefined) tasks.run((taskSignal) => reencryption.run(taskSignal));
  return {
    store,
    behaviour,
    lost: lost.signal,
    reencryption,
    get etcdPid() {
      return etcd?.pid;
    },
    [Symbol.asyncDispose]: async () => {
      await tasks[Symbol.asyncDispose]();
      connection[Symbol.dispose]();
      await etcd?.[Symbol.asyncDispose]();
    },
  };
};

const encrypting = async (
  { cipher, isLossAccepted = false }: OpenStoreOptions,
  deps: Omit<ReencryptionDeps, 'resource'>,
  signal: AbortSignal | undefined,
): Promise<Reencryption | undefined> => {
  if (cipher === undefined) return undefined;
  const all = { ...deps, resource: ENCRYPTED_RESOURCE };
  await checkKeys({ ...all, cipher, isLossAccepted }, signal);
  return new Reencryption(all);
};

const recordOf = async (
  { recordFile, isHistoryAccepted = false, clock, log }: OpenStoreOptions,
  connection: EtcdConnection,
  signal: AbortSignal | undefined,
): Promise<StoreRecord | undefined> => {
  if (recordFile === undefined) return undefined;
  const isAccepted = isHistoryAccepted;
  return StoreRecord.check({ connection, file: recordFile, isAccepted, clock, log }, signal);
};

/** A full etcd must not keep the server down: without it nobody could delete anything. */
const lead = async (
  connection: EtcdConnection,
  log: Log,
  signal: AbortSignal | undefined,
): Promise<Leadership> => {
  try {
    // The alarm outlives a restart, even one that raised the quota.
    if (await isOutOfSpace(connection, signal)) await freeSpace(connection, signal);
    return await acquireLeadership(connection, signal);
  } catch (error) {
    if (!hasReason(error, 'InsufficientStorage')) throw error;
    log.warn({ err: error }, 'etcd is full: starting read-only');
    return inheritLeadership(connection, signal);
  }
};

const startEtcd = async (options: OpenStoreOptions): Promise<SupervisedEtcd | undefined> => {
  const { endpoints, dataDir, runDir, etcdBinary, quotaBytes, clock, log } = options;
  if (endpoints !== undefined && endpoints.length > 0) return undefined;
  if (dataDir === undefined || runDir === undefined)
    throw new Error(
      'give etcd endpoints, or a data folder and a run folder for an etcd of our own',
    );
  return superviseEtcd({
    dataDir,
    runDir,
    clock,
    log: log.child({ component: 'etcd' }),
    ...(etcdBinary === undefined ? {} : { binary: etcdBinary }),
    ...(quotaBytes === undefined ? {} : { quotaBytes }),
  });
};

/** Repeats until etcd answers. @throws Error that names what it tried, when that takes too long */
const whenUp = async <T>(
  { clock, endpoints, startTimeoutMs = START_TIMEOUT_MS }: OpenStoreOptions,
  work: () => Promise<T>,
  signal: AbortSignal | undefined,
): Promise<T> => {
  const startMs = clock.monotonicMs();
  for (;;) {
    try {
      return await work();
    } catch (error) {
      const isOver = clock.monotonicMs() - startMs > startTimeoutMs;
      if (signal?.aborted === true || !hasReason(error, 'ServiceUnavailable')) throw error;
      if (isOver) throw unusable(endpoints, startTimeoutMs, error);
      await clock.sleep(START_POLL_MS, signal);
    }
  }
};

const unusable = (endpoints: readonly string[] = [], waitedMs: number, cause: unknown): Error => {
  const what = endpoints.length === 0 ? 'its own etcd' : `etcd at ${endpoints.join(', ')}`;
  return new Error(`cannot use ${what}: tried for ${waitedMs / 1000} s`, { cause });
};

const START_TIMEOUT_MS = 30_000;
const START_POLL_MS = 50;
