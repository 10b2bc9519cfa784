import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readdirSync,
  renameSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { opendir, lstat } from 'node:fs/promises';
import { join } from 'node:path';

import { bytesOf } from '../../api/quantity';
import type { Pod } from '../../api/types';
import { removeTree } from '../../lib/remove-tree';
import { hasErrorCode } from '../files';
import { uidOf } from '../pods/labels';
import { writeVolumeFiles } from './atomic-writer';
import type { Mounter } from './mounter';
import { volumeFiles, type ContentSource, type Volume } from './volume-content';

/** A volume could not be set up; the FailedMount event and the pod's wait say why. */
class VolumeError extends Error {
  override readonly name = 'VolumeError';

  constructor(
    readonly volumeName: string,
    cause: unknown,
  ) {
    // In the message rather than as cause: it would be printed twice.
    const why = cause instanceof Error ? cause.message : String(cause);
    super(`MountVolume.SetUp failed for volume "${volumeName}" : ${why}`);
  }
}

export interface VolumeManagerOptions {
  /** Disk-backed volumes; survives reboots. */
  readonly stateDir: string;
  /** On tmpfs: secrets, and memory-backed volumes. */
  readonly runDir: string;
  readonly mounter: Mounter;
}

/** Volume name → folder or file on this host. */
export type PreparedVolumes = ReadonlyMap<string, string>;

const MEASURED_ENTRIES_MAX = 500_000;

/** Makes, updates, measures and removes the volumes of pods. */
export class VolumeManager {
  constructor(private readonly options: VolumeManagerOptions) {}

  /** Makes every volume be there and up to date. Idempotent. @throws VolumeError */
  prepare(source: ContentSource): PreparedVolumes {
    const volumes = source.pod.spec.volumes ?? [];
    return new Map(
      volumes.map((volume) => {
        try {
          return [volume.name, this.prepareOne(volume, source)];
        } catch (error) {
          throw new VolumeError(volume.name, error);
        }
      }),
    );
  }

  /** The disk-backed emptyDir that has outgrown its limit, if any. */
  async overLimit(pod: Pod, signal: AbortSignal): Promise<Volume | undefined> {
    for (const volume of pod.spec.volumes ?? []) {
      const { emptyDir } = volume;
      if (emptyDir?.sizeLimit === undefined || emptyDir.medium === 'Memory') continue;
      const limitBytes = bytesOf(emptyDir.sizeLimit);
      const path = this.pathOf(uidOf(pod), volume);
      if (limitBytes > 0 && (await usedBytes(path, signal)) > limitBytes) return volume;
    }
    return undefined;
  }

  /**
   * Makes the folder for what a pod's containers may write to without asking for it (`/etc/hosts`,
   * termination messages): on a small file system of its own, since all pods and nodes of a machine
   * share the memory behind /run. Idempotent; `remove` takes it away.
   */
  lend(folder: string): void {
    mkdirSync(folder, { recursive: true, mode: 0o755 });
    const limits = { sizeBytes: LENT_BYTES, inodeCount: LENT_INODES };
    this.options.mounter.mountTmpfs(folder, { ...limits, mode: 0o755, groupId: undefined });
  }

  /** Unmounts and deletes all volumes of a pod. Idempotent. */
  async remove(uid: string): Promise<void> {
    const onTmpfs = join(this.options.runDir, 'pods', uid);
    this.options.mounter.unmount(join(onTmpfs, 'lent'));
    for (const name of listFolder(join(onTmpfs, 'empty-dir')))
      this.options.mounter.unmount(join(onTmpfs, 'empty-dir', name));
    await removeTree(onTmpfs);
    await removeTree(join(this.options.stateDir, 'pods', uid));
  }

  /** Pods that have folders here. */
  podUids(): readonly string[] {
    const { stateDir, runDir } = this.options;
    return [...new Set([stateDir, runDir].flatMap((dir) => listFolder(join(dir, 'pods'))))];
  }

  private prepareOne(volume: Volume, source: ContentSource): string {
    const { hostPath, emptyDir } = volume;
    if (hostPath !== undefined) return prepareHostPath(hostPath.path, hostPath.type ?? '');
    const path = this.pathOf(uidOf(source.pod), volume);
    const groupId = source.pod.spec.securityContext?.fsGroup;
    if (emptyDir !== undefined) {
      this.prepareEmptyDir(path, emptyDir, groupId);
      return path;
    }
    const files = volumeFiles(volume, source);
    if (files === undefined) throw new Error('this type of volume is not supported');
    writeVolumeFiles(path, files, groupId);
    return path;
  }

