import type { Clock } from '../../../lib/clock';
import type { Log } from '../../../lib/log';
import { AlarmRequest_AlarmAction, AlarmType } from '../../../proto/gen/etcd/rpc';
import type { EtcdConnection } from './connection';
import { LEADER_KEY } from './keys';

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

/** Frees space after the quota was reached: compacts, defragments, and lifts the alarm. */
export const reclaimSpace = async (
  { connection, log }: MaintenanceDeps,
  signal?: AbortSignal,
): Promise<void> => {
  const revision = await currentRevision(connection, signal);
  // Nothing to compact is an error to etcd, and no hindrance.
  await compact(connection, revision, signal).catch(() => undefined);
  await connection.call(
    ({ maintenance }) => maintenance.defragment.bind(maintenance),
    {},
    signal,
    DEFRAGMENT_TIMEOUT_MS,
  );
  await liftAlarms(connection, signal);
  log.info({ revision }, 'reclaimed space in etcd');
};

export const compact = async (
  connection: EtcdConnection,
  revision: number,
  signal?: AbortSignal,
): Promise<void> => {
  await connection.call(({ kv }) => kv.compact.bind(kv), { revision, physical: false }, signal);
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
const DEFRAGMENT_TIMEOUT_MS = 120_000;
