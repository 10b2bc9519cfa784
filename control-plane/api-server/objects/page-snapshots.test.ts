import { ManualClock } from '../../../lib/clock';
import type { Item } from './item';
import { PageSnapshots } from './page-snapshots';

const MB = 1024 * 1024;

const snapshot = (resourceVersion: number, bytes: number) => ({
  resourceVersion,
  items: [{ raw: new Uint8Array(bytes) } as unknown as Item],
});

const versionsKept = (snapshots: PageSnapshots, upTo: number) =>
  Array.from({ length: upTo }, (_none, i) => i + 1).filter(
    (version) => snapshots.find('pods', version) !== undefined,
  );

it('keeps no more bytes than it may, the newest used staying', () => {
  const snapshots = new PageSnapshots(new ManualClock(), 48 * MB);
  for (let version = 1; version <= 6; version++) snapshots.keep('pods', snapshot(version, 10 * MB));
  expect(versionsKept(snapshots, 6)).toEqual([3, 4, 5, 6]);
  // A page was read: it is the newest now, and counted once.
  snapshots.keep('pods', snapshot(3, 10 * MB));
  snapshots.keep('pods', snapshot(7, 10 * MB));
  expect(versionsKept(snapshots, 7)).toEqual([3, 5, 6, 7]);
});

it('keeps one that is larger than all may be together', () => {
  const snapshots = new PageSnapshots(new ManualClock(), 48 * MB);
  snapshots.keep('pods', snapshot(1, 100 * MB));
  expect(versionsKept(snapshots, 1)).toEqual([1]);
  snapshots.keep('pods', snapshot(2, 1));
  expect(versionsKept(snapshots, 2)).toEqual([2]);
});

it('forgets what nobody asks for any more', async () => {
  const clock = new ManualClock();
  const snapshots = new PageSnapshots(clock, MB);
  snapshots.keep('pods', snapshot(1, 1));
  await clock.advance(5 * 60_000 + 1);
  expect(versionsKept(snapshots, 1)).toEqual([]);
});
