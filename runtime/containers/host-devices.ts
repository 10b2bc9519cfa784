import { constants, lstatSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';

import type { CgroupDriver } from '../cgroups';
import { RuntimeError, type ContainerSpec, type DeviceSpec } from '../container-runtime';
import type { DeviceNode } from './launch-plan';

/** The host's device nodes, for a privileged container; terminals and what is made anyway excepted. */
export const hostDevices = (dir = '/dev', depth = 0): DeviceNode[] => {
  const found: DeviceNode[] = [];
  for (const name of readdirSync(dir)) {
    const path = join(dir, name);
    if (SKIPPED.has(path)) continue;
    const info = lstatSync(path, { throwIfNoEntry: false });
    if (info === undefined) continue;
    if (info.isDirectory() && depth < MAX_DEPTH) found.push(...hostDevices(path, depth + 1));
    if (!info.isCharacterDevice() && !info.isBlockDevice()) continue;
    const { major, minor } = deviceNumbers(info.rdev);
    found.push({ path, mode: info.mode, major, minor });
  }
  return found.slice(0, MAX_DEVICES);
};

/** A node with what may be done to it. */
export interface GrantedDevice extends DeviceNode {
  readonly access: string;
}

/** As they are now. @throws RuntimeError that names what is no device, or cannot be one of a container */
export const grantedDevices = (specs: readonly DeviceSpec[]): readonly GrantedDevice[] =>
  specs.map(({ hostPath, path, access, fileMode, isVolume = false, ...owner }) => {
    const info = statSync(hostPath, { throwIfNoEntry: false });
    if (info === undefined) throw new RuntimeError('device', `there is no device ${hostPath}`);
    if (isVolume && !info.isBlockDevice())
      throw new RuntimeError('device', `${hostPath} is no block device`);
    if (!info.isCharacterDevice() && !info.isBlockDevice())
      throw new RuntimeError('device', `${hostPath} is no device`);
    if (!/^(\/[^/]+)+$/.test(path) || /\/\.\.?(\/|$)/.test(path))
      throw new RuntimeError('device', `"${path}" is no place for a device`);
    if (!isVolume && !path.startsWith('/dev/'))
      throw new RuntimeError('device', `"${path}" is no place for a device: not below /dev`);
    if (isOwn(path)) throw new RuntimeError('device', `"${path}" is one of the container's own`);
    if (!/^[rwm]{1,3}$/.test(access))
      throw new RuntimeError('device', `"${access}" is no access to a device`);
    const mode = (info.mode & constants.S_IFMT) | ((fileMode ?? info.mode) & 0o777);
    const { uid = isVolume ? info.uid : 0, gid = isVolume ? info.gid : 0 } = owner;
    return { path, mode, ...deviceNumbers(info.rdev), uid, gid, access };
  });

/** Whoever is privileged has all devices anyway. @throws RuntimeError naming what would be written to */
export const checkReadOnly = (
  { devices = [], security }: Pick<ContainerSpec, 'devices' | 'security'>,
  { limitsDevices }: Pick<CgroupDriver, 'limitsDevices'>,
): void => {
  if (security.privileged || limitsDevices) return;
  for (const { path, access, isVolume = false } of devices)
    if (isVolume && !access.includes('w'))
      throw new RuntimeError(
        'device',
        `"${path}" cannot be read-only: the cgroups of this host do not limit devices`,
      );
};

/** Also what lies below, and the links that every container has: nothing could be made there. */
const isOwn = (path: string): boolean => {
  const [, top = '', name = ''] = path.split('/');
  return top === 'dev' && (LINKS.has(name) || SKIPPED.has(`/dev/${name}`));
};

/** The kernel's encoding of st_rdev, as glibc's gnu_dev_major and gnu_dev_minor take it apart. */
const deviceNumbers = (rdev: number): { major: number; minor: number } => ({
  major: (rdev >>> 8) & 0xfff,
  minor: (rdev & 0xff) | ((rdev >>> 12) & 0xfff00),
});

const SKIPPED = new Set([
  '/dev/pts',
  '/dev/shm',
  '/dev/mqueue',
  '/dev/console',
  '/dev/ptmx',
  '/dev/tty',
  '/dev/null',
  '/dev/zero',
  '/dev/full',
  '/dev/random',
  '/dev/urandom',
]);
const LINKS = new Set(['fd', 'stdin', 'stdout', 'stderr', 'core']);
const MAX_DEPTH = 2;
const MAX_DEVICES = 1024;
