import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { removeTree } from '../../../lib/remove-tree';
import type { CgroupDriver } from '../../cgroups';
import { holderRoot } from '../holder';
import type { RunFiles } from '../records';
import type { OciTool } from './oci-tool';

export interface TryDeps {
  readonly files: RunFiles;
  readonly cgroups: CgroupDriver;
  readonly cgroupParent: string;
  readonly launcherPath: string;
}

/**
 * Has it run a container to its end: a program that is installed may still not work on this host.
 * @throws RuntimeError with what it said
 */
export const tryTool = async (
  tool: OciTool,
  { files, cgroups, cgroupParent, launcherPath }: TryDeps,
): Promise<void> => {
  const id = `try-${tool.name}`;
  const cgroup = join(cgroupParent, id);
  const bundle = join(files.runDir, 'try', tool.name);
  const rootDir = holderRoot(files.stateDir, launcherPath);
  await clean(tool, id);
  mkdirSync(bundle, { recursive: true, mode: 0o700 });
  const config = configOf(rootDir, cgroup);
  writeFileSync(join(bundle, 'config.json'), JSON.stringify(config), { mode: 0o600 });
  try {
    await tool.run(['run', '--bundle', bundle, id], USAGE_CODE);
  } finally {
    await clean(tool, id);
    await removeTree(bundle);
    await cgroups.remove(cgroup);
    await cgroups.removeElsewhere(cgroup);
  }
};

const clean = async (tool: OciTool, id: string): Promise<void> => {
  if (tool.statesOf(id).length === 0) return;
  await tool.run(['delete', '--force', id]).catch(() => undefined);
  for (const path of tool.statesOf(id)) await removeTree(path);
};

/** The launcher's program, which says how to call it and ends. */
const configOf = (rootDir: string, cgroup: string) => ({
  ociVersion: '1.0.2',
  process: {
    terminal: false,
    user: { uid: 65_534, gid: 65_534 },
    args: ['/hold'],
    env: [],
    cwd: '/',
    noNewPrivileges: true,
  },
  root: { path: rootDir, readonly: true },
  mounts: [{ destination: '/proc', type: 'proc', source: 'proc' }],
  linux: {
    cgroupsPath: `/${cgroup}`,
    namespaces: ['mount', 'pid', 'network', 'ipc', 'uts'].map((type) => ({ type })),
  },
});

const USAGE_CODE = 2;
