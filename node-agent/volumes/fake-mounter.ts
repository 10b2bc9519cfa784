import type { Mounter } from './mounter';
import type { NfsMounter } from './nfs-mounter';

/** Remembers what is mounted where, and mounts nothing. */
export const fakeMounter = (): Mounter & { readonly mounts: ReadonlyMap<string, string> } => {
  const mounts = new Map<string, string>();
  return {
    mounts,
    mountTmpfs: (path) => void mounts.set(path, 'tmpfs'),
    mountHugePages: (path, { pageBytes, sizeBytes }) =>
      void mounts.set(path, `hugetlbfs ${pageBytes} ${sizeBytes}`),
    mountLayers: (path, lowerDirs) => void mounts.set(path, lowerDirs.join(':')),
    isMounted: (path) => mounts.has(path),
    unmountAll: (folder) => {
      for (const path of mounts.keys())
        if (path === folder || path.startsWith(`${folder}/`)) mounts.delete(path);
    },
  };
};

/** As if no server answered. */
export const noNfs: NfsMounter = {
  mount: () => Promise.reject(new Error('no server of NFS')),
  unmount: () => Promise.reject(new Error('not mounted')),
};
