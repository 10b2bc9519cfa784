import type { Clock } from '../../../lib/clock';
import type { Log } from '../../../lib/log';
import { AlarmRequest_AlarmAction, AlarmType } from '../../../proto/gen/etcd/rpc';
import type { EtcdConnection } from './connection';
import { LEADER_KEY } from './keys';
import type { LinkClients } from './link';

export interface MaintenanceDeps {
  readonly connection: EtcdConnection;
  readonly clock: Clock;
  readonly log: Log;
}

/** Forgets history older than `HISTORY_MS`, until `signal` aborts. Only the leader runs it. */
export const keepCompacting = async (deps: MaintenanceDeps, signal: AbortSignal): Promise<void> => {
  const marks: { readonly atMs: number; readonly revision: number }[] = [];
  let compactedRevision = 0;
  while (!signal.aborted) {
    try {
      const nowMs = deps.clock.monotonicMs();
      marks.push({ atMs: nowMs, revision: await currentRevision(deps.connection, signal) });
      let due = 0;
      while ((marks[0]?.atMs ?? Infinity) <= nowMs - HISTORY_MS) due = marks.shift()?.revision ?? 0;
      if (due > compactedRevision) await compact(deps.connection, due, signal);
      compactedRevision = Math.max(compactedRevision, due);
    } catch (error) {
      deps.log.debug({ err: error }, 'compaction of etcd failed');
    }
    await deps.clock.sleep(COMPACT_EVERY_MS, signal);
  }
};

/**
 * Makes etcd writable again after it reached its space quota, until `signal` aborts: as soon as
 * something can be freed, be it history or what was deleted since, nobody has to do anything.
 */
export const keepSpace = async (deps: MaintenanceDeps, signal: AbortSignal): Promise<void> => {
  const { connection, clock, log } = deps;
  let triedRevision = 0;
  while (!signal.aborted) {
    const startMs = clock.monotonicMs();
    try {
      if (await isOutOfSpace(connection, signal))
        triedRevision = await reclaimSince(triedRevision, deps, signal);
    } catch (error) {
      log.debug({ err: error }, 'cannot look after the space of etcd');
    }
    const tookMs = clock.monotonicMs() - startMs;
    await clock.sleep(SPACE_CHECK_MS + Math.min(REST_FACTOR * tookMs, REST_MAX_MS), signal);
  }
};

export const isOutOfSpace = async (
  connection: EtcdConnection,
  signal?: AbortSignal,
): Promise<boolean> =>
  (await statusOf(connection, signal)).errors.some((error) => error.includes('NOSPACE'));

/** Tries once for each revision: when nothing was deleted, nothing more can be freed. */
const reclaimSince = async (
  triedRevision: number,
  { connection, log }: MaintenanceDeps,
  signal: AbortSignal,
): Promise<number> => {
  const revision = await currentRevision(connection, signal);
  if (revision === triedRevision) return revision;
  const before = (await statusOf(connection, signal)).dbSize;
  // Nothing to compact is an error to etcd, and no hindrance.
  await compact(connection, revision, signal).catch(() => undefined);
  await defragment(connection, signal);
  const after = (await statusOf(connection, signal)).dbSize;
  if (after <= before * WORTH_SHARE) {
    await liftAlarms(connection, signal);
    const freedBytes = before - after;
    log.warn(
      { before, after, freedBytes },
      'etcd is full: freed some space, it takes writes again',
    );
  } else
    log.warn(
      { before, after },
      'etcd is full of live objects and takes only deletions: delete some, or raise its quota',
    );
  return revision;
};

/** The alarm of a full etcd outlives restarts, even one that raised the quota, until someone lifts it. */
export const freeIfFull = async (
  connection: EtcdConnection,
  signal?: AbortSignal,
): Promise<void> => {
  if (!(await isOutOfSpace(connection, signal))) return;
  await defragment(connection, signal);
  await liftAlarms(connection, signal);
};

/** Gives unused pages of the file back. etcd answers nobody meanwhile. */
const defragment = async (connection: EtcdConnection, signal?: AbortSignal): Promise<void> => {
  const pick = ({ maintenance }: LinkClients) => maintenance.defragment.bind(maintenance);
  await connection.call(pick, {}, signal, DEFRAGMENT_TIMEOUT_MS);
};

const statusOf = (connection: EtcdConnection, signal?: AbortSignal) =>
  connection.call(({ maintenance }) => maintenance.status.bind(maintenance), {}, signal);

export const compact = async (
  connection: EtcdConnection,
  revision: number,
  signal?: AbortSignal,
): Promise<void> => {
  const request = { revision, physical: true };
  await connection.call(({ kv }) => kv.compact.bind(kv), request, signal, COMPACT_TIMEOUT_MS);
};

const liftAlarms = async (connection: EtcdConnection, signal?: AbortSignal): Promise<void> => {
  const request = { action: AlarmRequest_AlarmAction.GET, memberId: 0n, alarm: AlarmType.NONE };
  const alarmCall = (fields: Partial<typeof request>) =>
    connection.call(
      ({ maintenance }) => maintenance.alarm.bind(maintenance),
      { ...request, ...fields },
      signal,
    );
  const { alarms } = await alarmCall({});
  for (const { memberId, alarm } of alarms)
    if (alarm === AlarmType.NOSPACE)
      await alarmCall({ action: AlarmRequest_AlarmAction.DEACTIVATE, memberId, alarm });
};

const currentRevision = async (
  connection: EtcdConnection,
  signal?: AbortSignal,
): Promise<number> => {
  const { header } = await connection.range({ key: LEADER_KEY, keysOnly: true }, signal);
  return header?.revision ?? 0;
};

const HISTORY_MS = 5 * 60_000;
const COMPACT_EVERY_MS = 60_000;
const SPACE_CHECK_MS = 5_000;
/** Defragmenting stops etcd for a while: it should take no more than a tenth of the time. */
const REST_FACTOR = 10;
/** Yet whoever has just deleted what filled it does not wait for minutes. */
const REST_MAX_MS = 20_000;
/** What was freed is worth a try: less would only make etcd refuse the next write. */
const WORTH_SHARE = 0.97;
const COMPACT_TIMEOUT_MS = 60_000;
const DEFRAGMENT_TIMEOUT_MS = 120_000;
