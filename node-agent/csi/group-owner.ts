import {
  chmodSync,
  chownSync,
  closeSync,
  constants,
  fstatSync,
  lchownSync,
  opendirSync,
  openSync,
} from 'node:fs';

import { hasErrorCode } from '../files';

/** Not in `constants` of node:fs. */
const O_PATH = 0o10000000;
const PATH_ONLY = O_PATH | constants.O_NOFOLLOW;
const FOLDER = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW;

/**
 * Gives a volume and all in it to the group: readable and writable for it, and what is made there later
 * belongs to it, too. Whoever else has the volume may move things about meanwhile: every step goes by a
 * descriptor, and no link is followed. Source: pkg/volume, SetVolumeOwnership
 */
export const giveToGroup = async (
  root: string,
  groupId: number,
  signal: AbortSignal,
): Promise<void> => {
  let count = 0;
  for (const _ of walk(root, groupId, 0)) {
    if (++count % TURN_COUNT !== 0) continue;
    await new Promise((resolve) => setImmediate(resolve));
    signal.throwIfAborted();
  }
};

function* walk(path: string, groupId: number, depth: number): Generator<undefined> {
  if (depth > DEPTH_MAX) throw new Error('the volume is too deep to be given to a group');
  const entry = openOrGone(path, PATH_ONLY);
  if (entry === undefined) return;
  try {
    const stats = fstatSync(entry);
    const own = `/proc/self/fd/${entry}`;
    if (stats.isSymbolicLink()) lchownSync(path, stats.uid, groupId);
    else {
      chownSync(own, stats.uid, groupId);
      const bits = stats.isDirectory() ? FOLDER_BITS : FILE_BITS;
      chmodSync(own, (stats.mode & 0o7777) | bits);
    }
    yield;
    if (stats.isDirectory()) yield* children(`${own}/.`, groupId, depth);
  } finally {
    closeSync(entry);
  }
}

function* children(path: string, groupId: number, depth: number): Generator<undefined> {
  const folder = openOrGone(path, FOLDER);
  if (folder === undefined) return;
  try {
    const own = `/proc/self/fd/${folder}`;
    const names = opendirSync(own);
    try {
      for (let next = names.readSync(); next !== null; next = names.readSync())
        yield* walk(`${own}/${next.name}`, groupId, depth + 1);
    } finally {
      names.closeSync();
    }
  } finally {
    closeSync(folder);
  }
}

const openOrGone = (path: string, flags: number): number | undefined => {
  try {
    return openSync(path, flags);
  } catch (error) {
    if (hasErrorCode(error, 'ENOENT', 'ENOTDIR', 'ELOOP')) return undefined;
    throw error;
  }
};

const FILE_BITS = 0o660;
const FOLDER_BITS = 0o2770;
const TURN_COUNT = 256;
const DEPTH_MAX = 200;
