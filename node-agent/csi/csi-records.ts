import { createHash } from 'node:crypto';
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { mkdir, rm, rmdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { z } from 'zod';

import { parseJson, stringifyJson } from '../../lib/json';
import { hasErrorCode, listFolderSync, writeFileDurable } from '../files';

const recordSchema = z.looseObject({
  driverName: z.string(),
  volumeHandle: z.string(),
  /** Why a pod has it: `Persistent` volumes are staged, `Ephemeral` ones are not. */
  volumeLifecycleMode: z.enum(['Persistent', 'Ephemeral']),
  /** Of a block device, the name of its PersistentVolume; of all others, nothing. */
  blockOf: z.string().optional(),
});

/** A volume that a pod has, or is about to get: written before the driver hears of it. */
export type CsiRecord = z.infer<typeof recordSchema>;

/**
 * What drivers have been asked for, in files that outlive the agent and the machine's restart: whoever
 * comes next knows what to take back. The layout is the kubelet's, which drivers rely on.
 */
export class CsiRecords {
  constructor(
    private readonly stateDir: string,
    /** Of this boot: what was mounted before it is not any more. */
    private readonly bootId: string,
  ) {}

  /** Where the pod sees the volume, a folder or a device; the driver makes it. */
  targetPath(podUid: string, specName: string, { blockOf }: Pick<CsiRecord, 'blockOf'>): string {
    return blockOf === undefined
      ? join(this.folderOf(podUid, specName), 'mount')
      : join(this.blockFolder('publish'), blockOf, podUid);
  }

  /** Where the volume is staged for all pods of the node. */
  stagePath(record: CsiRecord): string {
    return record.blockOf === undefined
      ? join(this.stageFolder(record), 'globalmount')
      : join(this.blockFolder('staging'), record.blockOf);
  }

  notePod(podUid: string, specName: string, record: CsiRecord): void {
    const path = join(this.folderOf(podUid, specName), DATA);
    if (!existsSync(path)) writeFileDurable(path, stringifyJson(record));
  }

  /** The names of volumes that the pod has by drivers. */
  volumesOf(podUid: string): readonly string[] {
    return listFolderSync(this.podFolder(podUid));
  }

  /** Undefined when it was never written: then no driver has heard of it. @throws when it is damaged */
  ofPod(podUid: string, specName: string): CsiRecord | undefined {
    try {
      const text = readFileSync(join(this.folderOf(podUid, specName), DATA), 'utf8');
      return recordSchema.parse(parseJson(text));
    } catch (error) {
      if (hasErrorCode(error, 'ENOENT')) return undefined;
      throw error;
    }
  }

  /** The volume is as the pod is to see it, in this boot. */
  noteReady(podUid: string, specName: string): void {
    writeFileDurable(join(this.folderOf(podUid, specName), READY), this.bootId);
  }

  isReady(podUid: string, specName: string): boolean {
    return this.holds(join(this.folderOf(podUid, specName), READY));
  }

  noteUnready(podUid: string, specName: string): void {
    rmSync(join(this.folderOf(podUid, specName), READY), { force: true });
  }

  async makeStage(record: CsiRecord): Promise<void> {
    await mkdir(this.stagePath(record), { recursive: true, mode: 0o750 });
  }

  noteStaged(record: CsiRecord): void {
    writeFileDurable(this.stagedMark(record), this.stagedValue(record));
  }

  noteUnstaged(record: CsiRecord): void {
    rmSync(this.stagedMark(record), { force: true });
  }

  isStaged(record: CsiRecord): boolean {
    return this.holds(this.stagedMark(record), this.stagedValue(record));
  }

  /** May a driver have staged it? */
  hasStage(record: CsiRecord): boolean {
    return existsSync(
      record.blockOf === undefined ? this.stageFolder(record) : this.stagePath(record),
    );
  }

  async forgetStage(record: CsiRecord): Promise<void> {
    await rm(this.stagePath(record), { recursive: true, force: true });
    if (record.blockOf === undefined)
      await rm(this.stageFolder(record), { recursive: true, force: true });
  }

  /** Where the volume was mounted goes first: the record stays while that cannot go. */
  async forgetPod(podUid: string, specName: string, record?: CsiRecord): Promise<void> {
    if (record !== undefined) {
      const target = this.targetPath(podUid, specName, record);
      await rm(target, { recursive: true, force: true });
      if (record.blockOf !== undefined) await removeEmpty(dirname(target));
    }
    await rm(this.folderOf(podUid, specName), { recursive: true, force: true });
  }

  /** Has another pod of the node the same volume? */
  isUsedByOther(record: CsiRecord, butUid: string): boolean {
    // Whose a damaged one is nobody can tell: then it may be this one.
    return this.othersAtStage(record, butUid).some(
      (other) => other === 'damaged' || isSame(other, record),
    );
  }

  /** @throws Error while the volume that had the name before it is staged for a pod */
  checkStage(record: CsiRecord, podUid: string): void {
    for (const other of this.othersAtStage(record, podUid))
      if (other !== 'damaged' && !isSame(other, record))
        throw new Error(
          `${this.stagePath(record)} is still in use by volume ${other.volumeHandle}`,
        );
  }

  private othersAtStage(record: CsiRecord, butUid: string): readonly (CsiRecord | 'damaged')[] {
    const path = this.stagePath(record);
    return listFolderSync(join(this.stateDir, 'pods'))
      .filter((uid) => uid !== butUid)
      .flatMap((uid) => this.volumesOf(uid).map((name) => this.readable(uid, name)))
      .flatMap((other) =>
        other === 'damaged' || (other !== undefined && this.stagePath(other) === path)
          ? [other]
          : [],
      );
  }

  readable(podUid: string, specName: string): CsiRecord | 'damaged' | undefined {
    try {
      return this.ofPod(podUid, specName);
    } catch {
      return 'damaged';
    }
  }

  private holds(path: string, value = this.bootId): boolean {
    try {
      return readFileSync(path, 'utf8') === value;
    } catch (error) {
      if (hasErrorCode(error, 'ENOENT')) return false;
      throw error;
    }
  }

  private podFolder(podUid: string): string {
    return join(this.stateDir, 'pods', podUid, 'volumes', 'kubernetes.io~csi');
  }

  private folderOf(podUid: string, specName: string): string {
    return join(this.podFolder(podUid), specName);
  }

  private stagedMark(record: CsiRecord): string {
    return record.blockOf === undefined
      ? join(this.stageFolder(record), READY)
      : join(this.blockFolder('ready'), record.blockOf);
  }

  /** By its name alone nobody can tell a volume from a later one. */
  private stagedValue({ blockOf, driverName, volumeHandle }: CsiRecord): string {
    return blockOf === undefined ? this.bootId : `${this.bootId} ${driverName}^${volumeHandle}`;
  }

  /** Nothing in these is named by anybody but the volumes themselves. */
  private blockFolder(name: 'staging' | 'publish' | 'ready'): string {
    return join(this.stateDir, 'plugins', 'kubernetes.io', 'csi', 'volumeDevices', name);
  }

  private stageFolder({ driverName, volumeHandle }: CsiRecord): string {
    const hash = createHash('sha256').update(volumeHandle).digest('hex');
    return join(this.stateDir, 'plugins', 'kubernetes.io', 'csi', driverName, hash);
  }
}

const isSame = (a: CsiRecord, b: CsiRecord): boolean =>
  a.driverName === b.driverName && a.volumeHandle === b.volumeHandle;

/** Unless another pod's volume is in it by now. */
const removeEmpty = async (folder: string): Promise<void> => {
  try {
    await rmdir(folder);
  } catch (error) {
    if (!hasErrorCode(error, 'ENOENT', 'ENOTEMPTY')) throw error;
  }
};

const DATA = 'vol_data.json';
const READY = 'ready';
