import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, rmSync, statfsSync, statSync } from 'node:fs';
import { truncate, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { bytesOf } from '../../api/quantity';
import { describeError } from '../../lib/describe-error';
import { mountPointsIn } from '../../lib/mount-points';
import type { ClusterPaths } from '../cluster-paths';
import { UsageError } from '../usage-error';

/** Bytes of a size as given for `flag`. @throws UsageError */
export const sizeBytes = (flag: string, text: string): number => {
  try {
    const bytes = bytesOf(text);
    if (Number.isSafeInteger(bytes) && bytes >= 0) return bytes;
  } catch {
    // Said below, as of one that is negative.
  }
  throw new UsageError(`${flag}: "${text}" is not a size such as 64Mi or 1Gi`);
};

/** @throws UsageError when no disk of a node can be so large */
export const diskBytes = (text: string): number => {
  const bytes = sizeBytes('--node-disk', text);
  if (bytes >= MIN_BYTES && bytes <= MAX_BYTES) return bytes;
  throw new UsageError(`--node-disk: ${text} is not between 64Mi and 1Ti`);
};

/**
 * Gives a node a disk of its own, of this size at most, below its folder of state: a file system in a file, which
 * takes of this machine's disk what is in it. Idempotent; what filled it on purpose is taken away.
 */
export const ensureNodeDisk = async (
  paths: ClusterPaths,
  node: string,
  bytes: number,
): Promise<void> => {
  const folder = paths.nodeStateDir(node);
  const image = imageOf(paths, node);
  try {
    if (!hasOwnDisk(paths, node)) {
      if (!existsSync(image)) await makeFileSystem(image, bytes);
      mkdirSync(folder, { recursive: true, mode: 0o700 });
      await run('mount', ['-o', 'loop,noatime', image, folder]);
    }
  } catch (error) {
    throw new UsageError(`--node-disk: ${node}: ${describeError(error)}`);
  }
  emptyDisk(paths, node);
};

/** Under another name until it is whole: a crash leaves nothing that would be taken for it. */
const makeFileSystem = async (image: string, bytes: number): Promise<void> => {
  mkdirSync(dirname(image), { recursive: true, mode: 0o700 });
  const unfinished = `${image}.new`;
  await writeFile(unfinished, '', { mode: 0o600 });
  await truncate(unfinished, bytes);
  await run('mkfs.ext4', ['-q', '-F', '-m', '0', unfinished]);
  await run('mv', ['--', unfinished, image]);
};

/** Takes all but so much of the disk. @throws UsageError when it is not the node's alone */
export const fillDisk = async (
  paths: ClusterPaths,
  node: string,
  leaveBytes: number,
): Promise<void> => {
  const folder = paths.nodeStateDir(node);
  if (!hasOwnDisk(paths, node))
    throw new UsageError(
      `${node} shares the disk of this machine, which is not filled: dhow up --node-disk 1Gi gives nodes of a new cluster their own`,
    );
  const ballast = ballastOf(paths, node);
  const { bavail, bsize } = statfsSync(folder);
  const moreBytes = bavail * bsize - leaveBytes;
  if (moreBytes <= 0) return;
  const heldBytes = existsSync(ballast) ? statSync(ballast).blocks * BLOCK_BYTES : 0;
  await run('fallocate', ['--length', String(heldBytes + moreBytes), ballast]);
};

/** Undoes `fillDisk`. Idempotent. */
export const emptyDisk = (paths: ClusterPaths, node: string): void =>
  rmSync(ballastOf(paths, node), { force: true });

const hasOwnDisk = (paths: ClusterPaths, node: string): boolean => {
  const folder = paths.nodeStateDir(node);
  return mountPointsIn(folder).some((path) => path.toString() === folder);
};

const run = async (program: string, args: readonly string[]): Promise<void> => {
  try {
    await promisify(execFile)(program, args, { timeout: TIMEOUT_MS });
  } catch (error) {
    const { code, stderr, message } = error as NodeJS.ErrnoException & { stderr?: string };
    const said = stderr?.trim();
    const reason =
      String(code) === 'ENOENT'
        ? 'is not installed (package e2fsprogs)'
        : (said ?? '') === ''
          ? message
          : said;
    throw new Error(`${program}: ${reason}`, { cause: error });
  }
};

const imageOf = (paths: ClusterPaths, node: string): string =>
  join(paths.stateDir, 'disks', `${node}.img`);
const ballastOf = (paths: ClusterPaths, node: string): string =>
  join(paths.nodeStateDir(node), '.lab-ballast');

/** Of `stat`, whatever the file system's are. */
const BLOCK_BYTES = 512;
const MIN_BYTES = 64 * 1024 * 1024;
const MAX_BYTES = 1024 ** 4;
const TIMEOUT_MS = 60_000;
