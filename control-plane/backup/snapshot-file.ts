import { createReadStream } from 'node:fs';
import { open, rename, rm, type FileHandle } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createGunzip, createGzip } from 'node:zlib';
import { z } from 'zod';
import { syncFolder } from '../../lib/files';
import { parseJson, stringifyJson } from '../../lib/json';
import { keyOf, newSeal, opened, SEAL, sealed } from './seal';

/** What may be known of a snapshot without its passphrase. */
export type SnapshotHeader = z.output<typeof HEADER>;

const HEADER = z.object({
  /** A later one that older programs cannot read has a greater number. */
  format: z.literal(1, 'has to be 1: a newer release made it, restore it with that'),
  createdAt: z.iso.datetime(),
  clusterName: z.string().max(256),
  /** What the store calls itself. */
  storeId: z.string().max(128),
  /** Of etcd, as it began: the snapshot is at this one or a later one. */
  revision: z.number().int().min(1),
  dhowVersion: z.string().max(128),
  etcdVersion: z.string().max(128),
  seal: SEAL,
});

/** A file beside the store, by its path in the data folder of the server. */
export interface KeptFile {
  readonly path: string;
  readonly content: Buffer;
}

export interface SnapshotContent {
  readonly header: Omit<SnapshotHeader, 'format' | 'seal'>;
  readonly files: readonly KeptFile[];
  /** A file of etcd's storage. */
  readonly store: AsyncIterable<Uint8Array>;
}

/**
 * Writes all that a cluster is made of into one file, 0600, which is there under its name only when it is
 * whole and on disk. Without a passphrase it is not sealed: who reads it has the cluster.
 */
export const writeSnapshot = async (
  path: string,
  { header: given, files, store }: SnapshotContent,
  passphrase: string | undefined,
): Promise<{ readonly bytes: number }> => {
  const seal = newSeal(passphrase);
  const header = headerBytes({ format: 1, ...given, seal });
  const key = await keyOf(seal, passphrase);
  const temporary = join(dirname(path), `.${basename(path)}.unfinished`);
  await rm(temporary, { force: true });
  try {
    const file = await open(temporary, 'wx', 0o600);
    let bytes = 0;
    try {
      await file.writeFile(header);
      await pipeline(bodyOf(files, store), createGzip({ level: 1 }), async (packed) => {
        for await (const piece of sealed(packed as AsyncIterable<Buffer>, key, header))
          await file.writeFile(piece);
      });
      await file.sync();
      bytes = (await file.stat()).size;
    } finally {
      await file.close();
    }
    await rename(temporary, path);
    await syncFolder(dirname(path));
    return { bytes };
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
};

/** @throws Error that says what the file is in place of a snapshot */
export const readHeader = async (path: string): Promise<SnapshotHeader> =>
  (await readHeaderBytes(path)).header;

export interface SnapshotReader {
  onFile(file: KeptFile): Promise<void>;
  onStore(piece: Buffer): Promise<void>;
}

/**
 * Reads a snapshot whole, its files before its store. What came before an error is to be thrown away.
 * @throws SealError when the passphrase is another or the file was changed
 */
export const readSnapshot = async (
  path: string,
  passphrase: string | undefined,
  reader: SnapshotReader,
): Promise<SnapshotHeader> => {
  const { header, bytes } = await readHeaderBytes(path);
  const key = await keyOf(header.seal, passphrase);
  const body = createReadStream(path, { start: bytes.length });
  await pipeline(opened(body, key, bytes), createGunzip(), async (unpacked) => {
    await readBody(unpacked as AsyncIterable<Buffer>, reader);
  });
  return header;
};

const headerBytes = (header: SnapshotHeader): Buffer =>
  Buffer.from(`${MAGIC}\n${stringifyJson(header)}\n`);

const readHeaderBytes = async (path: string) => {
  const file = await open(path, 'r');
  const start = await readStart(file).finally(() => file.close());
  if (!start.subarray(0, MAGIC.length).equals(Buffer.from(MAGIC))) throw notASnapshot(path, start);
  const from = MAGIC.length + 1;
  const end = start.indexOf('\n', from);
  const parsed = HEADER.safeParse(end < 0 ? undefined : parsedOf(start.subarray(from, end)));
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    throw new Error(`${path}: its header: ${issue?.path.join('.') ?? ''} ${issue?.message ?? ''}`);
  }
  return { header: parsed.data, bytes: start.subarray(0, end + 1) };
};

const parsedOf = (bytes: Buffer): unknown => {
  try {
    return parseJson(bytes);
  } catch {
    return undefined;
  }
};

const readStart = async (file: FileHandle): Promise<Buffer> => {
  const bytes = Buffer.alloc(HEADER_BYTES_MAX);
  const { bytesRead } = await file.read(bytes, 0, bytes.length, 0);
  return bytes.subarray(0, bytesRead);
};

const notASnapshot = (path: string, start: Buffer): Error =>
  new Error(
    start.length > 20 && start.readUInt32LE(16) === BOLT_MAGIC
      ? `${path} is a snapshot of etcd alone: without the keys of its server nothing can be restored from it`
      : `${path} is no snapshot of Dhow`,
  );

/** A line that names the files, the files, and then the store up to the end. */
async function* bodyOf(
  files: readonly KeptFile[],
  store: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  const index = files.map(({ path, content }) => ({ path, bytes: content.length }));
  yield Buffer.from(`${stringifyJson({ files: index })}\n`);
  for (const { content } of files) yield content;
  yield* store;
}

const readBody = async (body: AsyncIterable<Buffer>, reader: SnapshotReader): Promise<void> => {
  let held: Buffer = Buffer.alloc(0);
  let index: Index | undefined;
  let done = 0;
  for await (const piece of body) {
    held = held.length === 0 ? piece : Buffer.concat([held, piece]);
    if (index === undefined) {
      const end = held.indexOf('\n');
      if (end < 0 && held.length < INDEX_BYTES_MAX) continue;
      index = INDEX.parse(parsedOf(held.subarray(0, Math.max(0, end))));
      held = held.subarray(end + 1);
    }
    for (let next = index.files[done]; next !== undefined; next = index.files[done]) {
      if (held.length < next.bytes) break;
      await reader.onFile({ path: next.path, content: held.subarray(0, next.bytes) });
      held = held.subarray(next.bytes);
      done++;
    }
    if (done < index.files.length || held.length === 0) continue;
    await reader.onStore(held);
    held = Buffer.alloc(0);
  }
  if (index === undefined || done < index.files.length) throw new Error('the snapshot has no end');
};

type Index = z.output<typeof INDEX>;

const HEADER_BYTES_MAX = 16 * 1024;
const INDEX_BYTES_MAX = 64 * 1024;
const FILE_BYTES_MAX = 4 * 1024 * 1024;
const INDEX = z.object({
  files: z
    .array(
      z.object({
        // Never out of the folder that it is for.
        path: z.string().regex(/^(?:[A-Za-z0-9][A-Za-z0-9_.-]*\/)?[A-Za-z0-9][A-Za-z0-9_.-]*$/),
        bytes: z.number().int().min(0).max(FILE_BYTES_MAX),
      }),
    )
    .max(64),
});
const MAGIC = 'dhow-snapshot';
const BOLT_MAGIC = 0xed0cdaed;
