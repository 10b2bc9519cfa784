import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ManualClock } from '../../lib/clock';
import { BlobStore } from './blob-store';

const HOUR_MS = 3_600_000;

let dir: string;
let clock: ManualClock;
let blobs: BlobStore;

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'dhow-blobs-'));
  clock = new ManualClock(Date.UTC(2026, 0, 1));
  blobs = await BlobStore.open(dir, clock);
});
afterEach(async () => {
  await blobs.close();
  await rm(dir, { recursive: true, force: true });
});

it('keeps an upload that is under way when somebody sets the clock', async () => {
  const id = await blobs.startUpload();
  clock.setBy(1000 * HOUR_MS);
  await blobs.startUpload();
  expect(blobs.progressOf(id)).toBe(0);
});

it('gives up an upload that nobody has gone on with for long, wherever the clock was set', async () => {
  const id = await blobs.startUpload();
  clock.setBy(-1000 * HOUR_MS);
  await clock.advance(1000 * HOUR_MS);
  await blobs.startUpload();
  expect(() => blobs.progressOf(id)).toThrow();
});
