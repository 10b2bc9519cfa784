import { randomBytes } from 'node:crypto';
import { constants, createReadStream, createWriteStream } from 'node:fs';
import { lstat, open, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { components } from '../rootfs/byte-path';
import { decompressed, fileCompression } from '../rootfs/decompress';
import { TarParser } from '../rootfs/tar-parser';
import type { TarEntry } from '../rootfs/tar-header';

/** The named files of an archive or a folder; names are relative, with slashes. */
export interface ArchiveFiles extends AsyncDisposable {
  /** Undefined when there is no such regular file. */
  sizeOf(name: string): Promise<number | undefined>;
  /** The file must exist. */
  open(name: string): AsyncIterable<Buffer>;
}

/** A tar (gzip and zstd too) or a folder. Disposing removes temporary files. */
export const openArchiveFiles = async (path: string): Promise<ArchiveFiles> => {
  const stats = await stat(path);
  if (stats.isDirectory()) return new FolderFiles(path);
  if ((await fileCompression(path)) === 'none') return TarFiles.open(path, undefined);
  // Members are read out of order, which a compressed stream does not allow.
  const temporary = join(tmpdir(), `dhow-archive-${randomBytes(8).toString('hex')}.tar`);
  try {
    const target = createWriteStream(temporary, { flags: 'wx', mode: 0o600 });
    await pipeline(Readable.from(decompressed(path), { objectMode: false }), target);
    return await TarFiles.open(temporary, temporary);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
};

/** The whole file. @throws Error when it is missing or larger than `maxBytes`. */
export const readArchiveFile = async (
  files: ArchiveFiles,
  name: string,
  maxBytes: number,
): Promise<Buffer> => {
  const size = await files.sizeOf(name);
  if (size === undefined) throw new Error(`the archive has no ${name}`);
  if (size > maxBytes) throw new Error(`${name} exceeds ${maxBytes} bytes`);
  const chunks: Buffer[] = [];
  for await (const chunk of files.open(name)) chunks.push(chunk);
  return Buffer.concat(chunks);
};

class FolderFiles implements ArchiveFiles {
  constructor(private readonly root: string) {}

  async sizeOf(name: string): Promise<number | undefined> {
    const stats = await lstat(this.pathOf(name)).catch(() => undefined);
    return stats?.isFile() === true ? stats.size : undefined;
  }

  open(name: string): AsyncIterable<Buffer> {
    const flags = constants.O_RDONLY | constants.O_NOFOLLOW;
    // Node takes numbers here, its types do not say so.
    return createReadStream(this.pathOf(name), {
      flags: flags as unknown as string,
      highWaterMark: CHUNK_BYTES,
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    return Promise.resolve();
  }

  private pathOf(name: string): string {
    return join(this.root, ...components(name));
  }
}

interface Member {
  readonly offset: number;
  readonly sizeBytes: number;
}

class TarFiles implements ArchiveFiles {
  private constructor(
    private readonly path: string,
    private readonly members: ReadonlyMap<string, Member | string>,
    private readonly temporary: string | undefined,
  ) {}

  static async open(path: string, temporary: string | undefined): Promise<TarFiles> {
    return new TarFiles(path, await indexTar(path), temporary);
  }

  async sizeOf(name: string): Promise<number | undefined> {
    return this.find(name)?.sizeBytes;
  }

  async *open(name: string): AsyncGenerator<Buffer> {
    const member = this.find(name);
    if (member === undefined) throw new Error(`the archive has no ${name}`);
    const { offset, sizeBytes } = member;
    if (sizeBytes === 0) return;
    const range = { start: offset, end: offset + sizeBytes - 1, highWaterMark: CHUNK_BYTES };
    let count = 0;
    for await (const chunk of createReadStream(this.path, range) as AsyncIterable<Buffer>) {
      count += chunk.length;
      yield chunk;
    }
    if (count < sizeBytes) throw new Error(`the archive is cut short in ${name}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.temporary !== undefined) await rm(this.temporary, { force: true });
  }

  /** Old archives store a repeated layer as a link to the first. */
  private find(name: string): Member | undefined {
    let current = components(name).join('/');
    for (let links = 0; links < 8; links++) {
      const member = this.members.get(current);
      if (typeof member !== 'string') return member;
      current = member;
    }
    return undefined;
  }
}

/** Where each file is; data is jumped over. */
const indexTar = async (path: string): Promise<ReadonlyMap<string, Member | string>> => {
  const members = new Map<string, Member | string>();
  let found: TarEntry | undefined;
  const parser = new TarParser({
    entry: (entry) => void (found = entry),
    data: () => undefined,
    entryEnd: () => undefined,
  });
  const file = await open(path, 'r');
  try {
    const { size } = await file.stat();
    const block = Buffer.alloc(512);
    for (let offset = 0; offset < size;) {
      const { bytesRead } = await file.read(block, 0, block.length, offset);
      found = undefined;
      parser.push(block.subarray(0, bytesRead));
      offset += bytesRead;
      // The callback sets it; control flow analysis cannot see that.
      const entry = found as TarEntry | undefined;
      if (entry === undefined) continue;
      addMember(members, entry, offset);
      const skipped = parser.skippableBytes;
      parser.skip();
      offset += skipped;
      if (offset > size) throw new Error(`the archive is cut short in ${entry.path}`);
      if (members.size > MEMBERS_MAX) throw new Error('the archive has too many members');
    }
    parser.end();
  } finally {
    await file.close();
  }
  return members;
};

const addMember = (
  members: Map<string, Member | string>,
  { path, type, linkPath, sizeBytes }: TarEntry,
  offset: number,
): void => {
  const name = components(path).join('/');
  if (type === 'file') members.set(name, { offset, sizeBytes });
  if (type === 'hardlink') members.set(name, components(linkPath).join('/'));
  if (type === 'symlink') {
    const target = linkPath.startsWith('/') ? linkPath : `${name}/../${linkPath}`;
    members.set(name, components(target).join('/'));
  }
};

const CHUNK_BYTES = 256 * 1024;
const MEMBERS_MAX = 100_000;
