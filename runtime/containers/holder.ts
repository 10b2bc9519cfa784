import { createHash } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import type { ContainerSpec } from '../container-runtime';

/*
 * Containers that share their processes need a first one that is none of them: it reaps, and outlives
 * each of them. It is a container of its own, with nothing in it but the launcher's program, of which
 * nobody but the runtime knows.
 */

/** By its sandbox; too long for one that a caller names. */
export const holderIdOf = (sandboxId: string): string => `${sandboxId.slice(0, 58)}-hold`;

export const isHolder = ({ id, sandboxId }: Pick<ContainerSpec, 'id' | 'sandboxId'>): boolean =>
  id === holderIdOf(sandboxId);

export const holderSpec = (
  sandboxId: string,
  { rootDir, logPath }: { readonly rootDir: string; readonly logPath: string },
): ContainerSpec => ({
  id: holderIdOf(sandboxId),
  sandboxId,
  labels: {},
  rootfs: { lowerDirs: [rootDir], isReadOnly: true },
  process: {
    args: ['/hold', 'hold'],
    env: [],
    cwd: '/',
    user: { uid: NOBODY, gid: NOBODY, supplementalGids: [] },
  },
  mounts: [],
  // The last that the kernel may kill for memory: all others end with it.
  resources: { cpuShares: 2, oomScoreAdj: -998 },
  security: {
    privileged: false,
    capabilities: [],
    noNewPrivileges: true,
    seccomp: { type: 'default' },
    procMount: 'Default',
  },
  logPath,
  stdin: false,
  tty: false,
  hostPid: false,
});

/** The folder with the program, made once for each version of it. */
export const holderRoot = (stateDir: string, launcherPath: string): string => {
  const program = readFileSync(launcherPath);
  const version = createHash('sha256').update(program).digest('hex').slice(0, 16);
  const dir = join(stateDir, 'hold', version);
  const path = join(dir, 'hold');
  if (existsSync(path)) return dir;
  mkdirSync(dir, { recursive: true, mode: 0o755 });
  writeFileSync(`${path}.tmp`, program);
  chmodSync(`${path}.tmp`, 0o755);
  renameSync(`${path}.tmp`, path);
  return dir;
};

const NOBODY = 65_534;
