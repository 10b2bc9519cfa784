import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { lstatSync, readdirSync, readFileSync } from 'node:fs';
import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

import { DiskLayerFs } from '../../runtime/rootfs/layer-fs';
import { libc } from '../../runtime/rootfs/libc';
import { buildTar } from '../../runtime/rootfs/tar-builder';
import { unpackLayer } from '../../runtime/rootfs/unpack-layer';

const run = promisify(execFile);
const digestOf = (content: Buffer): string =>
  `sha256:${createHash('sha256').update(content).digest('hex')}`;

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'dhow-unpack-'));
});
afterEach(() => rm(dir, { recursive: true, force: true }));

const tar = buildTar({ path: 'a', content: 'a'.repeat(2000) }, { path: 'z', content: 'z' });

/** What a blob that should hold `tar` unpacks to. */
const unpack = async (blob: Buffer): Promise<string[]> => {
  const blobPath = join(dir, 'blob');
  const targetDir = await mkdtemp(join(dir, 'target-'));
  await writeFile(blobPath, blob);
  const digests = { digest: digestOf(blob), diffId: digestOf(tar) };
  const job = { ...digests, blobPath, targetDir: join(targetDir, 'fs'), lowerDirs: [] };
  await unpackLayer(job, () => false);
  return readdirSync(job.targetDir).sort();
};

describe('a layer of zstd frames', () => {
  const frame = async (content: Buffer): Promise<Buffer> => {
    const path = join(dir, 'frame');
    await writeFile(path, content);
    await run('zstd', ['-qf', path]);
    return readFile(`${path}.zst`);
  };
  /** Magic number, length, and four bytes to pass over. */
  const skippable = Buffer.from([0x50, 0x2a, 0x4d, 0x18, 4, 0, 0, 0, 1, 2, 3, 4]);
  const frames = async () => [await frame(tar.subarray(0, 900)), await frame(tar.subarray(900))];

  it('is read to its end, past frames that hold nothing', async () => {
    const [head, tail] = await frames();
    for (const blob of [
      [head!, tail!],
      [head!, skippable, tail!],
      [skippable, head!, tail!, skippable],
    ])
      expect(await unpack(Buffer.concat(blob))).toEqual(['a', 'z']);
  });

  it('is refused by its digest when a part is missing', async () => {
    const [head, tail] = await frames();
    for (const blob of [head!, tail!, Buffer.concat([head!, skippable, tail!]).subarray(0, -5)])
      await expect(unpack(blob)).rejects.toThrow(digestOf(blob));
  });
});

it('gives a hard link that must be a copy all that its target has', async () => {
  const elsewhere = await mkdtemp('/dev/shm/dhow-unpack-');
  try {
    const target = join(dir, 'target');
    await writeFile(target, 'text');
    await chmod(target, 0o4711);
    libc().setXattr(target, 'user.note', Buffer.from('n'));
    new DiskLayerFs(elsewhere, () => undefined).linkFromLower('copy', target);
    const copy = join(elsewhere, 'copy');
    expect(readFileSync(copy, 'utf8')).toBe('text');
    expect(lstatSync(copy).mode & 0o7777).toBe(0o4711);
    expect(libc().getXattr(copy, 'user.note')?.toString()).toBe('n');
  } finally {
    await rm(elsewhere, { recursive: true });
  }
});
