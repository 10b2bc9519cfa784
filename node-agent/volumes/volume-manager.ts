import { createHash } from 'node:crypto';
import { chmodSync, chownSync, existsSync, mkdirSync, renameSync } from 'node:fs';
import { join } from 'node:path';

import { isHugePageMedium } from '../../api/huge-pages';
import { bytesOf } from '../../api/quantity';
import { type PersistentVolume, type Pod, uidOf } from '../../api/types';
import { claimNameOf, isBlock } from '../../api/volumes';
import { removeTree } from '../../lib/remove-tree';
import { listFolderSync } from '../files';
import { podMemoryLimitBytes } from '../pod-spec/cgroup-resources';
import { writeVolumeFiles, type VolumeFile } from './atomic-writer';
import type { Mounter } from './mounter';
import type { CsiVolume } from './csi-volume';
import { claimedVolume, isFolderOf, type ClaimSource, type ReachingNode } from './claimed-volume';
import { prepareHostPath, statOf } from './host-path';
import { hugePageVolume } from './huge-page-volume';
import { nfsMountOf } from './nfs-mount';
import type { NfsMounter } from './nfs-mounter';
import { NfsVolumes, type NfsVolume } from './nfs-volumes';
import { VolumeFolders } from './volume-folders';
import { VolumeError } from './volume-error';
import { NotYetError, volumeFiles, type ContentSource, type Volume } from './volume-content';

export interface VolumeManagerOptions {
  /** Disk-backed volumes; survives reboots. */
  readonly stateDir: string;
  /** On tmpfs: secrets, and memory-backed volumes. */
  readonly runDir: string;
  readonly mounter: Mounter;
  readonly nfs: NfsMounter;
  readonly claims: ClaimSource;
  readonly tokens: ContentSource['tokens'];
  /** This node; undefined until the server has said. */
  readonly node: () => ReachingNode | undefined;
}

/** Volume name → folder, file or block device on this host. */
export type PreparedVolumes = ReadonlyMap<string, string>;

/** Makes, updates and removes the volumes of pods. */
export class VolumeManager {
  readonly folders: VolumeFolders;
  private readonly remote: NfsVolumes;
  /** By path, a digest of what this process wrote there: a pod's worker comes by many times. */
  private readonly written = new Map<string, string>();

  constructor(private readonly options: VolumeManagerOptions) {
    this.folders = new VolumeFolders(options.stateDir, options.runDir);
    this.remote = new NfsVolumes(options);
  }

  /**
   * Makes every volume be there and up to date, but for images, which come with the containers that
   * mount them, `csiVolumes` and `nfsVolumes`. Idempotent. @throws VolumeError, NotYetError
   */
  prepare(given: Omit<ContentSource, 'tokens'>): PreparedVolumes {
    const source = { ...given, tokens: this.options.tokens };
    const volumes = (source.pod.spec.volumes ?? []).filter(({ image }) => image === undefined);
    return new Map(
      volumes.flatMap((volume) =>
        this.attempt(volume, () => {
          const path = this.prepareOne(volume, source);
          return path === undefined ? [] : [[volume.name, path] as const];
        }),
      ),
    );
  }

  /** Those that drivers provide: `prepare`, first, has noted that they are used. @throws VolumeError */
  csiVolumes(pod: Pod): readonly CsiVolume[] {
    return this.each(pod, ({ name, csi: inline, persistentVolumeClaim }, volume) => {
      if (inline !== undefined) return { name, inline };
      if (volume?.spec?.csi === undefined) return undefined;
      return { name, volume, isReadOnly: persistentVolumeClaim?.readOnly === true };
    });
  }

  /** Those of servers of NFS: `prepare`, first, has noted that they are used. @throws VolumeError */
  nfsVolumes(pod: Pod): readonly NfsVolume[] {
    return this.each(pod, (each, volume) => {
      const mount = nfsMountOf(each, volume);
      if (mount === undefined) return undefined;
      const { name } = each;
      return { name, specName: volume?.metadata.name ?? name, mount };
    });
  }

