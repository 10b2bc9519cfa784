import {
  chmodSync,
  chownSync,
  existsSync,
  lstatSync,
  mkdirSync,
  renameSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';

import { type PersistentVolume, uidOf } from '../../api/types';
import { FOLDER_FINALIZER, isBlock } from '../../api/volumes';
import { removeTree } from '../../lib/remove-tree';
import { listFolderSync } from '../files';
import { isFolderOf } from './claimed-volume';

const FOLDER_MODE = 0o777;
const GROUP_BITS = 0o2770;
/** As the API server makes them, and nothing that could lead elsewhere. */
const UID = /^[0-9a-zA-Z-]{1,64}$/;

/**
 * The folders that are volumes, each named by the uid of its PersistentVolume: no other volume ever has
 * it, whatever it is called. Beside them, in each pod's own folder, a mark for every volume it uses,
 * which an agent finds that starts while the pod runs.
 */
export class VolumeFolders {
  constructor(
    private readonly stateDir: string,
    private readonly runDir: string,
  ) {}

  /** Makes the folder be there, for the pod's group if it has one. Returns its path. */
  prepare(volume: PersistentVolume, groupId: number | undefined): string {
    if (isDoomed(volume)) throw new Error(`volume "${volume.metadata.name}" is being deleted`);
    const path = this.pathOf(uidOf(volume));
    if (!existsSync(path)) makeFolder(path);
    if (groupId !== undefined) giveToGroup(path, groupId);
    return path;
  }

  /** Where a volume lies that is a folder of this node; undefined for all others. */
  folderOf(volume: PersistentVolume): string | undefined {
    if (isBlock(volume)) return undefined;
    return isFolderOf(volume) ? this.pathOf(uidOf(volume)) : volume.spec?.local?.path;
  }

  /**
   * Notes that the pod uses the volume, until all of the pod's is removed.
   * @throws Error when the volume is for one pod at a time, and another has it
   */
  use(volume: PersistentVolume, podUid: string): void {
    const uid = checkedUid(uidOf(volume));
    const isExclusive = volume.spec?.accessModes?.includes('ReadWriteOncePod') === true;
    if (isExclusive && this.usersOf(uid).some((user) => user !== podUid))
      throw new Error(
        'volume uses the ReadWriteOncePod access mode and is already in use by another pod',
      );
    const marks = this.marksOf(podUid);
    mkdirSync(marks, { recursive: true, mode: 0o700 });
    writeFileSync(join(marks, uid), '');
  }

  /** Does the pod use the volume, as far as anybody has noted? */
  isUser(volume: PersistentVolume, podUid: string): boolean {
    return existsSync(join(this.marksOf(podUid), checkedUid(uidOf(volume))));
  }

  /** Removes the folder and all in it. @throws Error while a pod of this node uses it */
  async remove(uid: string): Promise<void> {
    const [user] = this.usersOf(checkedUid(uid));
    if (user !== undefined) throw new Error(`pod ${user} uses it`);
    const path = this.pathOf(uid);
    await removeTree(`${path}${NEW}`);
    await removeTree(path);
  }

  /** Uids of the pods that have the volume. */
  private usersOf(uid: string): readonly string[] {
    return listFolderSync(join(this.runDir, 'pods')).filter((podUid) =>
      existsSync(join(this.marksOf(podUid), uid)),
    );
  }

  private marksOf(podUid: string): string {
    return join(this.runDir, 'pods', podUid, 'claimed');
  }

  private pathOf(uid: string): string {
    return join(this.stateDir, 'volumes', checkedUid(uid));
  }
}

/** To be removed with all that is in it: nothing is bound to it any more. */
export const isDoomed = (volume: PersistentVolume): boolean => {
  const { deletionTimestamp, finalizers = [] } = volume.metadata;
  return (
    isFolderOf(volume) &&
    deletionTimestamp !== undefined &&
    volume.spec?.persistentVolumeReclaimPolicy === 'Delete' &&
    // Whatever else holds it holds its data too.
    finalizers.length === 1 &&
    finalizers[0] === FOLDER_FINALIZER
  );
};

/** Under its name it is as it should be, whenever the agent dies. */
const makeFolder = (path: string): void => {
  mkdirSync(`${path}${NEW}`, { recursive: true, mode: 0o700 });
  chmodSync(`${path}${NEW}`, FOLDER_MODE);
  renameSync(`${path}${NEW}`, path);
};

/** What is made in it belongs to the group from then on. */
const giveToGroup = (path: string, groupId: number): void => {
  const { gid, mode } = lstatSync(path);
  if (gid === groupId && (mode & GROUP_BITS) === GROUP_BITS) return;
  chownSync(path, -1, groupId);
  chmodSync(path, (mode & 0o7777) | GROUP_BITS);
};

const checkedUid = (uid: string): string => {
  if (!UID.test(uid)) throw new Error(`"${uid}" is no uid of a volume`);
  return uid;
};

const NEW = '.new';
