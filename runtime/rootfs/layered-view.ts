import { lstatSync, readlinkSync, type Stats } from 'node:fs';
import { fsPath } from './byte-path';
import { libc } from './libc';

/**
 * What a name means in a stack of overlay folders: whiteouts hide, opaque folders cut, folders
 * merge. Only `lstat` and `readlink` touch the disk, so nothing is followed by the kernel.
 */
export type ViewEntry =
  | { readonly kind: 'directory'; readonly dirs: readonly string[]; readonly stats: Stats }
  | { readonly kind: 'symlink'; readonly target: string; readonly hostPath: string }
  | { readonly kind: 'file' | 'other'; readonly hostPath: string; readonly stats: Stats };

/** The merged entry `name` of a folder that is `dirs` on the host, topmost first (byte strings). */
export const viewChild = (dirs: readonly string[], name: string): ViewEntry | undefined => {
  const merged: string[] = [];
  let top: Stats | undefined;
  for (const dir of dirs) {
    const hostPath = `${dir}/${name}`;
    const stats = lstatIfThere(hostPath);
    if (stats === undefined) continue;
    if (!stats.isDirectory()) {
      if (top === undefined && !isWhiteout(stats)) return leaf(hostPath, stats);
      break;
    }
    merged.push(hostPath);
    top ??= stats;
    if (isOpaque(hostPath)) break;
  }
  return top === undefined ? undefined : { kind: 'directory', dirs: merged, stats: top };
};

/**
 * Follows `path` from the root of the view, symlinks included, absolute and `..` ones staying
 * inside. Undefined when missing; `LinkLoopError` past 40 links.
 */
export const resolveInView = (roots: readonly string[], path: string): ViewEntry | undefined => {
  const stack: (readonly string[])[] = [roots];
  const queue = path.split('/');
  let links = 0;
  let last: ViewEntry | undefined;
  for (let name = queue.shift(); name !== undefined; name = queue.shift()) {
    if (name === '' || name === '.') continue;
    if (last !== undefined && last.kind !== 'directory') return undefined;
    if (name === '..') {
      if (stack.length > 1) stack.pop();
      continue;
    }
    const entry = viewChild(stack[stack.length - 1] ?? roots, name);
    if (entry === undefined) return undefined;
    if (entry.kind === 'symlink') {
      if (++links > LINKS_MAX) throw new LinkLoopError(path);
      if (entry.target.startsWith('/')) stack.length = 1;
      queue.unshift(...entry.target.split('/'));
      continue;
    }
    last = entry;
    if (entry.kind === 'directory') stack.push(entry.dirs);
  }
  return last;
};

export class LinkLoopError extends Error {
  constructor(path: string) {
    super(`too many levels of symbolic links: ${path}`);
    this.name = 'LinkLoopError';
  }
}

export const LINKS_MAX = 40;

/** Overlayfs marks a deleted name by a character device 0:0. */
const isWhiteout = (stats: Stats): boolean => stats.isCharacterDevice() && stats.rdev === 0;

const isOpaque = (hostPath: string): boolean =>
  libc().getXattr(hostPath, 'trusted.overlay.opaque')?.toString() === 'y';

const leaf = (hostPath: string, stats: Stats): ViewEntry => {
  if (!stats.isSymbolicLink()) return { kind: stats.isFile() ? 'file' : 'other', hostPath, stats };
  const target = readlinkSync(fsPath(hostPath), 'latin1');
  return { kind: 'symlink', target, hostPath };
};

const lstatIfThere = (hostPath: string): Stats | undefined => {
  try {
    return lstatSync(fsPath(hostPath), { throwIfNoEntry: false });
  } catch (error) {
    // A name too long for this file system is simply not there.
    if ((error as NodeJS.ErrnoException).code === 'ENAMETOOLONG') return undefined;
    throw error;
  }
};
