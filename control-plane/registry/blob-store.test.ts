import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ManualClock } from '../../lib/clock';
import { createHash } from 'node:crypto';
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

const digestOf = (content: string): string =>
  `sha256:${createHash('sha256').update(content).digest('hex')}`;

/** Chunks that come when they are told to. */
const slowly = () => {
  let send: (chunk: string) => void = () => undefined;
  const next = new Promise<string>((resolve) => (send = resolve));
  async function* chunks() {
    yield Buffer.from(await next);
  }
  return { chunks: chunks(), send: (chunk: string) => send(chunk) };
};

it('makes no blob of an upload that another request still writes', async () => {
  const id = await blobs.startUpload();
  const { chunks, send } = slowly();
  const appended = blobs.append(id, chunks);
  await expect(blobs.finish(id, digestOf(''))).rejects.toMatchObject({ status: 416 });
  send('abc');
  await appended;
  await blobs.finish(id, digestOf('abc'));
  expect(await blobs.sizeOf(digestOf('abc'))).toBe(3);
  expect(await blobs.sizeOf(digestOf(''))).toBeUndefined();
});

it('tells who still writes to an upload that it was cancelled', async () => {
  const id = await blobs.startUpload();
  const { chunks, send } = slowly();
  const appended = blobs.append(id, chunks);
  await blobs.cancel(id);
  send('abc');
  await expect(appended).rejects.toMatchObject({ code: 'BLOB_UPLOAD_UNKNOWN' });
});