  /** Owner and mode are set when it is made, and belong to the pod from then on. */
  private prepareEmptyDir(
    path: string,
    { medium, sizeLimit }: NonNullable<Volume['emptyDir']>,
    groupId: number | undefined,
  ): void {
    const mode = groupId === undefined ? 0o777 : 0o2777;
    if (medium === 'Memory') {
      mkdirSync(path, { recursive: true });
      const sizeBytes = sizeLimit === undefined ? undefined : bytesOf(sizeLimit);
      this.options.mounter.mountTmpfs(path, { sizeBytes, mode, groupId });
    } else if (medium !== undefined && medium !== '')
      throw new Error(`unknown storage medium "${medium}"`);
    else if (!existsSync(path)) makeFolder(path, mode, groupId);
  }

  private pathOf(uid: string, { name, emptyDir }: Volume): string {
    const { stateDir, runDir } = this.options;
    if (emptyDir === undefined) return join(runDir, 'pods', uid, 'files', name);
    return join(emptyDir.medium === 'Memory' ? runDir : stateDir, 'pods', uid, 'empty-dir', name);
  }
}

/** Room for a large hosts file, and for two messages of each of very many containers. */
const LENT_BYTES = 1024 * 1024;
const LENT_INODES = 1024;

/** Under its name it is as it should be, whenever the agent dies. */
const makeFolder = (path: string, mode: number, groupId: number | undefined): void => {
  const temporary = `${path}.new`;
  mkdirSync(temporary, { recursive: true });
  if (groupId !== undefined) chownSync(temporary, 0, groupId);
  chmodSync(temporary, mode);
  renameSync(temporary, path);
};

const prepareHostPath = (path: string, type: string): string => {
  const stats = statOf(path);
  if (stats === undefined) {
    if (type === '' || type === 'DirectoryOrCreate')
      mkdirSync(path, { recursive: true, mode: 0o755 });
    else if (type === 'FileOrCreate') writeFileSync(path, '', { mode: 0o644 });
    else throw new Error(`hostPath type check failed: ${path} is not ${describe(type)}`);
    return path;
  }
  const isRight =
    {
      '': true,
      DirectoryOrCreate: stats.isDirectory(),
      Directory: stats.isDirectory(),
      FileOrCreate: stats.isFile(),
      File: stats.isFile(),
      Socket: stats.isSocket(),
      CharDevice: stats.isCharacterDevice(),
      BlockDevice: stats.isBlockDevice(),
    }[type] ?? false;
  if (!isRight) throw new Error(`hostPath type check failed: ${path} is not ${describe(type)}`);
  return path;
};

const describe = (type: string): string =>
  ({
    Directory: 'a directory',
    DirectoryOrCreate: 'a directory',
    File: 'a file',
    FileOrCreate: 'a file',
    Socket: 'a socket file',
    CharDevice: 'a character device',
    BlockDevice: 'a block device',
  })[type] ?? `of type ${type}`;

const statOf = (path: string) => {
  try {
    return statSync(path);
  } catch (error) {
    if (hasErrorCode(error, 'ENOENT', 'ENOTDIR')) return undefined;
    throw error;
  }
};

const listFolder = (path: string): readonly string[] => {
  try {
    return readdirSync(path);
  } catch (error) {
    if (hasErrorCode(error, 'ENOENT')) return [];
    throw error;
  }
};

/** Disk blocks in use below `root`; what vanishes while walking counts for nothing. */
const usedBytes = async (root: string, signal: AbortSignal): Promise<number> => {
  let total = 0;
  let left = MEASURED_ENTRIES_MAX;
  const folders = [root];
  for (let folder = folders.pop(); folder !== undefined; folder = folders.pop()) {
    try {
      for await (const entry of await opendir(folder)) {
        if (--left < 0 || signal.aborted) return total;
        const path = join(folder, entry.name);
        if (entry.isDirectory()) folders.push(path);
        else total += (await lstat(path)).blocks * 512;
      }
    } catch (error) {
      // Too deep to name: what is down there goes uncounted, and other pods are measured on.
      if (!hasErrorCode(error, 'ENOENT', 'ENOTDIR', 'ENAMETOOLONG')) throw error;
    }
  }
  return total;
};
