import { isIPv6 } from 'node:net';

import type { PersistentVolume } from '../../api/types';
import type { Volume } from './volume-content';

/** What `mount.nfs` is told. */
export interface NfsMount {
  /** `server:/path` */
  readonly source: string;
  /** Joined by commas; the last word on each counts. */
  readonly options: string;
}

/**
 * Pure: how the volume is mounted, of a pod itself or behind its claim; undefined where it is of another
 * type. It is read-only where either of the two says so. Source: upstream's pkg/volume/nfs
 */
export const nfsMountOf = (
  { nfs, persistentVolumeClaim }: Volume,
  behind: PersistentVolume | undefined,
): NfsMount | undefined => {
  const source = nfs ?? behind?.spec?.nfs;
  if (source === undefined) return undefined;
  const { server, path } = source;
  const isReadOnly = source.readOnly === true || persistentVolumeClaim?.readOnly === true;
  const host = isIPv6(server) ? `[${server}]` : server;
  const options = [...FIRST, ...(behind?.spec?.mountOptions ?? []), ...(isReadOnly ? ['ro'] : [])];
  return { source: `${host}:${path}`, options: options.join(',') };
};

/** How a program that mounts or unmounts has ended. */
export interface Ended {
  readonly status: number | NodeJS.Signals | null;
  readonly stderr: string;
}

/** Pure: why nothing is mounted, in words. Statuses: mount.nfs(8); texts: its own. */
export const whyNotMounted = ({ status, stderr }: Ended): string => {
  const said = stderr.trim().split('\n').join('; ');
  const why = `exit status ${status ?? 'unknown'}${said === '' ? '' : `: ${said}`}`;
  return NO_CLIENT.test(stderr)
    ? `mount failed: the kernel of this node has no client of NFS (${why})`
    : `mount failed: ${why}`;
};

export const NO_HELPER =
  'mount failed: this node has no /sbin/mount.nfs: it is of the package nfs-common (Debian) or nfs-utils';

/**
 * A pod may name any server: what that calls a device is none here. One that refuses is asked again with
 * the pod's other volumes, and not for two minutes by the program.
 */
const FIRST = ['nosuid', 'nodev', 'retry=0'];
const NO_CLIENT = /No such device|unknown filesystem type/;
