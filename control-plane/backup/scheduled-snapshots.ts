import { parseSchedule } from '../../api/validation/cron-schedule';
import type { Clock } from '../../lib/clock';
import { describeError, type Log } from '../../lib/log';
import { metric } from '../../lib/metrics-text';
import { timetableOf, type Timetable } from '../controllers/cron-job/next-time';
import { pruneSnapshots, type SavedSnapshot } from './save';

export interface ScheduledSnapshotsDeps {
  /** As a CronJob's, in UTC unless it names a zone. */
  readonly schedule: string;
  readonly save: (signal: AbortSignal) => Promise<SavedSnapshot>;
  readonly folder: string;
  /** How many of those that were made by schedule are kept. */
  readonly retention: number;
  /** Tells people. */
  readonly onFailure: (why: string) => void;
  readonly clock: Clock;
  readonly log: Log;
}

/** In front of the names of those that a schedule made: no others are ever deleted. */
export const SCHEDULED_PREFIX = 'scheduled-';

/** Saves the cluster again and again, and forgets the oldest of what it saved. */
export class ScheduledSnapshots {
  private readonly timetable: Timetable;
  private failureCount = 0;
  private last: { readonly atMs: number; readonly bytes: number } | undefined;

  /** @throws Error when the schedule is none */
  constructor(private readonly deps: ScheduledSnapshotsDeps) {
    const schedule = parseSchedule(deps.schedule);
    const timetable = schedule && timetableOf(schedule, undefined);
    if (timetable === undefined) throw new Error(`"${deps.schedule}" is no schedule`);
    this.timetable = timetable;
  }

  /** Until `signal` aborts. What was due while it did not run is not made up for. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock } = this.deps;
    let dueMs = this.nextAfter(clock.now());
    while (!signal.aborted) {
      const nowMs = clock.now();
      if (nowMs >= dueMs) {
        await this.saveOnce(signal);
        dueMs = this.nextAfter(clock.now());
        continue;
      }
      // The clock may have been set back since.
      dueMs = Math.min(dueMs, this.nextAfter(nowMs));
      await clock.sleep(Math.min(LOOK_EVERY_MS, dueMs - nowMs), signal);
    }
  }

  lines(): readonly string[] {
    const { last } = this;
    const [seconds, bytes] = [(last?.atMs ?? 0) / 1000, last?.bytes ?? 0];
    return [
      ...metric('dhow_snapshot_failures_total', 'counter', 'Scheduled snapshots that failed.', [
        ['', this.failureCount],
      ]),
      ...metric(
        'dhow_snapshot_last_success_timestamp_seconds',
        'gauge',
        'When the last scheduled snapshot was on disk; 0: none yet.',
        [['', seconds]],
      ),
      ...metric('dhow_snapshot_last_bytes', 'gauge', 'Size of the last scheduled snapshot.', [
        ['', bytes],
      ]),
    ];
  }

  private nextAfter(ms: number): number {
    return this.timetable.nextAfter(ms) ?? Infinity;
  }

  private async saveOnce(signal: AbortSignal): Promise<void> {
    const { save, folder, retention: count, clock, log, onFailure } = this.deps;
    try {
      const { path, bytes, header } = await save(signal);
      this.last = { atMs: clock.now(), bytes };
      log.info({ path, bytes, revision: header.revision }, 'snapshot saved');
      const { storeId } = header;
      const deleted = await pruneSnapshots(folder, { prefix: SCHEDULED_PREFIX, storeId, count });
      if (deleted.length > 0) log.debug({ deleted }, 'old snapshots deleted');
    } catch (error) {
      if (signal.aborted) return;
      this.failureCount++;
      log.error({ err: error }, 'no snapshot saved');
      onFailure(describeError(error));
    }
  }
}

const LOOK_EVERY_MS = 60_000;
