import type { ChannelCredentials } from '@grpc/grpc-js';
import { hasReason } from '../../api/errors';
import { TaskGroup } from '../../lib/async/task-group';
import type { Clock } from '../../lib/clock';
import type { Log } from '../../lib/log';
import { detectBehaviour, type EtcdBehaviour } from './etcd/behaviour';
import { EtcdConnection } from './etcd/connection';
import { EtcdStore } from './etcd/etcd-store';
import { acquireLeadership, inheritLeadership, type Leadership } from './etcd/leadership';
import { freeSpace, isOutOfSpace, keepCompacting, keepSpace } from './etcd/maintenance';
import { superviseEtcd, type SupervisedEtcd } from './etcd/supervise-etcd';
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
  /** Aborts when another server has taken over: this one can write no more and has to exit. */
  readonly lost: AbortSignal;
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
  const { fence } = await whenUp(options, () => lead(connection, log, signal), signal);
  const lost = new AbortController();
  const onFenced = () => {
    log.error({}, 'another server has taken over: this one can write no more');
    lost.abort();
  };
  const trustsProgress = behaviour.freshness === 'progress';
  const store = new EtcdStore({ connection, clock, log, trustsProgress, fence, onFenced });
  const tasks = new TaskGroup();
  for (const task of [keepCompacting, keepSpace])
    tasks.run((taskSignal) => task({ connection, clock, log }, taskSignal));
  return {
    store,
    behaviour,
    lost: lost.signal,
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

/** Repeats until etcd answers. */
const whenUp = async <T>(
  { clock, startTimeoutMs = START_TIMEOUT_MS }: OpenStoreOptions,
  work: () => Promise<T>,
  signal: AbortSignal | undefined,
): Promise<T> => {
  const startMs = clock.monotonicMs();
  for (;;) {
    try {
      return await work();
    } catch (error) {
      const isOver = clock.monotonicMs() - startMs > startTimeoutMs;
      if (isOver || !hasReason(error, 'ServiceUnavailable')) throw error;
      await clock.sleep(START_POLL_MS, signal);
    }
  }
};

const START_TIMEOUT_MS = 30_000;
const START_POLL_MS = 50;
