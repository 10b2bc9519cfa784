import { spawn } from 'node:child_process';
import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import { pipeline } from 'node:stream';
import { createGunzip } from 'node:zlib';

export type Compression = 'none' | 'gzip' | 'zstd';

/** What the first bytes of a file say; labels lie. */
export const compressionOf = (head: Buffer): Compression => {
  if (head.length >= 2 && head[0] === 0x1f && head[1] === 0x8b) return 'gzip';
  if (head.length >= 4) {
    const magic = head.readUInt32LE(0);
    if (magic === ZSTD_MAGIC || (magic & ~0xf) >>> 0 === ZSTD_SKIPPABLE) return 'zstd';
  }
  return 'none';
};

/** Reads enough of a file for `compressionOf`. */
export const fileCompression = async (path: string): Promise<Compression> => {
  const file = await open(path, 'r');
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(4), 0, 4, 0);
    return compressionOf(buffer.subarray(0, bytesRead));
  } finally {
    await file.close();
  }
};

/**
 * The unpacked bytes of a file in chunks of up to 256 KiB: every gzip member and zstd frame, or an
 * error. A cut file is an error, never a short result.
 */
export async function* decompressed(path: string): AsyncGenerator<Buffer> {
  const compression = await fileCompression(path);
  if (compression === 'zstd') {
    yield* zstdOutput(path);
    return;
  }
  const source = createReadStream(path, { highWaterMark: CHUNK_BYTES });
  if (compression === 'none') {
    yield* source as AsyncIterable<Buffer>;
    return;
  }
  // The default of 16 KiB costs twice the time.
  const gunzip = createGunzip({ chunkSize: CHUNK_BYTES });
  pipeline(source, gunzip, () => undefined);
  yield* gunzip as AsyncIterable<Buffer>;
}

/** Node 20 has no zstd; the program of that name does. */
async function* zstdOutput(path: string): AsyncGenerator<Buffer> {
  const file = await open(path, 'r');
  const child = spawn('zstd', ['-dcq'], { stdio: [file.fd, 'pipe', 'pipe'] });
  const { stdout, stderr: diagnostics } = child;
  if (stdout === null || diagnostics === null) throw new Error('zstd: no pipes');
  const ended = new Promise<string | undefined>((resolve) => {
    let stderr = '';
    diagnostics.on('data', (chunk: Buffer) => {
      if (stderr.length < STDERR_MAX) stderr += chunk.toString();
    });
    child.once('error', (error: NodeJS.ErrnoException) =>
      resolve(error.code === 'ENOENT' ? ZSTD_MISSING : error.message),
    );
    child.once('close', (code) => resolve(code === 0 ? undefined : `zstd: ${stderr.trim()}`));
  });
  try {
    yield* stdout as AsyncIterable<Buffer>;
    const failure = await ended;
    if (failure !== undefined) throw new Error(failure);
  } finally {
    child.kill('SIGKILL');
    await ended;
    await file.close();
  }
}

const CHUNK_BYTES = 256 * 1024;
const ZSTD_MAGIC = 0xfd2fb528;
const ZSTD_SKIPPABLE = 0x184d2a50;
const STDERR_MAX = 2000;
const ZSTD_MISSING =
  'compressed with zstd, and the zstd program is missing: install it (apt-get install zstd)';
