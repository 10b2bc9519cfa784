import { createHash, type Hash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import {
  mkdir,
  open,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  statfs,
  type FileHandle,
} from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { syncFolder } from '../../lib/files';

/** Bytes arrived whole and are not what was promised. */
export class DigestMismatchError extends Error {
  override readonly name = 'DigestMismatchError';
}

/**
 * Blobs named by their sha256, in `blobs/sha256/<hex>`. A blob appears under its name only after
 * its size and digest are verified and it is on disk.
 */
export class ContentStore {
  private constructor(
    private readonly blobsDir: string,
    private readonly ingestDir: string,
  ) {}

  static async open(dir: string): Promise<ContentStore> {
    const store = new ContentStore(join(dir, 'blobs/sha256'), join(dir, 'ingest'));
    await mkdir(store.blobsDir, { recursive: true, mode: 0o700 });
    await mkdir(store.ingestDir, { recursive: true, mode: 0o700 });
    return store;
  }

  pathOf(digest: string): string {
    return join(this.blobsDir, hexOf(digest));
  }

  async has(digest: string): Promise<boolean> {
    return (await stat(this.pathOf(digest)).catch(() => undefined))?.isFile() === true;
  }

  /** The content, verified again: disks and people change files. */
  async read(digest: string): Promise<Buffer> {
    const content = await readFile(this.pathOf(digest));
    if (digestOf(content) !== digest) throw new DigestMismatchError(`blob ${digest} is damaged`);
    return content;
  }

  async write(content: Buffer): Promise<string> {
    const digest = digestOf(content);
    if (await this.has(digest)) return digest;
    await using ingestion = await this.ingest(digest, content.length);
    await ingestion.restart();
    await ingestion.write(content);
    await ingestion.commit();
    return digest;
  }

  /** Continues an interrupted ingestion of the same blob, or starts one. One at a time per digest. */
  async ingest(digest: string, sizeBytes: number): Promise<Ingestion> {
    return Ingestion.open(
      join(this.ingestDir, `${hexOf(digest)}.partial`),
      this.pathOf(digest),
      digest,
      sizeBytes,
    );
  }

  /** What blobs may still take. */
  async freeBytes(): Promise<number> {
    const { bavail, bsize } = await statfs(this.blobsDir);
    return bavail * bsize;
  }

  async list(): Promise<readonly string[]> {
    return (await readdir(this.blobsDir)).map((hex) => `sha256:${hex}`);
  }

  /** Returns the bytes freed. */
  async remove(digest: string): Promise<number> {
    const size = (await stat(this.pathOf(digest)).catch(() => undefined))?.size ?? 0;
    await rm(this.pathOf(digest), { force: true });
    return size;
  }

  /** Removes interrupted ingestions that `isWanted` does not claim. Returns the bytes freed. */
  async removePartials(isWanted: (digest: string) => boolean): Promise<number> {
    let freedBytes = 0;
    for (const name of await readdir(this.ingestDir)) {
      if (isWanted(`sha256:${name.replace(/\.partial$/, '')}`)) continue;
      const path = join(this.ingestDir, name);
      freedBytes += (await stat(path).catch(() => undefined))?.size ?? 0;
      await rm(path, { force: true });
    }
    return freedBytes;
  }
}

/** A blob on its way in. The running hash covers exactly the first `offset` bytes of the file. */
export class Ingestion implements AsyncDisposable {
  offset = 0;
  private hash: Hash = createHash('sha256');
  private isOpen = true;

  private constructor(
    private readonly file: FileHandle,
    private readonly temporaryPath: string,
    private readonly finalPath: string,
    readonly digest: string,
    readonly sizeBytes: number,
  ) {}

  static async open(
    temporaryPath: string,
    finalPath: string,
    digest: string,
    sizeBytes: number,
  ): Promise<Ingestion> {
    const file = await open(temporaryPath, 'a+', 0o600);
    const ingestion = new Ingestion(file, temporaryPath, finalPath, digest, sizeBytes);
    try {
      await ingestion.takeExisting();
    } catch (error) {
      await ingestion[Symbol.asyncDispose]();
      throw error;
    }
    return ingestion;
  }

  /** Forgets what was received. */
  async restart(): Promise<void> {
    await this.file.truncate(0);
    this.hash = createHash('sha256');
    this.offset = 0;
  }

  /** Appends. @throws DigestMismatchError when more comes than was promised. */
  async write(chunk: Buffer): Promise<void> {
    if (this.offset + chunk.length > this.sizeBytes) {
      throw new DigestMismatchError(
        `${this.digest}: more than the expected ${this.sizeBytes} bytes`,
      );
    }
    this.hash.update(chunk);
    this.offset += chunk.length;
    await this.file.writeFile(chunk);
  }

  /** Verifies and publishes. On a mismatch the bytes are dropped. @throws DigestMismatchError */
  async commit(): Promise<void> {
    const actual = `sha256:${this.hash.copy().digest('hex')}`;
    if (this.offset !== this.sizeBytes || actual !== this.digest) {
      const got = `${actual}, ${this.offset} bytes`;
      await this.restart();
      throw new DigestMismatchError(
        `digest mismatch: expected ${this.digest}, ${this.sizeBytes} bytes; got ${got}`,
      );
    }
    await this.file.sync();
    await rename(this.temporaryPath, this.finalPath);
    await syncFolder(dirname(this.finalPath));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.isOpen) return;
    this.isOpen = false;
    await this.file.close();
    // There is nothing to go on with.
    if (this.offset === 0) await rm(this.temporaryPath, { force: true });
  }

  private async takeExisting(): Promise<void> {
    const { size } = await this.file.stat();
    if (size > this.sizeBytes) await this.restart();
    if (this.offset === 0 && size > 0 && size <= this.sizeBytes) {
      const source = createReadStream(this.temporaryPath, { highWaterMark: 256 * 1024 });
      for await (const chunk of source as AsyncIterable<Buffer>) {
        this.hash.update(chunk);
        this.offset += chunk.length;
      }
    }
  }
}

export const digestOf = (content: Buffer): string =>
  `sha256:${createHash('sha256').update(content).digest('hex')}`;

export const hexOf = (digest: string): string => digest.slice('sha256:'.length);
