import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { rfc3339, ManualClock } from '../../lib/clock';
import { silentLog } from '../../lib/log';
import type { SavedSnapshot } from './save';
import { SCHEDULED_PREFIX, ScheduledSnapshots } from './scheduled-snapshots';
import { writeSnapshot } from './snapshot-file';

async function* store(): AsyncGenerator<Uint8Array> {
  yield Buffer.from('store');
}

class WatchedClock extends ManualClock {
  isAsleep = false;

  override async sleep(ms: number, signal?: AbortSignal): Promise<void> {
    this.isAsleep = true;
    await super.sleep(ms, signal);
    this.isAsleep = false;
  }
}

let folder: string;
let clock: WatchedClock;
let failures: string[];
let fault: Error | undefined;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'dhow-scheduled-'));
  clock = new WatchedClock(Date.UTC(2026, 5, 1));
  failures = [];
  fault = undefined;
});
afterEach(() => rm(folder, { recursive: true, force: true }));

/** A real file of a cluster, without a server. */
const write = async (name: string, storeId: string): Promise<SavedSnapshot> => {
  const header = {
    ...{ createdAt: rfc3339(clock.now()), clusterName: 'test', storeId, revision: 1 },
    ...{ dhowVersion: '1', etcdVersion: '3' },
  };
  const path = join(folder, name);
  const { bytes } = await writeSnapshot(path, { header, files: [], store: store() }, undefined);
  return { path, bytes, header };
};

const scheduled = () => {
  const snapshots = new ScheduledSnapshots({
    ...{ schedule: '0 * * * *', folder, retention: 2, clock, log: silentLog },
    save: async () => {
      if (fault !== undefined) throw fault;
      return write(`${SCHEDULED_PREFIX}${clock.now()}`, 'mine');
    },
    onFailure: (why) => failures.push(why),
  });
  const stop = new AbortController();
  const running = snapshots.run(stop.signal);
  const stopped = async () => {
    stop.abort();
    await running;
  };
  return { snapshots, [Symbol.asyncDispose]: stopped };
};

const valueOf = (snapshots: ScheduledSnapshots, name: string): number =>
  Number(
    snapshots
      .lines()
      .find((line) => line.startsWith(`${name} `))
      ?.split(' ')[1],
  );

/** Lets an hour pass, and waits until what it brought is done. */
const passHour = async (snapshots: ScheduledSnapshots): Promise<void> => {
  const done = () =>
    valueOf(snapshots, 'dhow_snapshot_failures_total') +
    valueOf(snapshots, 'dhow_snapshot_last_success_timestamp_seconds');
  const before = done();
  await clock.advance(3_600_000);
  while (done() === before || !clock.isAsleep) await readdir(folder);
};

it('saves by its schedule, and forgets the oldest of its own alone', async () => {
  await writeFile(join(folder, `${SCHEDULED_PREFIX}notes`), 'by hand');
  await write(`${SCHEDULED_PREFIX}of-another`, 'another');
  await write('by-hand', 'mine');
  await using running = scheduled();
  for (let i = 0; i < 4; i++) await passHour(running.snapshots);
  const kept = [3, 4].map((hour) => `${SCHEDULED_PREFIX}${Date.UTC(2026, 5, 1, hour)}`);
  const others = ['by-hand', `${SCHEDULED_PREFIX}notes`, `${SCHEDULED_PREFIX}of-another`];
  expect((await readdir(folder)).sort()).toEqual([...kept, ...others].sort());
  const last = valueOf(running.snapshots, 'dhow_snapshot_last_success_timestamp_seconds');
  expect(last).toBe(Date.UTC(2026, 5, 1, 4) / 1000);
});

it('tells of one that fails, counts it, and saves the next', async () => {
  await using running = scheduled();
  fault = new Error('the disk is full');
  await passHour(running.snapshots);
  expect(failures).toEqual(['the disk is full']);
  expect(valueOf(running.snapshots, 'dhow_snapshot_failures_total')).toBe(1);
  fault = undefined;
  await passHour(running.snapshots);
  expect(valueOf(running.snapshots, 'dhow_snapshot_last_bytes')).toBeGreaterThan(0);
});

it('refuses a schedule that is none', () => {
  const deps = { folder, retention: 1, clock, log: silentLog, onFailure: () => undefined };
  const save = () => write('never', 'mine');
  expect(() => new ScheduledSnapshots({ ...deps, save, schedule: 'daily' })).toThrow('no schedule');
});
