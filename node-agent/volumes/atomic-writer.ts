import {
  chmodSync,
  chownSync,
  mkdirSync,
  readdirSync,
  // eslint-disable-next-line @typescript-eslint/no-restricted-imports -- read-only to containers
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join, normalize } from 'node:path';

import { systemClock } from '../../lib/clock';
import { hasErrorCode } from '../files';

export interface VolumeFile {
  readonly data: Uint8Array;
  readonly mode: number;
}

const CURRENT = '..data';

/**
 * Makes `directory` show exactly `files` (by relative path). All change at once: they lie in a folder
 * of their own, and one link to it is swapped. Returns false when nothing had to change.
 */
export const writeVolumeFiles = (
  directory: string,
  files: ReadonlyMap<string, VolumeFile>,
  groupId: number | undefined,
): boolean => {
  const isNew = mkdirSync(directory, { recursive: true, mode: 0o755 }) !== undefined;
  const present = isNew ? [] : readdirSync(directory);
  const current = present.includes(CURRENT) ? readlinkSync(join(directory, CURRENT)) : undefined;
  if (current !== undefined && isSame(join(directory, current), files)) {
    // A crash may have come between.
    linkTopLevel(directory, files, present);
    return false;
  }
  const next = writeAll(directory, files, groupId);
  swapLink(directory, next);
  linkTopLevel(directory, files, present);
  removeFormer(directory, present);
  return true;
};

/** Into a new folder, which does not stay when something has no room: it is tried again and again. */
const writeAll = (
  directory: string,
  files: ReadonlyMap<string, VolumeFile>,
  groupId: number | undefined,
): string => {
  const next = freshFolder(directory);
  const folder = join(directory, next);
  try {
    for (const below of new Set([...files.keys()].map((path) => dirname(path))))
      if (below !== '.') mkdirSync(join(folder, below), { recursive: true, mode: 0o755 });
    for (const [path, file] of files) writeOne(join(folder, path), file, groupId);
  } catch (error) {
    rmSync(folder, { recursive: true, force: true });
    throw error;
  }
  return next;
};

/** The folder before this one, and those that a crash left. */
const removeFormer = (directory: string, present: readonly string[]): void => {
  for (const name of present)
    if (name.startsWith('..2')) rmSync(join(directory, name), { recursive: true, force: true });
};

/** Refuses what would lie outside the volume. @throws Error */
export const checkVolumePath = (path: string): string => {
  const clean = normalize(path);
  const isInside = clean !== '.' && !clean.startsWith('/') && !clean.split('/').includes('..');
  if (!isInside || clean.startsWith('..')) throw new Error(`invalid path "${path}" in volume`);
  return clean;
};

const writeOne = (path: string, { data, mode }: VolumeFile, groupId: number | undefined): void => {
  writeFileSync(path, data);
  if (groupId !== undefined) chownSync(path, 0, groupId);
  // After chown, which clears bits; with a group, the group can read what the owner can.
  chmodSync(path, groupId === undefined ? mode : mode | 0o440);
};

const isSame = (folder: string, files: ReadonlyMap<string, VolumeFile>): boolean => {
  try {
    if (countFiles(folder) !== files.size) return false;
    return [...files].every(([path, { data }]) => readFileSync(join(folder, path)).equals(data));
  } catch (error) {
    if (hasErrorCode(error, 'ENOENT', 'EISDIR', 'ENOTDIR')) return false;
    throw error;
  }
};

const countFiles = (folder: string): number =>
  readdirSync(folder, { withFileTypes: true, recursive: true }).filter((entry) => entry.isFile())
    .length;

const freshFolder = (directory: string): string => {
  for (let attempt = 0; ; attempt++) {
    const name = `..${new Date(systemClock.now()).toISOString().replace(/[:.]/g, '_')}.${process.pid}${attempt}`;
    try {
      mkdirSync(join(directory, name), { mode: 0o755 });
      return name;
    } catch (error) {
      if (!hasErrorCode(error, 'EEXIST') || attempt > 100) throw error;
    }
  }
};

const swapLink = (directory: string, target: string): void => {
  const temporary = join(directory, `${CURRENT}_tmp`);
  try {
    symlinkSync(target, temporary);
  } catch (error) {
    if (!hasErrorCode(error, 'EEXIST')) throw error;
    // A crash left it.
    rmSync(temporary, { force: true });
    symlinkSync(target, temporary);
  }
  renameSync(temporary, join(directory, CURRENT));
};

const linkTopLevel = (
  directory: string,
  files: ReadonlyMap<string, VolumeFile>,
  present: readonly string[],
): void => {
  const wanted = new Set([...files.keys()].map((path) => path.split('/')[0] ?? ''));
  for (const name of present)
    if (!name.startsWith('..') && !wanted.has(name)) rmSync(join(directory, name), { force: true });
  const linked = new Set(present);
  for (const name of wanted)
    if (!linked.has(name)) symlinkSync(join(CURRENT, name), join(directory, name));
};
