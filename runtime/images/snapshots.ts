import { createHash, randomBytes } from 'node:crypto';
import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { UnpackJob, UnpackResult } from '../rootfs/unpack-layer';
import type { Unpacker } from '../rootfs/unpacker';
import { syncFolder } from '../../lib/files';
import { hexOf } from './content-store';

/** One unpacked layer on top of a certain stack of others. */
export interface Snapshot {
  readonly chainId: string;
  /** Nothing below it shows. */
  readonly isRootOpaque: boolean;
  readonly unpackedBytes: number;
}

/**
 * Unpacked layers, each in `snapshots/<chainID>/fs`: one overlay folder, made once, shared by every
 * image with the same layers up to there. A folder under its final name is complete.
 */
export class SnapshotStore {
  private readonly snapshots = new Map<string, Snapshot>();

  private constructor(
    private readonly dir: string,
    private readonly unpacker: Unpacker,
  ) {}

  /** Also clears what a crash left. */
  static async open(dir: string, unpacker: Unpacker): Promise<SnapshotStore> {
    await mkdir(dir, { recursive: true, mode: 0o700 });
    const store = new SnapshotStore(dir, unpacker);
    for (const name of await readdir(dir)) {
      const snapshot = await readSnapshot(join(dir, name));
      if (snapshot === undefined) await rm(join(dir, name), { recursive: true, force: true });
      else store.snapshots.set(snapshot.chainId, snapshot);
    }
    return store;
  }

  has(chainId: string): boolean {
    return this.snapshots.has(chainId);
  }

  list(): readonly Snapshot[] {
    return [...this.snapshots.values()];
  }

  /** Folders for an overlay, topmost first, of a chain given bottom first. All must be here. */
  lowerDirs(chainIds: readonly string[]): readonly string[] {
    const dirs: string[] = [];
    for (const chainId of [...chainIds].reverse()) {
      dirs.push(this.pathOf(chainId));
      if (this.snapshots.get(chainId)?.isRootOpaque === true) break;
    }
    return dirs;
  }

  /** Unpacks the topmost layer of `chainIds`; the others must be here. @throws LayerError */
  async add(
    chainIds: readonly string[],
    layer: Pick<UnpackJob, 'blobPath' | 'digest' | 'diffId'>,
    signal: AbortSignal | undefined,
  ): Promise<UnpackResult> {
    const chainId = chainIds[chainIds.length - 1] ?? '';
    const temporary = join(this.dir, `.tmp-${randomBytes(8).toString('hex')}`);
    await mkdir(temporary, { mode: 0o700 });
    try {
      const result = await this.unpacker.unpack(
        {
          ...layer,
          targetDir: join(temporary, 'fs'),
          lowerDirs: this.lowerDirs(chainIds.slice(0, -1)),
        },
        signal,
      );
      const { isRootOpaque, unpackedBytes } = result;
      const snapshot: Snapshot = { chainId, isRootOpaque, unpackedBytes };
      await writeFile(join(temporary, METADATA), JSON.stringify(snapshot), { flush: true });
      await rename(temporary, join(this.dir, hexOf(chainId)));
      await syncFolder(this.dir);
      this.snapshots.set(chainId, snapshot);
      return result;
    } catch (error) {
      await rm(temporary, { recursive: true, force: true });
      throw error;
    }
  }

  /** Deletes one; the caller knows that nobody uses it. Returns the bytes freed. */
  async remove(chainId: string): Promise<number> {
    const snapshot = this.snapshots.get(chainId);
    if (snapshot === undefined) return 0;
    this.snapshots.delete(chainId);
    const trash = join(this.dir, `.trash-${randomBytes(8).toString('hex')}`);
    await rename(join(this.dir, hexOf(chainId)), trash);
    await rm(trash, { recursive: true, force: true });
    return snapshot.unpackedBytes;
  }

  private pathOf(chainId: string): string {
    return join(this.dir, hexOf(chainId), 'fs');
  }
}

/** The identity of each layer together with all below it, bottom first. */
export const chainIdsOf = (diffIds: readonly string[]): readonly string[] => {
  const chainIds: string[] = [];
  for (const diffId of diffIds) {
    const below = chainIds[chainIds.length - 1];
    const chainId =
      below === undefined
        ? diffId
        : `sha256:${createHash('sha256').update(`${below} ${diffId}`).digest('hex')}`;
    chainIds.push(chainId);
  }
  return chainIds;
};

const readSnapshot = async (path: string): Promise<Snapshot | undefined> => {
  if (!/\/[a-f0-9]{64}$/.test(path)) return undefined;
  try {
    const snapshot = JSON.parse(await readFile(join(path, METADATA), 'utf8')) as Snapshot;
    return path.endsWith(`/${hexOf(snapshot.chainId)}`) ? snapshot : undefined;
  } catch {
    return undefined;
  }
};

const METADATA = 'snapshot.json';
