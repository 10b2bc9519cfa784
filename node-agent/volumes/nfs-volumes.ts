import { mkdirSync } from 'node:fs';
import { join } from 'node:path';

import { listFolderSync } from '../files';
import type { Mounter } from './mounter';
import type { NfsMount } from './nfs-mount';
import type { NfsMounter } from './nfs-mounter';
import { VolumeError } from './volume-error';

/** A volume of a pod that a server of NFS has. */
export interface NfsVolume {
  readonly name: string;
  /** Of the PersistentVolume, or of the volume where it has none. */
  readonly specName: string;
  readonly mount: NfsMount;
}

export interface NfsVolumesOptions {
  readonly runDir: string;
  readonly mounter: Pick<Mounter, 'isMounted'>;
  readonly nfs: NfsMounter;
}

/**
 * A mount for each volume of each pod, below the pod's folder; only the list of mounts is asked whether
 * it is there, never its server.
 */
export class NfsVolumes {
  constructor(private readonly options: NfsVolumesOptions) {}

  /** By name of the volume, where it is. Idempotent. @throws VolumeError */
  async prepare(
    podUid: string,
    volumes: readonly NfsVolume[],
    signal: AbortSignal,
  ): Promise<ReadonlyMap<string, string>> {
    const { mounter, nfs } = this.options;
    const paths = new Map<string, string>();
    for (const { name, specName, mount } of volumes) {
      const path = join(this.folderOf(podUid), name);
      paths.set(name, path);
      if (mounter.isMounted(path)) continue;
      try {
        mkdirSync(path, { recursive: true, mode: 0o750 });
        await nfs.mount(path, mount, signal);
      } catch (error) {
        signal.throwIfAborted();
        throw new VolumeError(specName, error);
      }
    }
    return paths;
  }

  /** Idempotent. @throws while one cannot be unmounted */
  async release(podUid: string): Promise<void> {
    const { mounter, nfs } = this.options;
    const folder = this.folderOf(podUid);
    for (const path of listFolderSync(folder).map((name) => join(folder, name))) {
      if (!mounter.isMounted(path)) continue;
      await nfs.unmount(path).catch((error: unknown) => {
        // Out of sight at once; the kernel may still wait for the server to take what was written.
        if (mounter.isMounted(path)) throw error;
      });
    }
  }

  private folderOf(podUid: string): string {
    return join(this.options.runDir, 'pods', podUid, 'nfs');
  }
}
