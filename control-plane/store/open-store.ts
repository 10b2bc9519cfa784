import { randomUUID } from 'node:crypto';
import type { ChannelCredentials } from '@grpc/grpc-js';
import { hasReason } from '../../api/errors';
import { onAbort } from '../../lib/async/on-abort';
import { linkedController } from '../../lib/async/linked-controller';
import { TaskGroup } from '../../lib/async/task-group';
import type { Clock } from '../../lib/clock';
import type { Log } from '../../lib/log';
import { detectBehaviour, type EtcdBehaviour } from './etcd/behaviour';
import { EtcdConnection } from './etcd/connection';
import { Envelopes } from './etcd/envelope';
import { EtcdStore } from './etcd/etcd-store';
import { Leadership, type Leading } from './etcd/leadership';
import type { Candidate } from './etcd/leader-key';
import { freeIfFull, keepCompacting, keepSpace } from './etcd/maintenance';
import { checkKeys } from './etcd/lost-keys';
import { Reencryption, type ReencryptionDeps } from './etcd/reencryption';
import { ServerRegistry } from './etcd/server-registry';
import { StoreRecord } from './etcd/store-record';
import { checkSchema, claimSchema } from './etcd/store-schema';
import { superviseEtcd, type SupervisedEtcd } from './etcd/supervise-etcd';
import { ENCRYPTED_RESOURCE, type ValueCipher } from './encryption/value-cipher';
import type { Store, Term } from './store';

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
  /** Of this server, from one start to the next. Default: made up. */
  readonly identity?: string;
  /** How long a leader that etcd does not hear from stays it. Default 6 s, and 60 s in an etcd of our own. */
  readonly leaseSeconds?: number;
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
  /** Which of the servers leads: it campaigns by itself, and looks after etcd while it does. */
  readonly leading: Leading;
  /** The servers that share the etcd; this one is among them once it has announced itself. */
  readonly servers: ServerRegistry;
  /**
   * Aborts when etcd holds another history than before, or work of the leader does not end with its
   * term: this server can go on no more and has to exit. Its reason is an Error for the operator.
   */
  readonly lost: AbortSignal;
  /** There if there is a cipher. */
  readonly reencryption: Reencryption | undefined;
  /** Of an etcd of our own. */
  readonly etcdPid: number | undefined;
}

/**
 * Connects to etcd, or starts one, and campaigns for the lead among the servers that share it. As
 * `signal` aborts the lead is given up. Dispose after the caches and everything else that reads.
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
  // Before anybody reads: etcd answers nobody meanwhile. One that others run is looked after by the leader.
  if (etcd !== undefined) await whenUp(options, () => freeIfFull(connection, signal), signal);
  await whenUp(options, async () => record?.claim(signal), signal);
  const { release = '' } = options;
  await whenUp(options, () => claimSchema(connection, release, signal), signal);
  const lost = new AbortController();
  onAbort(connection.replaced, () => {
    log.error({ err: connection.replaced.reason }, 'etcd was replaced: this server stops');
    lost.abort(connection.replaced.reason);
  });
  const candidate = { identity: options.identity ?? randomUUID(), instance: randomUUID() };
  const shared = { ...options, connection, candidate, isSole: etcd !== undefined };
  const leading = leadershipIn(shared, lost);
  const servers = registryIn(shared);
  const trustsProgress = behaviour.freshness === 'progress';
  const envelopes = new Envelopes(options.cipher);
  const deps = { connection, envelopes, clock, log };
  const onFenced = (term: Term) => leading.noteFenced(term);
  const store = new EtcdStore({ ...deps, trustsProgress, onFenced });
  const reencryption = await whenUp(
    options,
    () => encrypting(options, { ...deps, store }, signal),
    signal,
  );
  const tasks = new TaskGroup();
  tasks.run(async (taskSignal) => {
    using either = linkedController(taskSignal, ...(signal === undefined ? [] : [signal]));
    await Promise.all([leading.run(either.signal), servers.run(either.signal)]);
  });
  const leadersWork = (work: (signal: AbortSignal) => Promise<void>) =>
    tasks.run((taskSignal) => leading.during(work, taskSignal));
  for (const task of [keepCompacting, keepSpace])
    leadersWork((each) => task({ connection, clock, log }, each));
  if (reencryption !== undefined) leadersWork((each) => reencryption.run(each));
  if (record !== undefined) tasks.run((taskSignal) => record.keep(taskSignal));
  return {
    store,
    behaviour,
    leading,
    servers,
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

interface OfThisServer extends Pick<OpenStoreOptions, 'clock' | 'log'> {
  readonly leaseSeconds?: number;
  readonly connection: EtcdConnection;
  readonly candidate: Candidate;
  /** The etcd is its own. */
  readonly isSole: boolean;
}

const leadershipIn = (
  { candidate, leaseSeconds, connection, isSole, clock, log }: OfThisServer,
  lost: AbortController,
): Leadership =>
  new Leadership({
    ...{ connection, candidate, isSole, clock, log },
    leaseSeconds: leaseSeconds ?? (isSole ? SOLE_LEASE_SECONDS : LEASE_SECONDS),
    onStuck: () =>
      lost.abort(new Error("the leader's work does not end: this server must restart")),
  });

const registryIn = ({
  candidate: { identity, instance },
  leaseSeconds,
  connection,
  isSole,
  clock,
  log,
}: OfThisServer): ServerRegistry =>
  new ServerRegistry({
    ...{ connection, id: identity, instance, clock, log },
    leaseSeconds: leaseSeconds ?? (isSole ? SOLE_LEASE_SECONDS : LEASE_SECONDS),
  });

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

const LEASE_SECONDS = 6;
/** Nobody waits for it: a slow disk must not end a term. */
const SOLE_LEASE_SECONDS = 60;
const START_TIMEOUT_MS = 30_000;
const START_POLL_MS = 50;
