import { constants, closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { fsPath, toBytes } from './byte-path';
import { LinkLoopError, resolveInView, type ViewEntry } from './layered-view';

/** Who a process runs as. */
export interface ResolvedUser {
  readonly uid: number;
  readonly gid: number;
  /** From the image's /etc/group; the caller adds its own. */
  readonly supplementalGids: readonly number[];
}

/** The image's user cannot be found, or is not a user at all. */
export class UserError extends Error {
  override readonly name = 'UserError';
}

/**
 * Resolves an image's user string (``, `svc`, `77`, `svc:staff`, `77:88`) by the /etc/passwd and
 * /etc/group that a container over `lowerDirs` (topmost first) would see. Symlinks are followed
 * inside the image only, up to 40. A numeric user needs no passwd entry. @throws UserError
 */
export const resolveUser = (lowerDirs: readonly string[], user: string): ResolvedUser => {
  const roots = lowerDirs.map(toBytes);
  const [name, groupName, ...rest] = user.split(':');
  if (rest.length > 0 || name === undefined) throw new UserError(`invalid user "${user}"`);
  if (user !== '' && (name === '' || groupName === '')) {
    throw new UserError(`invalid user "${user}"`);
  }
  const passwd = findPasswd(readLines(roots, 'etc/passwd'), name === '' ? '0' : name);
  const groups = readLines(roots, 'etc/group');
  const uid = passwd?.uid ?? numericId(name === '' ? '0' : name);
  if (uid === undefined) {
    throw new UserError(`unable to find user ${name}: no matching entries in passwd file`);
  }
  if (groupName === undefined) {
    // Without an entry there is no name, so no group can list it.
    const supplementalGids = passwd === undefined ? [] : gidsOf(groups, passwd.name, passwd.gid);
    return { uid, gid: passwd?.gid ?? 0, supplementalGids };
  }
  const gid = findGroup(groups, groupName) ?? numericId(groupName);
  if (gid === undefined) {
    throw new UserError(`unable to find group ${groupName}: no matching entries in group file`);
  }
  return { uid, gid, supplementalGids: [] };
};

interface PasswdEntry {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
}

const findPasswd = (lines: readonly string[], user: string): PasswdEntry | undefined => {
  const byId = numericId(user);
  for (const line of lines) {
    const [name, , uidText, gidText] = line.split(':');
    const uid = numericId(uidText ?? '');
    const gid = numericId(gidText ?? '');
    if (name === undefined || name === '' || uid === undefined || gid === undefined) continue;
    if (name === user || uid === byId) return { name, uid, gid };
  }
  return undefined;
};

const findGroup = (lines: readonly string[], group: string): number | undefined => {
  const byId = numericId(group);
  for (const line of lines) {
    const [name, , gidText] = line.split(':');
    const gid = numericId(gidText ?? '');
    if (gid !== undefined && (name === group || gid === byId)) return gid;
  }
  return undefined;
};

const gidsOf = (lines: readonly string[], user: string, primaryGid: number): readonly number[] => {
  const gids = new Set<number>();
  for (const line of lines) {
    const [, , gidText, members] = line.split(':');
    const gid = numericId(gidText ?? '');
    const isMember = members?.split(',').some((member) => member.trim() === user) === true;
    if (gid !== undefined && gid !== primaryGid && isMember) gids.add(gid);
  }
  return [...gids].slice(0, GROUPS_MAX);
};

/** Plain decimal only: `0x0`, ` 5` and `-1` are names that nobody has. */
const numericId = (text: string): number | undefined => {
  if (!/^[0-9]{1,10}$/.test(text)) return undefined;
  const id = Number(text);
  return id < 0xffffffff ? id : undefined;
};

/** The file's lines; none when it is missing or not a regular file. */
const readLines = (roots: readonly string[], path: string): readonly string[] => {
  const entry = find(roots, path);
  if (entry?.kind !== 'file') return [];
  // The path holds no symlink, and a layer does not change; the flags are a second fence.
  const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK } = constants;
  const fd = openSync(fsPath(entry.hostPath), O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
  try {
    const size = Math.min(fstatSync(fd).size, FILE_MAX_BYTES);
    const buffer = Buffer.alloc(size);
    const count = readSync(fd, buffer, 0, size, 0);
    return buffer.toString('utf8', 0, count).split('\n');
  } finally {
    closeSync(fd);
  }
};

const find = (roots: readonly string[], path: string): ViewEntry | undefined => {
  try {
    return resolveInView(roots, path);
  } catch (error) {
    if (!(error instanceof LinkLoopError)) throw error;
    throw new UserError(`cannot read /${path} of the image: too many symbolic links`, {
      cause: error,
    });
  }
};

const FILE_MAX_BYTES = 1024 * 1024;
/** The kernel's NGROUPS_MAX is 65536; nobody means that many. */
const GROUPS_MAX = 1024;
