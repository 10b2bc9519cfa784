import { createHash, randomUUID, type Hash } from 'node:crypto';
import { createReadStream, type ReadStream } from 'node:fs';
import { mkdir, open, readdir, rename, rm, stat, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { badDigest, RegistryError, unknownUpload } from './errors';
import type { Clock } from '../../lib/clock';
import { syncFolder } from '../../lib/files';

interface Upload {
  readonly file: FileHandle;
  readonly hash: Hash;
  sizeBytes: number;
  isBusy: boolean;
  /** Monotonic. */
  usedAtMs: number;
}

/**
 * Content by its SHA-256, and uploads on their way in. A blob appears whole or not at all: it is
 * written aside, checked, synced, then renamed.
 */
export class BlobStore {
  private readonly uploads = new Map<string, Upload>();

  private constructor(
    private readonly blobDir: string,
    private readonly uploadDir: string,
    private readonly clock: Clock,
  ) {}

  /** Uploads do not outlive the server: what an earlier one left is removed. */
  static async open(dir: string, clock: Clock): Promise<BlobStore> {
    const [blobs, uploads] = [join(dir, 'blobs', 'sha256'), join(dir, 'uploads')];
    await rm(uploads, { recursive: true, force: true });
    for (const folder of [blobs, uploads]) await mkdir(folder, { recursive: true, mode: 0o700 });
    return new BlobStore(blobs, uploads, clock);
  }

  /** Undefined when it is not here. `digest` has been checked. */
  async sizeOf(digest: string): Promise<number | undefined> {
    try {
      return (await stat(this.pathOf(digest))).size;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw error;
    }
  }

  read(digest: string, start = 0, end?: number): ReadStream {
    return createReadStream(this.pathOf(digest), { start, ...(end === undefined ? {} : { end }) });
  }

  async startUpload(): Promise<string> {
    await this.expire();
    if (this.uploads.size >= MAX_UPLOADS) {
      throw new RegistryError(429, 'TOOMANYREQUESTS', 'too many uploads are under way');
    }
    const id = randomUUID();
    const file = await open(join(this.uploadDir, id), 'wx', 0o600);
    this.uploads.set(id, {
      file,
      hash: createHash('sha256'),
      sizeBytes: 0,
      isBusy: false,
      usedAtMs: this.clock.monotonicMs(),
    });
    return id;
  }

  /** How much of an upload has arrived. @throws RegistryError BLOB_UPLOAD_UNKNOWN */
  progressOf(id: string): number {
    return this.find(id).sizeBytes;
  }

  /** Appends; `start`, when given, must be where the upload stands. Returns the new size. */
  async append(id: string, chunks: AsyncIterable<Buffer>, start?: number): Promise<number> {
    const upload = this.find(id);
    if (start !== undefined && start !== upload.sizeBytes) throw standsAt(upload);
    refuseBusy(upload);
    upload.isBusy = true;
    try {
      for await (const chunk of chunks) {
        if (upload.sizeBytes + chunk.length > MAX_BLOB_BYTES) {
          throw new RegistryError(
            413,
            'SIZE_INVALID',
            `a blob has at most ${MAX_BLOB_BYTES} bytes`,
          );
        }
        // Cancelled meanwhile.
        if (this.uploads.get(id) !== upload) throw unknownUpload();
        await upload.file.writeFile(chunk);
        upload.hash.update(chunk);
        upload.sizeBytes += chunk.length;
        upload.usedAtMs = this.clock.monotonicMs();
      }
    } catch (error) {
      // What arrived of a cut request is not known for sure: the client starts again.
      await this.cancel(id);
      throw error;
    }
    upload.isBusy = false;
    return upload.sizeBytes;
  }

  /** Makes the upload a blob. @throws RegistryError DIGEST_INVALID; the upload is then gone. */
  async finish(id: string, digest: string): Promise<void> {
    const upload = this.find(id);
    // What another request still writes would come under the digest of what was there before it.
    refuseBusy(upload);
    const { file, hash } = upload;
    const found = `sha256:${hash.digest('hex')}`;
    if (found !== digest) {
      await this.cancel(id);
      throw badDigest(digest, found);
    }
    this.uploads.delete(id);
    await file.sync();
    await file.close();
    await rename(join(this.uploadDir, id), this.pathOf(digest));
    await syncFolder(this.blobDir);
  }

  /** What is being written ends with an error. */
  async cancel(id: string): Promise<void> {
    const upload = this.uploads.get(id);
    this.uploads.delete(id);
    await upload?.file.close();
    await rm(join(this.uploadDir, id), { force: true });
  }

  /** Stores a small blob at once. */
  async put(digest: string, content: Uint8Array): Promise<void> {
    const id = await this.startUpload();
    await this.append(id, single(Buffer.from(content)));
    await this.finish(id, digest);
  }

  /** Deletes what is not in `used` and older than `minAgeMs`: a push may still refer to the young. */
  async sweep(used: ReadonlySet<string>, minAgeMs: number, nowMs: number): Promise<void> {
    for (const name of await readdir(this.blobDir)) {
      const path = join(this.blobDir, name);
      if (used.has(`sha256:${name}`)) continue;
      if (nowMs - (await stat(path)).mtimeMs > minAgeMs) await rm(path, { force: true });
    }
  }

  async close(): Promise<void> {
    for (const id of [...this.uploads.keys()]) await this.cancel(id);
  }

  /** Pushers that went away must not keep others out. */
  private async expire(): Promise<void> {
    const beforeMs = this.clock.monotonicMs() - UPLOAD_IDLE_MAX_MS;
    for (const [id, { isBusy, usedAtMs }] of this.uploads) {
      if (!isBusy && usedAtMs < beforeMs) await this.cancel(id);
    }
  }

  private find(id: string): Upload {
    const upload = this.uploads.get(id);
    if (upload === undefined) throw unknownUpload();
    return upload;
  }

  private pathOf(digest: string): string {
    return join(this.blobDir, digest.slice('sha256:'.length));
  }
}

const refuseBusy = (upload: Upload): void => {
  if (upload.isBusy) throw standsAt(upload);
};

const standsAt = ({ sizeBytes }: Upload): RegistryError =>
  new RegistryError(416, 'BLOB_UPLOAD_INVALID', `the upload stands at ${sizeBytes}`);

async function* single(chunk: Buffer): AsyncGenerator<Buffer> {
  yield await Promise.resolve(chunk);
}

const MAX_UPLOADS = 64;
const UPLOAD_IDLE_MAX_MS = 10 * 60_000;
const MAX_BLOB_BYTES = 16 * 2 ** 30;
