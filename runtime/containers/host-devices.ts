import { lstatSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

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
const MAX_DEPTH = 2;
const MAX_DEVICES = 1024;
