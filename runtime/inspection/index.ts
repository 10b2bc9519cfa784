import { readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';

import { readCgroups, type CgroupFacts } from './cgroup-values';
import { parseMountTable, type MountFacts } from './mount-table';
import { parseStatus, type ProcessIdentity } from './process-status';

export type { CgroupFacts, MountFacts, ProcessIdentity };

/** How a process is shut in, as the kernel reports it. Nothing of it is what was asked for. */
export interface ProcessIsolation {
  readonly namespaces: readonly NamespaceFacts[];
  /** Ranges of user ids, and of group ids; the whole of them mapped to itself is the host's own. */
  readonly userMappings: { readonly uid: readonly IdMapping[]; readonly gid: readonly IdMapping[] };
  readonly identity: ProcessIdentity;
  /** Label of a security module, if the host has one. */
  readonly label?: string;
  readonly oomScoreAdj: number;
  readonly cgroups: readonly CgroupFacts[];
  readonly mounts: readonly MountFacts[];
}

export interface NamespaceFacts {
  readonly type: NamespaceType;
  /** Its number: processes with the same one share it. */
  readonly id: string;
  /** It is the one of the node agent, and so of the host. */
  readonly isHost: boolean;
}

export interface IdMapping {
  readonly inside: number;
  readonly outside: number;
  readonly count: number;
}

const NAMESPACES = ['cgroup', 'ipc', 'mnt', 'net', 'pid', 'time', 'user', 'uts'] as const;
export type NamespaceType = (typeof NAMESPACES)[number];

/** More than a pod can ask for, by far. */
const MOUNTS_MAX = 1024;

/**
 * How the process is shut in now; undefined where it has ended. Whoever asks says that the process is the one that
 * he means, before and after: a number is given to another process some time later.
 */
export const inspectProcess = (
  pid: number,
  { procAt = '/proc', cgroupsAt = '/sys/fs/cgroup' } = {},
): ProcessIsolation | undefined => {
  const folder = join(procAt, String(pid));
  const read = (file: string) => readFileSync(join(folder, file), 'utf8');
  try {
    const label = labelOf(read);
    return {
      namespaces: NAMESPACES.flatMap((type) => namespaceOf(type, folder, procAt)),
      userMappings: { uid: parseMapping(read('uid_map')), gid: parseMapping(read('gid_map')) },
      identity: parseStatus(read('status')),
      ...(label === '' ? {} : { label }),
      oomScoreAdj: Number(read('oom_score_adj')),
      cgroups: readCgroups(read('cgroup'), cgroupsAt),
      mounts: parseMountTable(read('mountinfo'), MOUNTS_MAX),
    };
  } catch (error) {
    if (isGone(error)) return undefined;
    throw error;
  }
};

const namespaceOf = (
  type: NamespaceType,
  folder: string,
  procAt: string,
): readonly NamespaceFacts[] => {
  const own = linkOf(join(procAt, 'self', 'ns', type));
  // This kernel has no such namespaces.
  if (own === undefined) return [];
  const link = readlinkSync(join(folder, 'ns', type));
  return [{ type, id: /\[(\d+)\]/.exec(link)?.[1] ?? link, isHost: link === own }];
};

const linkOf = (path: string): string | undefined => {
  try {
    return readlinkSync(path);
  } catch {
    return undefined;
  }
};

/** Pure. Source: user_namespaces(7). */
export const parseMapping = (text: string): readonly IdMapping[] =>
  text.split('\n').flatMap((line) => {
    const [inside, outside, count] = line.trim().split(/\s+/).map(Number);
    return inside === undefined || outside === undefined || count === undefined
      ? []
      : [{ inside, outside, count }];
  });

/** Where no module gives labels, the kernel has no such file, or refuses to read it. */
const labelOf = (read: (file: string) => string): string => {
  try {
    return read('attr/current').replaceAll('\0', '').trim();
  } catch {
    return '';
  }
};

const isGone = (error: unknown): boolean =>
  GONE.includes((error as NodeJS.ErrnoException).code ?? '');
const GONE = ['ENOENT', 'ESRCH'];