  /** Mounts them, which may take until the signal. Idempotent. @throws VolumeError */
  mountNfs(pod: Pod, volumes: readonly NfsVolume[], signal: AbortSignal): Promise<PreparedVolumes> {
    return this.remote.prepare(uidOf(pod), volumes, signal);
  }

  /** Of each volume, and what is bound to the claim that it is of. */
  private each<T>(
    pod: Pod,
    pick: (volume: Volume, behind: PersistentVolume | undefined) => T | undefined,
  ): readonly T[] {
    return (pod.spec.volumes ?? []).flatMap((volume) =>
      this.attempt(volume, () => {
        const claimName = claimNameOf(pod, volume);
        const behind = claimName === undefined ? undefined : this.claimed(pod, volume, claimName);
        const picked = pick(volume, behind);
        return picked === undefined ? [] : [picked];
      }),
    );
  }

  private attempt<T>({ name }: Volume, work: () => T): T {
    try {
      return work();
    } catch (error) {
      if (error instanceof NotYetError || error instanceof VolumeError) throw error;
      throw new VolumeError(name, error);
    }
  }

  /** Where the disk-backed emptyDir of that name lies; undefined when there is none. */
  diskPath(pod: Pod, name: string): string | undefined {
    const volume = pod.spec.volumes?.find((each) => each.name === name);
    if (volume?.emptyDir === undefined || isOfMemory(volume.emptyDir.medium)) return undefined;
    return this.pathOf(uidOf(pod), volume);
  }

  /** Where the image lies that is the pod's volume of that name; undefined while none is mounted. */
  imagePath(podUid: string, name: string): string | undefined {
    const path = this.imagePathOf(podUid, name);
    return this.options.mounter.isMounted(path) ? path : undefined;
  }

  /** Mounts layers, topmost first, as the pod's volume of that name. Idempotent. Returns its path. */
  mountImage(podUid: string, name: string, lowerDirs: readonly string[]): string {
    const path = this.imagePathOf(podUid, name);
    mkdirSync(path, { recursive: true, mode: 0o755 });
    this.options.mounter.mountLayers(path, lowerDirs);
    return path;
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
    const { runDir, stateDir, mounter } = this.options;
    await this.remote.release(uid);
    for (const folder of [runDir, stateDir].map((dir) => join(dir, 'pods', uid))) {
      // Nothing can be mounted in what is not there.
      if (existsSync(folder)) {
        mounter.unmountAll(folder);
        await removeTree(folder);
      }
      for (const path of this.written.keys())
        if (path.startsWith(`${folder}/`)) this.written.delete(path);
    }
  }

  /** Pods that have folders here. */
  podUids(): readonly string[] {
    const { stateDir, runDir } = this.options;
    return [...new Set([stateDir, runDir].flatMap((dir) => listFolderSync(join(dir, 'pods'))))];
  }

  /** Undefined where somebody else provides it. */
  private prepareOne(volume: Volume, source: ContentSource): string | undefined {
    const { hostPath, emptyDir, csi, nfs } = volume;
    if (csi !== undefined || nfs !== undefined) return undefined;
    if (hostPath !== undefined) return prepareHostPath(hostPath.path, hostPath.type ?? '');
    const claimName = claimNameOf(source.pod, volume);
    if (claimName !== undefined) return this.prepareClaimed(source.pod, volume, claimName);
    const path = this.pathOf(uidOf(source.pod), volume);
    if (emptyDir !== undefined) {
      this.prepareEmptyDir(path, source, emptyDir);
      return path;
    }
    const files = volumeFiles(volume, source);
    if (files === undefined) throw new Error('this type of volume is not supported');
    const digest = digestOf(files);
    if (this.written.get(path) === digest) return path;
    writeVolumeFiles(path, files, source.pod.spec.securityContext?.fsGroup);
    this.written.set(path, digest);
    return path;
  }

