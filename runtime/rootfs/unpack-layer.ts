import { createHash } from 'node:crypto';
import { chmodSync, closeSync, mkdirSync, openSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { decompressed } from './decompress';
import { DiskLayerFs } from './layer-fs';
import { LayerError } from './layer-tree';
import { DEFAULT_LAYER_LIMITS, LayerWriter, type LayerLimits } from './layer-writer';
import { libc } from './libc';
import { TarParser } from './tar-parser';
import { toBytes } from './byte-path';

/** One layer to unpack. Plain data: it crosses to a worker thread. */
export interface UnpackJob {
  readonly blobPath: string;
  /** Digest of the blob, for messages. */
  readonly digest: string;
  /** `sha256:...` of the unpacked tar; checked. */
  readonly diffId: string;
  /** Made by the job; must not exist. The caller removes it after a failure. */
  readonly targetDir: string;
  /** Unpacked layers below, topmost first. */
  readonly lowerDirs: readonly string[];
  readonly limits?: LayerLimits;
}

export interface UnpackResult {
  /** Nothing below this layer shows. */
  readonly isRootOpaque: boolean;
  readonly unpackedBytes: number;
  /** What was left out of the layer on purpose; the first few. */
  readonly notes: readonly string[];
}

/**
 * Unpacks one layer into a fresh folder, verifies its diffID and flushes it to disk. Blocks the
 * thread between chunks: run it in a worker. @throws LayerError naming the layer.
 */
export const unpackLayer = async (
  job: UnpackJob,
  isCancelled: () => boolean,
): Promise<UnpackResult> => {
  try {
    return await unpack(job, isCancelled);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new LayerError(`layer ${job.digest}: ${why}`, { cause: error });
  }
};

const unpack = async (job: UnpackJob, isCancelled: () => boolean): Promise<UnpackResult> => {
  const notes: string[] = [];
  const note = (message: string): void => {
    if (notes.length < NOTES_MAX) notes.push(message);
  };
  const { size: blobBytes } = await stat(job.blobPath);
  const ratioBytesMax = Math.max(RATIO_FREE_BYTES, blobBytes * RATIO_MAX);
  mkdirSync(job.targetDir, { mode: 0o755 });
  // The process's umask must not decide what containers see as their root.
  chmodSync(job.targetDir, 0o755);
  const fs = new DiskLayerFs(toBytes(job.targetDir), note);
  const lowerDirs = job.lowerDirs.map(toBytes);
  const writer = new LayerWriter(fs, lowerDirs, job.limits ?? DEFAULT_LAYER_LIMITS, note);
  const parser = new TarParser(writer);
  const hash = createHash('sha256');
  let unpackedBytes = 0;
  try {
    for await (const chunk of decompressed(job.blobPath)) {
      if (isCancelled()) throw new Error('cancelled');
      unpackedBytes += chunk.length;
      if (unpackedBytes > ratioBytesMax)
        throw new Error(`unpacks to over ${RATIO_MAX} times its size`);
      hash.update(chunk);
      parser.push(chunk);
    }
    parser.end();
    writer.finish();
  } finally {
    fs.close();
  }
  const diffId = `sha256:${hash.digest('hex')}`;
  if (diffId !== job.diffId) throw new Error(`unpacks to ${diffId}, expected ${job.diffId}`);
  flush(job.targetDir);
  return { isRootOpaque: writer.isRootOpaque, unpackedBytes, notes };
};

/** A snapshot that is visible under its name is whole, also after a power cut. */
const flush = (dir: string): void => {
  const fd = openSync(dir, 'r');
  try {
    libc().syncfs(fd);
  } finally {
    closeSync(fd);
  }
};

const NOTES_MAX = 20;
/** gzip cannot exceed 1032; what does is a bomb. Small layers of zeros are common, so they are free. */
const RATIO_MAX = 500;
const RATIO_FREE_BYTES = 1024 ** 3;
