import { createHash } from 'node:crypto';
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';

import { parseJson, stringifyJson } from '../../lib/json';
import { hasErrorCode, listFolderSync, writeFileDurable } from '../files';

const recordSchema = z.looseObject({
  driverName: z.string(),
  volumeHandle: z.string(),
  /** Why a pod has it: `Persistent` volumes are staged, `Ephemeral` ones are not. */
  volumeLifecycleMode: z.enum(['Persistent', 'Ephemeral']),
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

  /** Where the pod sees the volume; the driver makes it. */
  targetPath(podUid: string, specName: string): string {
    return join(this.folderOf(podUid, specName), 'mount');
  }

  /** Where the volume is staged for all pods of the node. */
  stagePath(record: CsiRecord): string {
    return join(this.stageFolder(record), 'globalmount');
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
    writeFileDurable(join(this.stageFolder(record), READY), this.bootId);
  }

  noteUnstaged(record: CsiRecord): void {
    rmSync(join(this.stageFolder(record), READY), { force: true });
  }

  isStaged(record: CsiRecord): boolean {
    return this.holds(join(this.stageFolder(record), READY));
  }

  /** May a driver have staged it? */
  hasStage(record: CsiRecord): boolean {
    return existsSync(this.stageFolder(record));
  }

  async forgetStage(record: CsiRecord): Promise<void> {
    await rm(this.stagePath(record), { recursive: true, force: true });
    await rm(this.stageFolder(record), { recursive: true, force: true });
  }

  /** Where the volume was mounted goes first: the record stays while that cannot go. */
  async forgetPod(podUid: string, specName: string): Promise<void> {
    const folder = this.folderOf(podUid, specName);
    await rm(this.targetPath(podUid, specName), { recursive: true, force: true });
    await rm(folder, { recursive: true, force: true });
  }

  /** Has another pod of the node the same volume? */
  isUsedByOther(record: CsiRecord, butUid: string): boolean {
    return listFolderSync(join(this.stateDir, 'pods'))
      .filter((uid) => uid !== butUid)
      .some((uid) => this.volumesOf(uid).some((name) => this.isSame(record, uid, name)));
  }

  private isSame(record: CsiRecord, podUid: string, specName: string): boolean {
    const other = this.readable(podUid, specName);
    // Whose it is nobody can tell: then it may be this one.
    if (other === 'damaged') return true;
    return other?.driverName === record.driverName && other.volumeHandle === record.volumeHandle;
  }

  readable(podUid: string, specName: string): CsiRecord | 'damaged' | undefined {
    try {
      return this.ofPod(podUid, specName);
    } catch {
      return 'damaged';
    }
  }

  private holds(path: string): boolean {
    try {
      return readFileSync(path, 'utf8') === this.bootId;
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

  private stageFolder({ driverName, volumeHandle }: CsiRecord): string {
    const hash = createHash('sha256').update(volumeHandle).digest('hex');
    return join(this.stateDir, 'plugins', 'kubernetes.io', 'csi', driverName, hash);
  }
}

const DATA = 'vol_data.json';
const READY = 'ready';