  /** The volume that the claim is bound to, once it may be used here. */
  private claimed(pod: Pod, podVolume: Volume, claimName: string): PersistentVolume {
    const { claims, node } = this.options;
    return claimedVolume(pod, podVolume, claimName, {
      claims,
      node: node(),
      isUser: (each) => this.folders.isUser(each, uidOf(pod)),
    });
  }

  private prepareClaimed(pod: Pod, podVolume: Volume, claimName: string): string | undefined {
    const volume = this.claimed(pod, podVolume, claimName);
    this.folders.use(volume, uidOf(pod));
    if (volume.spec?.csi !== undefined || volume.spec?.nfs !== undefined) return undefined;
    if (isFolderOf(volume)) return this.folders.prepare(volume, pod.spec.securityContext?.fsGroup);
    const { hostPath, local } = volume.spec ?? {};
    if (hostPath !== undefined) return prepareHostPath(hostPath.path, hostPath.type ?? '');
    if (local === undefined) throw new Error('this type of volume is not supported');
    if (isBlock(volume)) return blockDeviceAt(local.path, volume.metadata.name);
    if (statOf(local.path)?.isDirectory() !== true)
      throw new Error(`path "${local.path}" does not exist`);
    return local.path;
  }

  /** Owner and mode are set when it is made, and belong to the pod from then on. */
  private prepareEmptyDir(
    path: string,
    { pod, node }: ContentSource,
    { medium, sizeLimit }: NonNullable<Volume['emptyDir']>,
  ): void {
    const groupId = pod.spec.securityContext?.fsGroup;
    const mode = groupId === undefined ? 0o777 : 0o2777;
    if (medium === 'Memory') {
      mkdirSync(path, { recursive: true });
      const sizeBytes = memoryVolumeBytes(pod, sizeLimit, node.allocatableMemoryBytes);
      this.options.mounter.mountTmpfs(path, { sizeBytes, mode, groupId });
    } else if (medium !== undefined && isHugePageMedium(medium)) {
      const size = hugePageVolume(pod, {
        medium,
        ...(sizeLimit === undefined ? {} : { sizeLimit }),
      });
      mkdirSync(path, { recursive: true });
      this.options.mounter.mountHugePages(path, { ...size, mode, groupId });
    } else if (medium !== undefined && medium !== '')
      throw new Error(`unknown storage medium "${medium}"`);
    else if (!existsSync(path)) makeFolder(path, mode, groupId);
  }

  private imagePathOf(podUid: string, name: string): string {
    return join(this.options.runDir, 'pods', podUid, 'image', name);
  }

  private pathOf(uid: string, { name, emptyDir }: Volume): string {
    const { stateDir, runDir } = this.options;
    if (emptyDir === undefined) return join(runDir, 'pods', uid, 'files', name);
    return join(isOfMemory(emptyDir.medium) ? runDir : stateDir, 'pods', uid, 'empty-dir', name);
  }
}

const isOfMemory = (medium: string | undefined): boolean =>
  medium === 'Memory' || isHugePageMedium(medium);

const blockDeviceAt = (path: string, volumeName: string): string => {
  if (statOf(path)?.isBlockDevice() !== true)
    throw new VolumeError(volumeName, new Error(`path "${path}" is no block device`), true);
  return path;
};

const digestOf = (files: ReadonlyMap<string, VolumeFile>): string => {
  const hash = createHash('sha256');
  for (const [path, { data, mode }] of files)
    hash.update(`${path}\0${mode} ${data.length}\0`).update(data);
  return hash.digest('base64');
};

/** No more than the pod may have of memory, and than all pods of the node together. */
const memoryVolumeBytes = (
  pod: Pod,
  sizeLimit: string | undefined,
  allocatableBytes: number,
): number => {
  const bounds = [bytesOf(sizeLimit), podMemoryLimitBytes(pod), allocatableBytes];
  return Math.min(...bounds.filter((bytes) => bytes > 0));
};

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
